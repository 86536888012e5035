"""Which orders two rules share, and whether one takes all of another's.

Stores and dates are asked apart from everything else, since gaps and unions are looked
for in them. Where it can't be known (two expressions), rules are taken to meet, and
neither to take all.
"""

from decimal import Decimal
from typing import Any

from rewards.program.vocabulary import Items, Rule, Share, When

Places = frozenset[str] | None
"""Ids of stores; None is every store."""

# An order has one of each of these; of segments it may have several.
_SINGLE = ("order_categories", "currencies", "countries", "channels", "accounts")


def holds_within(outer: Rule, inner: Rule, *, zone: str) -> bool:
    """Whether what the outer rule asks is true wherever the inner one holds.

    Stores and dates apart.
    """
    a, b = outer.when, inner.when
    return (
        all(_within(_set(a, name), _set(b, name)) for name in (*_SINGLE, "segments"))
        and _within(_days(a, zone), _days(b, zone))
        and _totals_within(a, b)
        and (a.first_purchase in (None, b.first_purchase) or b.first_purchase == "ever")
        and a.expression in (None, b.expression)
        and _gives_wherever(outer, inner)
    )


def meet(a: Rule, b: Rule, *, zone: str) -> bool:
    """Whether an order may exist for which both hold, stores apart."""
    return (
        all(_meet(_set(a.when, name), _set(b.when, name)) for name in _SINGLE)
        and _weekdays_meet(a.when, b.when, zone)
        and _totals_meet(a.when, b.when)
        and in_force_together(a.when, b.when)
        and _shares_meet(a, b)
    )


def in_force_within(outer: When, inner: When) -> bool:
    """Whether the outer dates hold all of the inner ones."""
    begins = outer.starts_at is None or (
        inner.starts_at is not None and outer.starts_at <= inner.starts_at
    )
    ends = outer.ends_at is None or (
        inner.ends_at is not None and inner.ends_at <= outer.ends_at
    )
    return begins and ends


def in_force_together(a: When, b: When) -> bool:
    return not any(
        one.ends_at and other.starts_at and one.ends_at <= other.starts_at
        for one, other in ((a, b), (b, a))
    )


def places_within(outer: Places, inner: Places) -> bool:
    return outer is None or (inner is not None and inner <= outer)


def common_places(a: Places, b: Places) -> Places:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _set(when: When, name: str) -> frozenset[Any]:
    values = getattr(when, name)
    if name == "countries":
        values = [code.upper() for code in values]
    return frozenset(values)


def _within(outer: frozenset[Any], inner: frozenset[Any]) -> bool:
    return not outer or bool(inner and inner <= outer)


def _meet(a: frozenset[Any], b: frozenset[Any]) -> bool:
    return not a or not b or not a.isdisjoint(b)


def _days(when: When, zone: str) -> frozenset[tuple[str, str]]:
    return frozenset((day, when.time_zone or zone) for day in when.weekdays)


def _weekdays_meet(a: When, b: When, zone: str) -> bool:
    if (a.time_zone or zone) != (b.time_zone or zone):
        return True
    return _meet(frozenset(a.weekdays), frozenset(b.weekdays))


def _totals_within(a: When, b: When) -> bool:
    least = a.min_order_total is None or (
        b.min_order_total is not None
        and Decimal(a.min_order_total) <= Decimal(b.min_order_total)
    )
    most = a.max_order_total is None or (
        b.max_order_total is not None
        and Decimal(b.max_order_total) <= Decimal(a.max_order_total)
    )
    return least and most


def _totals_meet(a: When, b: When) -> bool:
    return not any(
        one.max_order_total
        and other.min_order_total
        and Decimal(one.max_order_total) < Decimal(other.min_order_total)
        for one, other in ((a, b), (b, a))
    )


def _gives_wherever(outer: Rule, inner: Rule) -> bool:
    """Whether the outer reward applies wherever the inner one does.

    A rule without a matching line, or of another currency, leaves room for the next.
    """
    if outer.items not in (Items(), inner.items):
        return False
    if outer.items != Items() and _basis(outer) != _basis(inner):
        return False
    if not isinstance(outer.reward, Share):
        return True
    in_its_currency = outer.reward.of == "order_total" and inner.when.currencies == [
        outer.unit
    ]
    return in_its_currency or (
        isinstance(inner.reward, Share) and inner.reward.of == outer.reward.of
    )


def _basis(rule: Rule) -> str:
    return getattr(rule.reward, "of", "")


def _shares_meet(a: Rule, b: Rule) -> bool:
    """A share of the order total applies to orders in its own currency alone."""
    return all(
        one.unit in (other.when.currencies or [one.unit])
        for one, other in ((a, b), (b, a))
        if isinstance(one.reward, Share) and one.reward.of == "order_total"
    )
