"""Stores with rates, for tests of what they promise."""

from typing import Any

from merchants.models import Merchant, Offer
from tests.builders import NOW, make_merchant


def make_offer(merchant: Merchant, percent: str = "", **changes: Any) -> Offer:
    """A rate that holds now: a percentage, or ``fixed`` with its ``currency``."""
    values = {
        "external_id": f"offer-{merchant.offers.count()}",
        "kind": "default",
        "percent": percent,
        "since": NOW,
        "rank": merchant.offers.count(),
    }
    return Offer.objects.create(merchant=merchant, **{**values, **changes})


def make_stores(number: int) -> list[Merchant]:
    """So many stores with two rates each."""
    stores = [
        make_merchant(
            f"Store {n:03}", external_id=f"org-{n}", hosts=[f"store{n}.example"]
        )
        for n in range(number)
    ]
    for store in stores:
        make_offer(store, "8", kind="category", label="Lamps")
        make_offer(store, "4")
    return stores
