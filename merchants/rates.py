"""What stores pay us, kept so that the rate of any past day can be told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from merchants import cleaning
from merchants.currencies import EXPONENTS
from merchants.models import CatalogueSync, Merchant, Offer

BATCH = 500  # one statement's work grows with the square of it
MOST = 500
"""Rates that are kept of one store: more than any store has goods to tell apart."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a store pays us: percent of the order, or minor units of a currency.

    ``percent`` is an exact decimal as text, without trailing zeros: "4.5". Whatever
    an exclusion has there, it is 0 percent.
    """

    external_id: str
    kind: str = Offer.Kind.DEFAULT.value
    label: str = ""
    tag: str = ""
    percent: str = ""
    fixed: int | None = None
    currency: str = ""
    rank: int | None = None

    @property
    def amount(self) -> str:
        """In words, such as 4.5 %."""
        if self.percent:
            return f"{self.percent} %"
        major = Decimal(self.fixed or 0).scaleb(-EXPONENTS.get(self.currency, 0))
        return f"{major} {self.currency}"

    def __str__(self) -> str:
        return f"{self.label}: {self.amount}" if self.label else self.amount


def rates_at(merchant: Merchant, at: datetime) -> QuerySet[Offer]:
    """The rates of a store that held at an instant, best first."""
    held = Offer.objects.filter(Q(until=None) | Q(until__gt=at), since__lte=at)
    return held.filter(merchant=merchant).order_by(F("rank").asc(nulls_last=True), "pk")


@transaction.atomic
def sync_rates(
    rates: Mapping[str, Sequence[Rate]],
    *,
    network: str,
    at: datetime,
    source: str = "offers",
    remarks: Iterable[str] = (),
    accept_shrunk: bool = False,
) -> CatalogueSync:
    """Make these the rates that hold, by the stores' ids at the network.

    A rate that changed or is gone ends now, and what replaces it begins now. Where
    more than half of the stores would lose their last rate, those keep what they
    had, and the sync has an error, unless ``accept_shrunk``.
    """
    remarks = list(remarks)
    stores = dict(
        Merchant.objects.filter(network=network).values_list("external_id", "pk")
    )
    said = _cleaned(rates, stores, remarks)
    held = _held(network)
    without = {store for store in held if not said.get(store)}
    error = ""
    believable = cleaning.is_believable(len(without), of=len(held))
    if not (believable or accept_shrunk):
        error = f"Without rates: {len(without)} of {len(held)} stores. Theirs are kept."
        held = {store: offers for store, offers in held.items() if store not in without}
    return CatalogueSync.objects.create(
        network=network,
        synced_at=at,
        source=source,
        stores=len(said),
        changes=cleaning.storable(_replace(held, said, stores, at=at)),
        remarks=cleaning.remarks(remarks),
        error=error,
    )


def _held(network: str) -> dict[str, dict[str, Offer]]:
    """The rates that hold now, by store and by their own ids."""
    held: dict[str, dict[str, Offer]] = {}
    current = Offer.objects.filter(merchant__network=network, until=None)
    for offer in current.select_related("merchant").order_by("pk"):
        held.setdefault(offer.merchant.external_id, {})[offer.external_id] = offer
    return held


def _cleaned(
    rates: Mapping[str, Sequence[Rate]], stores: Mapping[str, int], remarks: list[str]
) -> dict[str, dict[str, Rate]]:
    said: dict[str, dict[str, Rate]] = {}
    for store, its_rates in rates.items():
        if store not in stores:
            remarks.append(f"{store} has rates, and is not in the catalogue.")
            continue
        said[store] = {}
        if len(its_rates) > MOST:
            remarks.append(f"{store} has {len(its_rates)} rates: {MOST} are kept.")
        for rate in its_rates[:MOST]:
            if rate.external_id in said[store]:
                remarks.append(f"{store}: {rate.external_id} is there twice.")
            else:
                said[store][rate.external_id] = _cleaned_rate(rate)
    return said


def _cleaned_rate(rate: Rate) -> Rate:
    rate = replace(
        rate,
        label=cleaning.text(rate.label, most=400),
        tag=cleaning.text(rate.tag, most=100),
    )
    if rate.kind == Offer.Kind.EXCLUSION:
        return replace(rate, percent="0", fixed=None, currency="")
    return rate


def _replace(
    held: Mapping[str, Mapping[str, Offer]],
    said: Mapping[str, Mapping[str, Rate]],
    stores: Mapping[str, int],
    *,
    at: datetime,
) -> list[dict[str, Any]]:
    """End what holds no longer, begin what is new; the changes, for people."""
    ended, opened, reranked, changes = [], [], [], []
    for store in sorted(held.keys() | said.keys()):
        offers, rates = held.get(store, {}), said.get(store, {})
        for id in sorted(offers.keys() | rates.keys()):
            offer, rate = offers.get(id), rates.get(id)
            before = rate_of(offer) if offer else None
            if offer and before and rate and replace(before, rank=rate.rank) == rate:
                if offer.rank != rate.rank:  # the order on a page, no other promise
                    offer.rank = rate.rank
                    reranked.append(offer)
                continue
            if offer:
                ended.append(offer.pk)
            if rate:
                opened.append(
                    Offer(merchant_id=stores[store], since=at, **asdict(rate))
                )
            changes.append(_change(store, before, rate))
    Offer.objects.filter(pk__in=ended, until=None).update(until=at)
    Offer.objects.bulk_update(reranked, ["rank"], batch_size=BATCH)
    Offer.objects.bulk_create(opened)
    return changes


def rate_of(offer: Offer) -> Rate:
    """What such a row says, without when it held."""
    return Rate(**{name: getattr(offer, name) for name in Rate.__slots__})


def _change(store: str, before: Rate | None, after: Rate | None) -> dict[str, Any]:
    return {
        "merchant": store,
        "field": "rate",
        "before": str(before) if before else None,
        "after": str(after) if after else None,
    }
