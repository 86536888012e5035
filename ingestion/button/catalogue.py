"""Button's stores and rates, in our words.

Nothing here is identity or money that was earned, so a mistake in one field costs that
field, a mistake in what names a store or a rate costs that row, and each is remarked
upon for staff. Absent means that nothing is said.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from merchants.catalogue import Brand, Rate
from merchants.currencies import EXPONENTS
from merchants.models import Offer

MOST = 2**31 - 1
# U+FFFD stands where a character got lost, and some id may be the same but for that.
ID = re.compile(r"[^\x00-\x20\x7f-\x9f\ud800-\udfff\ufffd]{1,255}")
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)
ABSENT = object()
KINDS = {kind.value: kind for kind in Offer.Kind}

Rows = Iterable[Any]
Remarks = list[str]


def read_brands(rows: Rows, remarks: Remarks) -> list[Brand]:
    """Stores in the form of the Brands API."""
    return [_brand(row) for row in _named(rows, "id", remarks)]


def read_merchants(rows: Rows, remarks: Remarks) -> list[Brand]:
    """Stores in the form of the older Merchants API, which says less of them."""
    return [_merchant(row) for row in _named(rows, "id", remarks)]


def read_rates(rows: Rows, remarks: Remarks) -> dict[str, list[Rate]]:
    """Rates by store, from the rows of the Offers API."""
    rates: dict[str, list[Rate]] = {}
    for row in _named(rows, "merchant_id", remarks):
        best = row.text("best_offer_id")
        offers = _named(row.items("offers"), "id", remarks, within=row.id)
        read = (_rate(offer, best=best) for offer in offers)
        rates.setdefault(row.id, []).extend(rate for rate in read if rate)
    return rates


class _Row:
    """One object of an answer; what has another type than documented is remarked."""

    def __init__(self, row: Mapping[str, Any], id: str, name: str, remarks: Remarks):
        self.id = id
        self._row = row
        self._name = name
        self._remarks = remarks

    def remark(self, what: str) -> None:
        self._remarks.append(f"{self._name}: {what}")

    def raw(self, path: str, absent: object = None) -> Any:
        """What stands there, whatever it is."""
        value: Any = self._row
        for key in path.split("."):
            value = value.get(key, absent) if isinstance(value, dict) else absent
        return value

    def value(self, path: str, kind: type, wanted: str) -> Any:
        """What stands there; None where it is absent, null or of another type."""
        value = self.raw(path)
        if value is None or type(value) is kind:
            return value
        self.remark(f"{path} is no {wanted}.")
        return None

    def text(self, path: str) -> str | None:
        """Text; a null says that there is none."""
        if self.raw(path, absent=ABSENT) is None:
            return ""
        value: str | None = self.value(path, str, "text")
        return value

    def flag(self, path: str) -> bool | None:
        value: bool | None = self.value(path, bool, "yes or no")
        return value

    def count(self, path: str) -> int | None:
        value: int | None = self.value(path, int, "whole number")
        if value is not None and not 0 <= value <= MOST:
            self.remark(f"{path} is {value}, which can't be.")
            return None
        return value

    def items(self, path: str) -> Sequence[Any]:
        return self.value(path, list, "list") or ()

    def words(self, path: str) -> list[str] | None:
        """A list of text; a null says that there is none."""
        if self.raw(path, absent=ABSENT) is ABSENT:
            return None
        values = self.items(path)
        words = [value for value in values if isinstance(value, str)]
        if len(words) < len(values):
            self.remark(f"{path} has something else than text.")
        return words


def _named(
    rows: Rows, key: str, remarks: Remarks, *, within: str = ""
) -> Iterable[_Row]:
    """The rows that say which store or rate they are about."""
    for row in rows:
        id = row.get(key) if isinstance(row, dict) else None
        if isinstance(id, str) and ID.fullmatch(id):
            name = f"{within} {id}".strip()
            if isinstance(row.get("name"), str):
                name = f"{row['name'][:100]} ({id})"
            yield _Row(row, id, name, remarks)
        else:
            place = f" of {within}" if within else ""
            remarks.append(f"A row{place} has no {key} and is left out.")


def _brand(row: _Row) -> Brand:
    terms = "terms_and_conditions"
    return Brand(
        external_id=row.id,
        name=row.text("name"),
        description=row.text("description"),
        homepage_url=row.text("urls.homepage"),
        icon_url=row.text("icon_url"),
        hosts=row.words("supported_hostnames"),
        live=row.flag("is_live_ready"),
        reporting_days=row.count(f"{terms}.reporting_window_days"),
        finalization_minutes=row.count(f"{terms}.finalization_window_minutes"),
        coupons_allowed=row.flag(f"{terms}.coupons_allowed"),
        gift_cards_allowed=row.flag(f"{terms}.gift_cards_allowed"),
        exclusions=row.text(f"{terms}.exclusion_details"),
        # The sample and the table of fields disagree about its name.
        other_terms=_first(
            row.text(f"{terms}.additional_terms"), row.text(f"{terms}.other_terms")
        ),
    )


def _merchant(row: _Row) -> Brand:
    status = row.text("status")
    return Brand(
        external_id=row.id,
        name=row.text("name"),
        description=row.text("metadata.description"),
        homepage_url=row.text("urls.homepage"),
        icon_url=row.text("metadata.icon_url"),
        categories=row.words("categories"),
        live=status is None or status.casefold() == "approved",
        exclusions=row.text("exclusion_details"),
        other_terms=row.text("additional_terms"),
    )


def _first(*texts: str | None) -> str | None:
    """The first that says something; empty where one says that there is nothing."""
    return next(filter(None, texts), next((t for t in texts if t is not None), None))


def _rate(row: _Row, *, best: str | None) -> Rate | None:
    kind = _kind(row)
    amounts = {"percent": "0"} if kind == Offer.Kind.EXCLUSION else _amounts(row)
    if amounts is None:
        return None
    return Rate(
        external_id=row.id,
        kind=kind.value,
        label=row.text("display_params.category") or "",
        tag=row.text("display_params.offer_tag") or "",
        rank=row.count("rank") or (1 if best == row.id else None),
        **amounts,
    )


def _kind(row: _Row) -> Offer.Kind:
    said = row.text("display_params.offer_type")
    label = row.text("display_params.category")
    if not said:
        return Offer.Kind.CATEGORY if label else Offer.Kind.DEFAULT
    if kind := KINDS.get(said.strip().casefold()):
        return kind
    row.remark(f"the type “{said[:60]}” is unknown: it is kept as a category.")
    return Offer.Kind.CATEGORY


def _amounts(row: _Row) -> dict[str, Any] | None:
    """Percent or fixed; None, and a remark, where that can't be told."""
    percent, fixed = row.text("rate_percent"), row.text("rate_fixed")
    if bool(percent) == bool(fixed):
        row.remark("it has both rates or none, and is left out.")
        return None
    if percent:
        value = _decimal(percent)
        if value is None or value > 100:
            row.remark(f"rate_percent “{percent[:40]}” is no percentage; left out.")
            return None
        return {"percent": _plain(value)}
    return _fixed(row, fixed or "", (row.text("currency") or "").strip().upper())


def _fixed(row: _Row, amount: str, currency: str) -> dict[str, Any] | None:
    """Major units as text to minor units of that currency."""
    value, exponent = _decimal(amount), EXPONENTS.get(currency)
    minor = None
    if value is not None and exponent is not None:
        minor = value.scaleb(exponent)
    if minor is None or minor != int(minor):
        row.remark(f"rate_fixed “{amount[:40]} {currency[:8]}” is no sum; left out.")
        return None
    return {"fixed": int(minor), "currency": currency}


def _decimal(text: str) -> Decimal | None:
    text = text.strip()
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def _plain(value: Decimal) -> str:
    """Digits alone, without trailing zeros and never with an exponent."""
    return f"{value.normalize():f}"
