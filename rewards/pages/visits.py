"""A member's visits to stores: each with its number, what was promised, what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from merchants.clicks import number
from merchants.models import Click
from rewards.models import Member, Unit
from rewards.pages.activity import PAGE_SIZE, Cursor, Row, in_rows, rewarded_purchases
from rewards.pages.rates import Figure, figures, units_by_code
from rewards.pages.views import members_only
from rewards.sampling import Amount


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit. ``slug`` is empty where the store has no page any more."""

    number: str
    store: str
    slug: str
    at: datetime
    promised: Sequence[Figure]
    up_to: bool
    purchases: Sequence[Row]


def visits_page(
    member: Member, units: Mapping[str, Unit], *, before: Cursor | None, at: datetime
) -> tuple[list[Visit], Cursor | None]:
    """One page, newest first, and where the next one starts, if there is one."""
    own = rewarded_purchases(member)
    clicks = (
        Click.objects.filter(customer_id=member.customer_id)
        .select_related("merchant")
        .prefetch_related(Prefetch("purchases", own, to_attr="own_purchases"))
        .order_by("-clicked_at", "-pk")
    )
    if before:
        clicks = clicks.filter(
            Q(clicked_at__lt=before.at) | Q(pk__lt=before.id), clicked_at__lte=before.at
        )
    found: list[Any] = list(clicks[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    following = None
    if len(found) > PAGE_SIZE:
        following = Cursor(shown[-1].clicked_at, shown[-1].pk)
    return _in_visits(shown, units, at=at), following


def _in_visits(
    clicks: Sequence[Any], units: Mapping[str, Unit], *, at: datetime
) -> list[Visit]:
    by_id = {unit.pk: unit for unit in units.values()}
    purchases = [p for click in clicks for p in click.own_purchases]
    rows = {row.id: row for row in in_rows(purchases, by_id, at=at)}
    return [
        Visit(
            number=number(click),
            store=str(click.merchant),
            slug=click.merchant.slug if click.merchant.listed else "",
            at=click.clicked_at,
            promised=figures(promised(click, units), units),
            up_to=bool(click.shown.get("up_to")),
            purchases=[rows[p.pk] for p in click.own_purchases],
        )
        for click in clicks
    ]


def promised(click: Click, units: Mapping[str, Unit]) -> list[Amount]:
    """The headline that was shown, out of what was kept with the click."""
    names = [field.name for field in fields(Amount)]
    kept = click.shown.get("headline", ())
    return [Amount(**{n: a[n] for n in names}) for a in kept if a["unit"] in units]


@members_only
def visits(request: HttpRequest, member: Member) -> HttpResponse:
    cursor = Cursor.parse(request.GET.get("before", ""))
    rows, following = visits_page(
        member, units_by_code(), before=cursor, at=timezone.now()
    )
    context = {"visits": rows, "following": following, "newest": cursor is None}
    return render(request, "rewards/visits.html", context)
