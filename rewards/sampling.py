"""What a member would earn: sample orders of a store, worked out by the engine.

A sample is an order of 100 in major units (10,000 where a currency has no decimals),
of one line, by any customer of today: one whom the store knows, who is in no segment
and has ordered before, from an unknown country, and who has used up no limit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from merchants.currencies import EXPONENTS
from merchants.models import Merchant, Offer
from rewards.models import Budget
from rewards.program import limits, vocabulary
from rewards.program.evaluation import CompiledProgram
from rewards.program.facts import About, Facts
from rewards.program.limits import BUDGET, PER_MEMBER, PER_ORDER, Use
from rewards.reports import PENDING, REWARDED_CATEGORIES, LineItem, PurchaseReport

ANY_CURRENCY = "USD"
"""The sample's currency where neither the store's rates nor any rule names one."""


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


def room_of(program: CompiledProgram) -> dict[str, int]:
    """The most that each limited rule grants; a budget that is used up, nothing."""
    capped = [rule.spec for rule in program.rules if rule.limited]
    used: dict[tuple[str, str], int] = {}
    if any(spec.limits.budget for spec in capped):
        rows = Budget.objects.values_list("rule", "unit__code", "used")
        used = {(rule, unit): amount for rule, unit, amount in rows}
    rooms = {
        spec.key: limits.room(uses(spec.limits, used.get((spec.key, spec.unit), 0)))
        for spec in capped
    }
    return {key: most for key, most in rooms.items() if most is not None}


def uses(caps: vocabulary.Limits, used: int) -> Iterator[Use]:
    if caps.per_order:
        yield Use(PER_ORDER, caps.per_order)
    if caps.per_member:
        yield Use(PER_MEMBER, caps.per_member.amount)
    if caps.budget:
        yield Use(BUDGET, caps.budget, used)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Has the engine work out sample orders of one store."""

    program: CompiledProgram
    merchant: Merchant
    room: Mapping[str, int]
    at: datetime

    def known(self, offer: Offer, currencies: Sequence[str]) -> list[Amount]:
        """What the member gets of one rate that the store pays us.

        The sample's line is of the goods that the rate names, so that rules for such
        line items count.
        """
        goods = tuple(filter(None, (offer.label, offer.tag)))
        amounts: list[Amount] = []
        for currency in [offer.currency] if offer.currency else currencies:
            earned = self._earn(currency, _commission(offer, currency), goods)
            amounts += _amounts(earned, currency)
        return amounts

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

    def _earn(
        self, currency: str, commission: int, goods: tuple[str, ...] = ()
    ) -> dict[str, int]:
        """By unit, in the order of the program's units.

        An expression can ask since when somebody is a member: what both the oldest
        and the newest get.
        """
        order = self._order(currency, commission, goods)
        categories = tuple(self.merchant.categories)
        oldest, newest = (
            self._granted(
                Facts(order, About(joined_at=joined, merchant_categories=categories))
            )
            for joined in (None, self.at)
        )
        return {unit: min(oldest[unit], newest[unit]) for unit in oldest}

    def _granted(self, facts: Facts) -> dict[str, int]:
        earned = dict.fromkeys(self.program.units, 0)
        for award in self.program.evaluate(facts, self.room):
            earned[award.unit] += award.granted
        return earned

    def _order(
        self, currency: str, commission: int, goods: tuple[str, ...]
    ) -> PurchaseReport:
        total = sample_total(currency)
        line = LineItem(
            categories=goods,
            quantity=1,
            amount=total,
            total=total,
            commission=commission,
        )
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
            order_total=total,
            lines=(line,),
        )


def currencies_of(
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


def _amounts(
    earned: dict[str, int], currency: str, *, of: str = "order_total"
) -> list[Amount]:
    per = sample_total(currency)
    return [Amount(unit, n, per, currency, of) for unit, n in earned.items() if n > 0]
