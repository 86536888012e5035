"""What a report does not say of a purchase: taken once, when it is first settled for
a member, and kept with it from then on."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from rewards import recorded
from rewards.models import Member, Purchase
from rewards.program.facts import AT_MERCHANT, EVER, About
from rewards.reports import DECLINED, REWARDED_CATEGORIES, PurchaseReport
from rewards.settling.cases import Case


class Buyer(NamedTuple):
    """A member as rules see them."""

    segments: Sequence[str]
    joined_at: datetime


def kept(case: Case) -> About | None:
    """What was taken before; None where that was about another member, or never.

    Country and channel are as the reports tell them now. A replay takes nothing: it
    is given what was taken then.
    """
    last = case.history.with_facts()
    if last is not None and last.member_id == case.member_id:
        return _restored(last.facts, case)
    given = recorded.of(case.id)
    return _restored(given.facts, case) if given and case.about_somebody else None


def _restored(facts: Mapping[str, Any], case: Case) -> About:
    about = About.restore(dict(facts), customer_id=case.holder)
    standing = case.standing
    return replace(about, country=standing.country, channel=standing.channel)


def lock_members(ids: Collection[int]) -> dict[int, Buyer]:
    """Lock these members' rows, in order, so that nobody else settles for them.

    Two first orders at once must not both be first, nor share one member's limit.
    """
    if not ids:
        return {}
    rows = (
        Member.objects.filter(pk__among=ids)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", "segments", "joined_at")
    )
    return {pk: Buyer(segments, joined_at) for pk, segments, joined_at in rows}


def take(
    cases: Collection[Case], *, among: Sequence[Case], buyers: dict[int, Buyer]
) -> Iterator[tuple[int, About]]:
    """What is known now about purchases of these members, whose rows are locked.

    ``among`` is the whole batch in the order of settling: what comes earlier in it
    counts as settled earlier, unless it has failed when the next is asked for.
    """
    if not cases:
        return
    wanted = {case.id for case in cases}
    orders = _Orders(among, members=[c.member_id for c in cases if c.member_id])
    for case in among:
        orders.forget(case)
        if case.id in wanted:
            assert case.member_id is not None  # facts are about somebody
            yield case.id, _about(case, buyers[case.member_id], orders.first(case))
        orders.count(case)


def _about(case: Case, buyer: Buyer, first: tuple[str, ...]) -> About:
    click, standing = case.click, case.standing
    return About(
        customer_id=case.holder,
        segments=tuple(buyer.segments),
        joined_at=buyer.joined_at,
        first=first,
        merchant_categories=case.store.categories if case.store else (),
        click_at=click.at if click else None,
        click_reference=standing.click_reference if click else "",
        country=standing.country,
        channel=standing.channel,
    )


class _Orders:
    """How many orders members have that were not declined, in all and at each store.

    What has only ever been in review is none: else two that wait together would each
    keep the other from being first. Outside the batch it is enough to know whether
    there are any.
    """

    def __init__(self, batch: Sequence[Case], *, members: Collection[int]) -> None:
        rows = Purchase.objects.filter(
            member__id__among=members, category__in=REWARDED_CATEGORIES
        )
        settled = rows.exclude(settlement=None).exclude(status=DECLINED)
        others = settled.exclude(pk__among=[case.id for case in batch])
        pairs = others.order_by().values_list("member_id", "merchant_id").distinct()
        self._at_stores: Counter[tuple[int | None, int | None]] = Counter(pairs)
        self._ever = Counter(member_id for member_id, _ in self._at_stores)
        for case in batch:
            self._count_before(case, 1)

    def forget(self, case: Case) -> None:
        """Leave out what a purchase was before this batch."""
        self._count_before(case, -1)

    def count(self, case: Case) -> None:
        """Add what it is now."""
        if case.evaluation_before or (case.evaluates and not case.failed):
            self._add(case.member_id, case.merchant_id, case.report, 1)

    def first(self, case: Case) -> tuple[str, ...]:
        """In which senses an order is its member's first."""
        ever = not self._ever[case.member_id]
        here = not self._at_stores[case.member_id, case.merchant_id]
        return (EVER,) * ever + (AT_MERCHANT,) * here

    def _count_before(self, case: Case, change: int) -> None:
        if case.state_before and case.evaluation_before:
            where = case.member_before, case.merchant_before
            self._add(*where, case.state_before, change)

    def _add(
        self,
        member_id: int | None,
        merchant_id: int | None,
        report: PurchaseReport,
        change: int,
    ) -> None:
        if report.rewarded and report.status != DECLINED:
            self._ever[member_id] += change
            self._at_stores[member_id, merchant_id] += change
