"""What a program meets: stores, accounts, budgets used, and the latest real orders."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property

from django.db.models import Q
from django.utils.translation import gettext as _

from merchants.models import Merchant, Offer
from rewards.linting.finding import listed
from rewards.models import Budget, NetworkAccount, Purchase
from rewards.program.facts import Facts
from rewards.program.vocabulary import Rule
from rewards.reports import DECLINED
from rewards.settling.evaluations import facts_of

MOST_ORDERS = 500


@dataclass(frozen=True)
class Store:
    """A merchant: what it is called, and the best percentage that it pays us."""

    name: str
    categories: Collection[str] = ()
    listed: bool = True
    percent: Fraction | None = None


@dataclass(frozen=True)
class World:
    """What the database knows at an instant.

    ``stores`` are by their id at the network. ``accounts`` has the currency of each
    network account, ``used`` the smallest steps granted by rule key and unit code,
    ``orders`` the latest ones that were evaluated and not declined, by order key.
    """

    at: datetime
    stores: Mapping[str, Store] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[tuple[str, str], int] = field(default_factory=dict)
    orders: Sequence[tuple[str, Facts]] = ()

    def places(self, rule: Rule) -> frozenset[str] | None:
        """The stores at which a rule can hold; None: at every store."""
        when = rule.when
        if not when.merchant_categories:
            return frozenset(when.merchants) or None
        found = frozenset[str]().union(
            *(self._by_category.get(name, ()) for name in when.merchant_categories)
        )
        return found & frozenset(when.merchants) if when.merchants else found

    @cached_property
    def _by_category(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for id, store in self.stores.items():
            for category in store.categories:
                found.setdefault(category, set()).add(id)
        return found

    def named(self, places: Collection[str] | None) -> str:
        """Stores for people: the first few by name, and how many more."""
        if places is None:
            return _("every store")
        return listed([self.name(id) for id in sorted(places)])

    def name(self, id: str) -> str:
        return self.stores[id].name if id in self.stores else id


def look(at: datetime) -> World:
    """The world as it is, by a constant number of queries."""
    accounts = NetworkAccount.objects.values_list("external_id", "currency")
    budgets = Budget.objects.values_list("rule", "unit__code", "used")
    return World(
        at=at,
        stores=_stores(),
        accounts=dict(accounts),
        used={(rule, unit): used for rule, unit, used in budgets},
        orders=list(_orders()),
    )


def _stores() -> dict[str, Store]:
    best = _best_percents()
    rows = Merchant.objects.only(
        "external_id", "name", "own_name", "categories", "listed"
    )
    return {
        m.external_id: Store(str(m), m.categories, m.listed, best.get(m.pk))
        for m in rows.order_by()
    }


def _best_percents() -> dict[int, Fraction]:
    best: dict[int, Fraction] = {}
    rates = Offer.objects.filter(until=None).exclude(percent="").order_by()
    for merchant, percent in rates.values_list("merchant_id", "percent"):
        best[merchant] = max(Fraction(percent), best.get(merchant, Fraction()))
    return best


def _orders() -> Iterator[tuple[str, Facts]]:
    evaluated = Q(settlement__report__isnull=False) & ~Q(status=DECLINED)
    latest = Purchase.objects.filter(evaluated).select_related(
        "settlement__report", "settlement__member"
    )
    for purchase in latest.order_by("-pk")[:MOST_ORDERS]:
        if purchase.settlement:
            yield purchase.order_key, facts_of(purchase.settlement)
