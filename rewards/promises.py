"""What a store promises: the rate that a member would earn, and when it is final.

Rates are never typed in. They come out of the same evaluation that pays: a sample
order of the store under the edition that holds now, once for each rate the store pays
us. So the store page can't promise what the engine would not give.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from django.db.models import Prefetch, QuerySet
from django.utils.text import Truncator

from merchants.models import Merchant, Offer
from rewards.models import Edition, Purchase
from rewards.program.editions import Editions, compiled
from rewards.program.evaluation import CompiledProgram
from rewards.reports import PENDING
from rewards.sampling import Amount, Sampler, currencies_of, room_of

MOST_KEPT, LONGEST_KEPT = 50, 2_000
"""Rates, and characters of each of the terms, that are kept with a click."""

DEFAULT, EXCLUSION = Offer.Kind.DEFAULT.value, Offer.Kind.EXCLUSION.value


@dataclass(frozen=True, slots=True)
class Rate:
    """What a member earns on one kind of goods; nothing where ``amounts`` is empty."""

    kind: str
    label: str
    tag: str
    amounts: Sequence[Amount]


@dataclass(frozen=True, slots=True)
class Promise:
    """A store's rates under one edition: named goods first, the store's best first.

    ``headline`` is the most that any rate gives, of each unit in each currency;
    ``up_to`` whether some goods earn less than that.
    """

    edition: int | None = None
    headline: Sequence[Amount] = ()
    up_to: bool = False
    rates: Sequence[Rate] = ()


@dataclass(frozen=True, slots=True)
class Promises:
    """The program in force at an instant, ready to say what stores promise.

    ``room`` is what limits leave a member who has used none of them.
    """

    at: datetime
    edition: int | None = None
    program: CompiledProgram | None = None
    room: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, *, at: datetime) -> Self:
        id = Editions.load().at(at)
        if id is None:
            return cls(at)
        number = Edition.objects.values_list("number", flat=True).get(pk=id)
        program = compiled(id)
        return cls(at, number, program, room_of(program))

    def of(self, merchant: Merchant) -> Promise:
        """The store's promise; many of them cost no query after ``with_offers``."""
        if self.program is None:
            return Promise()
        holding = (offer for offer in merchant.offers.all() if offer.until is None)
        offers = sorted(holding, key=_place)
        sampler = Sampler(self.program, merchant, self.room, at=self.at)
        currencies = list(currencies_of(self.program, merchant, offers))
        rates = [
            Rate(
                *(offer.kind, offer.label, offer.tag),
                # Orders of what is excluded may never be reported to us.
                [] if offer.kind == EXCLUSION else sampler.known(offer, currencies),
            )
            for offer in offers
        ]
        earning = [rate for rate in rates if rate.kind != EXCLUSION]
        if not earning:
            earning = [Rate(DEFAULT, "", "", sampler.unknown(currencies))]
            rates = [*earning, *rates]
        headline = _best(earning)
        up_to = any(list(rate.amounts) != headline for rate in earning)
        return Promise(self.edition, headline, up_to, rates)


def with_offers(merchants: QuerySet[Merchant]) -> QuerySet[Merchant]:
    """The stores together with the rates that hold now, in one more query."""
    holding = Offer.objects.filter(until=None).order_by("rank", "id")
    return merchants.prefetch_related(Prefetch("offers", holding))


def listed_stores() -> QuerySet[Merchant]:
    """The stores that members may see, with what their promises need."""
    return with_offers(Merchant.objects.filter(listed=True))


def visible_stores() -> QuerySet[Merchant]:
    """Those of them that have a page; one without a name has no address for it."""
    return listed_stores().exclude(slug="")


def snapshot(merchant: Merchant, promise: Promise) -> dict[str, Any]:
    """What is shown of a store's rates and terms, to be kept with a click.

    Of very many rates the first, of very long terms the beginning: every click has
    one. The rest can be told from the store's past rates.
    """
    kept = replace(promise, rates=promise.rates[:MOST_KEPT])
    return {
        **asdict(kept),
        "rates_left_out": len(promise.rates) - len(kept.rates),
        "terms": {
            "exclusions": _beginning(merchant.exclusions),
            "coupons_allowed": merchant.coupons_allowed,
            "gift_cards_allowed": merchant.gift_cards_allowed,
            "other": _beginning(merchant.other_terms),
            "notes": _beginning(merchant.own_terms),
        },
        "reporting_days": merchant.reporting_days,
        "finalization_minutes": merchant.finalization_minutes,
        "synced_at": merchant.synced_at.isoformat() if merchant.synced_at else None,
    }


def _beginning(text: str) -> str:
    return Truncator(text).chars(LONGEST_KEPT)


def expected_at(purchase: Purchase) -> datetime | None:
    """When a purchase should become final, by its store's usual time.

    None where the store's time is unknown, or the purchase is final already.
    """
    merchant = purchase.merchant
    if purchase.status != PENDING or merchant is None:
        return None
    if merchant.finalization_minutes is None:
        return None
    try:
        return purchase.attributed_at + timedelta(minutes=merchant.finalization_minutes)
    except OverflowError:  # a year beyond 9999
        return None


def days(minutes: int | None) -> int | None:
    """Whole days, rounded up: what is promised for day 45 is there on day 45."""
    return None if minutes is None else -(-minutes // (24 * 60))


def _place(offer: Offer) -> int:
    """Named goods stand before everything else, and what is excluded after it."""
    return {DEFAULT: 1, EXCLUSION: 2}.get(offer.kind, 0)


def _best(rates: Iterable[Rate]) -> list[Amount]:
    """The most of each unit in each currency."""
    best: dict[tuple[str, str, str], Amount] = {}
    for amount in (amount for rate in rates for amount in rate.amounts):
        key = (amount.currency, amount.unit, amount.of)
        if key not in best or best[key].amount < amount.amount:
            best[key] = amount
    return list(best.values())
