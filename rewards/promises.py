"""What a store promises: the rate that a member would earn, and when it is final.

Rates are never typed in. They come out of the same evaluation that pays: a sample
order of the store under the edition that holds now, once for each rate the store pays
us. So the store page can't promise what the engine would not give. A sample is an
existing customer's order of 100 in major units (10,000 where a currency has no
decimals), and whatever is shown says "for an order of".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Self

from django.db.models import Prefetch, QuerySet
from django.utils.text import Truncator

from merchants.currencies import EXPONENTS
from merchants.models import Merchant, Offer
from rewards.models import Edition, Purchase
from rewards.program import vocabulary
from rewards.program.editions import Editions, compiled
from rewards.program.evaluation import CompiledProgram
from rewards.reports import PENDING, REWARDED_CATEGORIES, PurchaseReport

ANY_CURRENCY = "USD"
"""The sample's currency where neither the store's rates nor any rule names one."""

MOST_KEPT, LONGEST_KEPT = 50, 2_000
"""Rates, and characters of each of the terms, that are kept with a click."""

DEFAULT, EXCLUSION = Offer.Kind.DEFAULT.value, Offer.Kind.EXCLUSION.value


@dataclass(frozen=True, slots=True)
class Amount:
    """``amount`` smallest steps of a unit for ``per`` minor units of a currency.

    ``of`` is what those minor units are: ``order_total``, or ``commission`` where we
    don't know yet what the store pays us.
    """

    unit: str
    amount: int
    per: int
    currency: str
    of: str = "order_total"


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
    """The program in force at an instant, ready to say what stores promise."""

    at: datetime
    edition: int | None = None
    program: CompiledProgram | None = None

    @classmethod
    def load(cls, *, at: datetime) -> Self:
        id = Editions.load().at(at)
        if id is None:
            return cls(at)
        number = Edition.objects.values_list("number", flat=True).get(pk=id)
        return cls(at, number, compiled(id))

    def of(self, merchant: Merchant) -> Promise:
        """The store's promise; many of them cost no query after ``with_offers``."""
        if self.program is None:
            return Promise()
        holding = (offer for offer in merchant.offers.all() if offer.until is None)
        offers = sorted(holding, key=_place)
        sampler = _Sampler(self.program, merchant, at=self.at)
        currencies = list(_currencies(self.program, merchant, offers))
        rates = [sampler.rate(offer, currencies) for offer in offers]
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


@dataclass(frozen=True, slots=True)
class _Sampler:
    """Has the engine work out sample orders of one store."""

    program: CompiledProgram
    merchant: Merchant
    at: datetime

    def rate(self, offer: Offer, currencies: Sequence[str]) -> Rate:
        """What the member gets of one rate that the store pays us."""
        amounts: list[Amount] = []
        if offer.kind != EXCLUSION:  # such orders may never be reported to us
            for currency in [offer.currency] if offer.currency else currencies:
                earned = self._earn(currency, _commission(offer, currency))
                amounts += _amounts(earned, currency)
        return Rate(offer.kind, offer.label, offer.tag, amounts)

    def unknown(self, currencies: Sequence[str]) -> list[Amount]:
        """What the member gets where the store's rate is not known.

        Rules on the order total say so much; of the others we can say what part of
        the commission they give: what a commission as high as the order would add.
        """
        amounts: list[Amount] = []
        for currency in currencies:
            surely = self._earn(currency, 0)
            most = self._earn(currency, sample_total(currency))
            more = {unit: n - surely.get(unit, 0) for unit, n in most.items()}
            amounts += _amounts(surely, currency)
            amounts += _amounts(more, currency, of="commission")
        return amounts

    def _earn(self, currency: str, commission: int) -> dict[str, int]:
        """By unit, in the order of the program's units."""
        earned = dict.fromkeys(self.program.units, 0)
        for award in self.program.evaluate(self._order(currency, commission)):
            earned[award.unit] += award.granted
        return earned

    def _order(self, currency: str, commission: int) -> PurchaseReport:
        return PurchaseReport(
            network=self.merchant.network,
            account="",
            transaction_id="",
            order_id="",
            status=PENDING,
            category=REWARDED_CATEGORIES[-1],  # an existing customer's
            modified_at=self.at,
            attributed_at=self.at,
            merchant=self.merchant.external_id,
            currency=currency,
            commission=commission,
            order_currency=currency,
            order_total=sample_total(currency),
        )


def sample_total(currency: str) -> int:
    """100 in major units, as minor units; 10,000 where there are no decimals."""
    exponent = EXPONENTS.get(currency, 0)
    return int(10 ** max(exponent + 2, 4))


def _commission(offer: Offer, currency: str) -> int:
    """What the store pays us for the sample, in minor units; a fraction is lost."""
    if offer.fixed is not None:
        return offer.fixed
    share = Fraction(offer.percent) / 100
    return int(share * sample_total(currency))


def _currencies(
    program: CompiledProgram, merchant: Merchant, offers: Iterable[Offer]
) -> Iterator[str]:
    """The currencies to sample: the store's own, else those that its rules name."""
    own = dict.fromkeys(offer.currency for offer in offers if offer.currency)
    named = own or dict.fromkeys(
        currency
        for rule in program.rules
        if not rule.spec.when.merchants
        or merchant.external_id in rule.spec.when.merchants
        for currency in _named(rule.spec)
    )
    yield from named or (ANY_CURRENCY,)


def _named(rule: vocabulary.Rule) -> Sequence[str]:
    if rule.when.currencies:
        return rule.when.currencies
    return [rule.unit] if rule.reward.kind == "share" else []


def _amounts(
    earned: dict[str, int], currency: str, *, of: str = "order_total"
) -> list[Amount]:
    per = sample_total(currency)
    return [Amount(unit, n, per, currency, of) for unit, n in earned.items() if n > 0]


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
