"""The catalogue as a network tells it, and what a new telling of it changes.

Only what the network says is written here; what staff say stands in columns of its
own. A store that vanishes is delisted, never deleted, and comes back when it returns.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from merchants import cleaning
from merchants.models import CatalogueSync, Merchant
from merchants.rates import Rate, rates_at, sync_rates

__all__ = ["Brand", "Rate", "rates_at", "sync", "sync_rates"]


@dataclass(frozen=True, slots=True)
class Brand:
    """What a network says of one store; None where it says nothing, and all stays."""

    external_id: str
    name: str | None = None
    description: str | None = None
    homepage_url: str | None = None
    icon_url: str | None = None
    hosts: Sequence[str] | None = None
    categories: Sequence[str] | None = None
    live: bool | None = None
    reporting_days: int | None = None
    finalization_minutes: int | None = None
    coupons_allowed: bool | None = None
    gift_cards_allowed: bool | None = None
    exclusions: str | None = None
    other_terms: str | None = None


SYNCED = tuple(field.name for field in fields(Brand) if field.name != "external_id")
_LONGEST = {
    "name": 200,
    "description": 20_000,
    "exclusions": 20_000,
    "other_terms": 20_000,
}
_MOST = {"hosts": 200, "categories": 50}
_ADDRESSES = {"homepage_url": ("https:", "http:"), "icon_url": ("https:",)}

BATCH = 100  # one statement's work grows with the square of it

Change = dict[str, Any]
"""{merchant (id at the network), field, before, after}."""


@transaction.atomic
def sync(
    brands: Iterable[Brand],
    *,
    network: str,
    source: str,
    at: datetime,
    remarks: Iterable[str] = (),
    accept_shrunk: bool = False,
) -> CatalogueSync:
    """Make the catalogue say what these brands say, and record what that changed.

    Where more than half of the stores would vanish at once the answer is taken for a
    broken one: none of them is delisted, and the sync has an error, unless
    ``accept_shrunk``. ``remarks`` are mistakes that were found on the way here. Text
    and lists beyond all reason are cut, which is remarked upon: pages show them.
    """
    remarks = list(remarks)
    said = _cleaned(brands, remarks)
    known = {m.external_id: m for m in Merchant.objects.filter(network=network)}
    present = [m for m in known.values() if m.synced_at and not m.gone_at]
    vanished = [m for m in present if m.external_id not in said]
    error = ""
    believable = cleaning.is_believable(len(vanished), of=len(present))
    if not (believable or accept_shrunk):
        error = f"Missing: {len(vanished)} of {len(present)} stores. All are kept."
        vanished = []
    slugs = _Slugs()
    new = {id: values for id, values in said.items() if id not in known}
    changes = [
        *_update([known[id] for id in said if id in known], said, slugs, at=at),
        *_create(new, slugs, network=network, at=at),
        *_delist(vanished, at=at),
    ]
    return CatalogueSync.objects.create(
        network=network,
        synced_at=at,
        source=source,
        stores=len(said),
        changes=cleaning.storable(changes),
        remarks=cleaning.remarks(remarks),
        error=error,
    )


def _cleaned(brands: Iterable[Brand], remarks: list[str]) -> dict[str, dict[str, Any]]:
    """What is said of each store, by its id, ready for its columns."""
    said: dict[str, dict[str, Any]] = {}
    for brand in brands:
        if brand.external_id in said:
            remarks.append(
                f"{brand.external_id} is there twice: its first entry counts."
            )
        else:
            said[brand.external_id] = _cleaned_fields(brand, remarks)
    return said


def _cleaned_fields(brand: Brand, remarks: list[str]) -> dict[str, Any]:
    said = {name: getattr(brand, name) for name in SYNCED}
    said = {name: value for name, value in said.items() if value is not None}
    store = f"{(brand.name or '')[:100]} ({brand.external_id})".strip()
    remarks += [f"{store}: {what}" for what in _cut(said)]
    for name in sorted(_ADDRESSES.keys() & said.keys()):
        try:
            said[name] = cleaning.web_address(said[name], schemes=_ADDRESSES[name])
        except ValueError:
            remarks.append(f"{store}: {name} is no address: “{said[name][:100]}”.")
            said[name] = ""
    if "hosts" in said:
        said["hosts"], bad = cleaning.host_names(said["hosts"])
        remarks += [
            f"{store}: hosts has “{host[:100]}”, which is none." for host in bad
        ]
    if "categories" in said:
        said["categories"] = [cleaning.text(c, most=100) for c in said["categories"]]
    if not said.get("name"):
        said.pop("name", None)  # a store doesn't lose its name
    return said


def _cut(said: dict[str, Any]) -> Iterator[str]:
    """Clean texts, and cut what is too long; yields a remark on each that was."""
    for name, most in _LONGEST.items():
        if name in said:
            whole = cleaning.text(said[name])
            said[name] = cleaning.text(whole, most=most)
            if len(whole) > most:
                yield f"{name} is cut to {most} characters of {len(whole)}."
    for name, most in _MOST.items():
        if (there := len(said.get(name, ()))) > most:
            said[name] = said[name][:most]
            yield f"{name} has {there} entries: the first {most} are kept."


def _update(
    merchants: Sequence[Merchant],
    said: dict[str, dict[str, Any]],
    slugs: "_Slugs",
    *,
    at: datetime,
) -> list[Change]:
    changes, changed, names = [], set(), set()
    for merchant in merchants:
        for name, after in {**said[merchant.external_id], "gone_at": None}.items():
            if (before := getattr(merchant, name)) != after:
                changes.append(_change(merchant, name, before, after))
                setattr(merchant, name, after)
                changed.add(merchant)
                names.add(name)
        if not merchant.slug:
            merchant.slug = slugs.free_for(merchant)
            changed.add(merchant)
            names.add("slug")
    if changed:
        Merchant.objects.bulk_update(changed, sorted(names), batch_size=BATCH)
    seen = [merchant.pk for merchant in merchants]
    Merchant.objects.filter(pk__in=seen).update(synced_at=at)
    return changes


def _create(
    said: dict[str, dict[str, Any]], slugs: "_Slugs", *, network: str, at: datetime
) -> list[Change]:
    merchants = [
        Merchant(network=network, external_id=external_id, synced_at=at, **values)
        for external_id, values in said.items()
    ]
    for merchant in merchants:
        merchant.slug = slugs.free_for(merchant)
    # An order may have brought one of them meanwhile: the next sync completes it.
    Merchant.objects.bulk_create(merchants, ignore_conflicts=True)
    return [_change(m, "created", None, m.name) for m in merchants]


def _delist(merchants: Sequence[Merchant], *, at: datetime) -> list[Change]:
    gone = [merchant.pk for merchant in merchants]
    Merchant.objects.filter(pk__in=gone).update(gone_at=at)
    return [_change(merchant, "gone_at", None, at) for merchant in merchants]


def _change(merchant: Merchant, field: str, before: Any, after: Any) -> Change:
    return {
        "merchant": merchant.external_id,
        "field": field,
        "before": _plain(before),
        "after": _plain(after),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


class _Slugs:
    """Short names that no store has yet, for many stores at once."""

    def __init__(self) -> None:
        self._taken = set(Merchant.objects.values_list("slug", flat=True))
        self._next: dict[str, int] = {}  # by name, so that no number is tried twice

    def free_for(self, merchant: Merchant) -> str:
        """The name as a slug; where another store has it, with a number."""
        tail = slugify(merchant.external_id)[-12:]
        base = slugify(merchant.own_name or merchant.name)[:100] or f"store-{tail}"
        slug, number = base, self._next.get(base, 2)
        while slug in self._taken:
            slug, number = f"{base}-{number}", number + 1
        self._next[base] = number
        self._taken.add(slug)
        return slug
