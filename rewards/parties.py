"""Who a batch of purchases concerns: members, merchants, clicks, found by set."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from django.conf import settings

from merchants.clicks import is_ours
from merchants.models import Click, Merchant
from rewards import bulk, recorded
from rewards.models import Member
from rewards.models.members import CUSTOMER_ID
from rewards.settling.standing import Standing


class Store(NamedTuple):
    """A merchant, and the categories that it has at present."""

    id: int
    categories: tuple[str, ...]


class Left(NamedTuple):
    """A click of ours: who left for a store, and when."""

    id: int
    customer_id: str
    at: datetime


class _Known(NamedTuple):
    customer_id: str
    id: int
    status: str


@dataclass(frozen=True, slots=True)
class Parties:
    """Look-ups of one batch. ``names`` are the customer ids of members by id;
    ``erased`` those of them who were erased."""

    members: dict[str, int]
    names: dict[int, str]
    erased: set[int]
    merchants: dict[tuple[str, str], Store]
    clicks: dict[str, Left]

    @classmethod
    def of(cls, standings: Sequence[Standing], *, at: datetime) -> Self:
        """Everyone named by these; unknown merchants and members are made."""
        clicks = _clicks({s.click_reference for s in standings} - {""})
        customers = {s.customer_id for s in standings}
        customers |= {click.customer_id for click in clicks.values()}
        members, erased = _members(customers - {""}, at=at)
        assigned = {s.assigned_to for s in standings if s.assigned_to}
        return cls(
            members=members,
            names={id: name for name, id in members.items()} | _names(assigned),
            erased=erased,
            merchants=_merchants(
                {
                    (report.network, report.merchant): report.merchant_name
                    for report in (s.report for s in standings)
                    if report.merchant
                },
                at=at,
            ),
            clicks=clicks,
        )


def _members(
    customer_ids: set[str], *, at: datetime
) -> tuple[dict[str, int], set[int]]:
    """Members by customer id, and which of them were erased."""
    found = _known_members(customer_ids)
    unseen = customer_ids - {row.customer_id for row in found}
    if unseen and settings.MEMBERS_AUTO_ENROLL and not recorded.replays():
        _enrol(unseen, at=at)
        found += _known_members(unseen)
    erased = {row.id for row in found if row.status == Member.Status.ERASED}
    return {row.customer_id: row.id for row in found}, erased


def _enrol(customer_ids: set[str], *, at: datetime) -> None:
    """Make members of these; an id that the API would refuse stays unattributed."""
    valid = sorted(id for id in customer_ids if re.match(CUSTOMER_ID, id))
    status = Member.Status.ACTIVE.value
    bulk.insert_missing(
        Member,
        ("customer_id", "status", "email", "locale", "segments", "joined_at"),
        [(id, status, "", "", "[]", at) for id in valid],
    )


def _known_members(customer_ids: set[str]) -> list[_Known]:
    known = Member.objects.filter(customer_id__among=customer_ids)
    return [_Known(*row) for row in known.values_list(*_Known._fields)]


def _names(ids: set[int]) -> dict[int, str]:
    if not ids:
        return {}
    known = Member.objects.filter(pk__among=ids)
    return dict(known.values_list("pk", "customer_id"))


def _merchants(
    names: dict[tuple[str, str], str], *, at: datetime
) -> dict[tuple[str, str], Store]:
    found = _stores(names)
    if unseen := sorted(names.keys() - found.keys()):
        bulk.insert_missing(
            Merchant,
            ("network", "external_id", "name", "slug", "homepage_url", "created_at"),
            [(*key, names[key][:200], "", "", at) for key in unseen],
        )
        found |= _stores(unseen)
    return found


def _stores(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Store]:
    known = Merchant.objects.filter(external_id__among={id for _, id in keys})
    return {
        (network, external_id): Store(pk, tuple(categories))
        for network, external_id, pk, categories in known.values_list(
            "network", "external_id", "pk", "categories"
        )
    }


def _clicks(references: set[str]) -> dict[str, Left]:
    ours = {reference for reference in references if is_ours(reference)}
    if not ours:
        return {}
    known = Click.objects.filter(reference__among=ours)
    rows = known.values_list("reference", "pk", "customer_id", "clicked_at")
    return {row[0]: Left(*row[1:]) for row in rows}
