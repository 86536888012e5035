"""The brands of the sandbox: the demo stores, with rates and terms, and a few odd ones.

What they pay is made up, and always the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from urllib.parse import urlsplit

from rewards import demo
from rewards.demo import Store

DAY = 24 * 60  # minutes
NO_BANNER = "Banner images are not supported for this merchant."
# Of an affiliate network: links may lead through it to any of the brands.
TRACKING_HOST = "go.affiliate.example"
GIFT_CARD = "Gift card"
SUBSCRIPTION = "Coffee subscription"
# A made-up price in each currency, so that nothing looks converted.
PRICES = {"GBP": "0.8", "JPY": "1.5"}


@dataclass(frozen=True, slots=True)
class Goods:
    """Something to buy. ``price`` is in cents; other currencies follow from it."""

    name: str
    price: int
    category: str


@dataclass(frozen=True, slots=True)
class Rate:
    """What a brand pays for a kind of goods.

    Either ``percent`` of the price, or ``fixed`` minor units of ``currency`` for each
    piece, whatever it costs. An empty category holds for everything else.
    """

    id: str
    category: str = ""
    percent: str = ""
    fixed: str = ""
    currency: str = ""
    kind: str = "Category"
    tag: str = ""
    label: str = ""

    def commission(self, price: int, *, quantity: int = 1) -> int:
        """Minor units for a line, rounded towards zero."""
        if self.fixed:
            above, below = ratio(self.fixed)
            worth = quantity * above * 100 // below
        else:
            above, below = ratio(self.percent)
            worth = abs(price) * quantity * above // (below * 100)
        return worth if price >= 0 else -worth


@cache
def ratio(decimal: str) -> tuple[int, int]:
    """A decimal's exact numerator and denominator: "4.5" is 9/2."""
    return Decimal(decimal).as_integer_ratio()


@dataclass(frozen=True, slots=True)
class Brand:
    """One store as the network knows it. ``status`` is that of the partnership."""

    store: Store
    rates: Sequence[Rate]
    finalization_minutes: int = 30 * DAY
    reporting_days: int = 1
    description: str = ""
    exclusions: str = ""
    other_terms: str | None = None
    coupons: bool = True
    gift_cards: bool = False
    live: bool = True
    status: str = "approved"
    icon_url: str = ""
    subdomain: str | None = None
    extra: Mapping[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.store.external_id

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def hosts(self) -> list[str]:
        host = f"{self.store.host}.example"
        return [host, f"www.{host}", f"m.{host}"]

    @property
    def goods(self) -> list[Goods]:
        store = self.store
        named = [
            Goods(n, price, store.category_of(n)) for n, price in store.goods.items()
        ]
        extra = [Goods(n, price, n.upper()) for n, price in self.extra.items()]
        return [*named, *extra]

    def rate(self, category: str, *, currency: str) -> Rate:
        """The rate for goods of a category, in a currency."""
        fitting = [
            rate
            for rate in self.rates
            if rate.category in {category, ""} and rate.currency in {currency, ""}
        ]
        return next((rate for rate in fitting if rate.category), fitting[-1])

    def covers(self, host: str) -> bool:
        home = f"{self.store.host}.example"
        return host == home or host.endswith(f".{home}")


def price_in(currency: str, cents: int) -> int:
    above, below = ratio(PRICES.get(currency, "1"))
    return cents * above // below


def _rates(store: Store, *, default: str, own: str, tag: str = "") -> list[Rate]:
    """Its own goods at one rate, everything else at another, nothing for gift cards."""
    tail = store.external_id.removeprefix("org-")[:8]
    title = store.category.title()
    return [
        Rate(f"offer-{tail}01", store.category, own, tag=tag, label=title),
        Rate(
            f"offer-{tail}02",
            GIFT_CARD.upper(),
            "0",
            kind="Exclusion",
            label="Gift cards",
        ),
        Rate(f"offer-{tail}03", percent=default, kind="Default", label="All else"),
    ]


def _brands() -> Iterator[Brand]:
    books, garden, outdoor, coffee, apparel, home, toys = demo.STORES
    yield Brand(
        books,
        _rates(books, default="4", own="8"),
        description="Books, maps and paper goods.",
        exclusions="No commission on gift cards and shipping.",
        icon_url=_icon(books),
        extra={GIFT_CARD: 5000},
    )
    yield Brand(
        garden,
        _rates(garden, default="5", own="8.25"),
        finalization_minutes=45 * DAY,
        description="Plants, pots and seeds.",
        exclusions="No commission on delivery of live plants.",
        coupons=False,
        icon_url=_icon(garden),
        subdomain="fernandfield",
    )
    yield Brand(
        outdoor,
        _rates(outdoor, default="3", own="6.5", tag="Increased rate"),
        finalization_minutes=60 * DAY,
        reporting_days=2,
        description="Clothes and gear for bad weather.",
        icon_url=_icon(outdoor),
        extra={GIFT_CARD: 2500},
    )
    yield Brand(
        coffee,
        [
            Rate(
                "offer-c0ffee04",
                SUBSCRIPTION.upper(),
                fixed="3.50",
                currency="USD",
                kind="Product",
                label=SUBSCRIPTION,
            ),
            *_rates(coffee, default="4.5", own="9"),
        ],
        finalization_minutes=21 * DAY,
        description="Beans, kettles and cups.",
        other_terms="Subscriptions pay once, with their first delivery.",
        icon_url=_icon(coffee),
        extra={SUBSCRIPTION: 3600},
    )
    yield from _more_brands(apparel, home, toys)
    yield from _odd_brands()


def _more_brands(apparel: Store, home: Store, toys: Store) -> Iterator[Brand]:
    yield Brand(
        apparel,
        _rates(apparel, default="6", own="10.125"),
        finalization_minutes=60 * DAY,
        description="Clothes made to be mended.",
        gift_cards=True,
        icon_url=NO_BANNER,  # seen in real data: a sentence where a URL should be
    )
    yield Brand(
        home,
        _rates(home, default="2.5", own="7"),
        finalization_minutes=45 * DAY,
        reporting_days=3,
        description="Lamps, linen and candles.",
        icon_url=_icon(home),
    )
    yield Brand(
        toys,
        _rates(toys, default="5", own="12"),
        description="Wooden toys and kites.",
        icon_url=_icon(toys),
    )


def _odd_brands() -> Iterator[Brand]:
    swim = Store("Saltmarsh Swim", "saltmarshswim", "SWIM", {"Goggles": 2900})
    yield Brand(
        swim,
        _rates(swim, default="4", own="7"),
        description="Opens soon.",
        live=False,
        icon_url=_icon(swim),
    )
    cycles = Store("Brightwater Cycles", "brightwater", "CYCLES", {"Bell": 1900})
    yield Brand(
        cycles,
        _rates(cycles, default="2", own="3"),
        description="A brand that has not approved us.",
        status="available",
        icon_url=_icon(cycles),
    )


def _icon(store: Store) -> str:
    return f"https://img.{store.host}.example/icon.png"


BRANDS: dict[str, Brand] = {brand.id: brand for brand in _brands()}
PARTNERS = [brand for brand in BRANDS.values() if brand.status == "approved"]
LIVE = [brand for brand in PARTNERS if brand.live]


def brand_of(name: str) -> Brand:
    """A brand by its id, or by its name. Raises KeyError."""
    if name in BRANDS:
        return BRANDS[name]
    return next((b for b in BRANDS.values() if b.name == name), None) or BRANDS[name]


def brand_at(url: str) -> Brand | None:
    """The brand whose shop a URL leads to."""
    host = urlsplit(url).hostname or ""
    return next((brand for brand in BRANDS.values() if brand.covers(host)), None)
