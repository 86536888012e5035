"""Changing, deleting or doubling one row, and what a check may call it by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from json import dumps, loads
from random import Random
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import IntegrityError, models
from django.db.models import Max

from rewards import vault
from rewards.models import Adjustment, Bulk, Close, Draw, Lot, PayoutDetails

DELETED, TWICE = "deleted", "twice"
Model = type[models.Model]

# Whose a row is: its purchase, then members, as far as it has any.
OWNERS: dict[str, tuple[str, ...]] = {
    "Transfer": ("purchase_id", "from_account__member_id", "to_account__member_id"),
    "Account": ("", "member_id"),
    "Lot": ("purchase_id", "account__member_id"),
    "Draw": ("lot__purchase_id", "lot__account__member_id"),
    "Award": ("settlement__purchase_id",),
    "Settlement": ("purchase_id",),
    "Purchase": ("id",),
    "Report": ("purchase_id",),
    "Decision": ("purchase_id",),
    "Redemption": ("", "member_id"),
    "RedemptionStep": ("", "redemption__member_id"),
    "Adjustment": ("", "member_id"),
    "GiftCode": ("", "redemption__member_id"),
    "PayoutDetails": ("", "member_id"),
    "InboundEvent": ("purchase_id",),
}
# Times that nothing repeats to the second: only what came before and after is known.
LOOSE = {
    ("RedemptionStep", "taken_at"),
    ("Edition", "published_at"),
    ("Close", "drawn_up_at"),
    ("Close", "signed_at"),
}
FAR = timedelta(days=400)
UNDER_WAY = ("applying", "undoing")  # a worker finds nothing to do, and ends it
SEALED = ("sealed", "payout")
# What another row of the same kind may not share.
OWN: dict[str, Any] = {
    "digest": b"another",
    "key": "another",
    "reference": "1.9",
    "order_key": "order-2",
    "public_id": "rdm-2",
    "number": 1_000,
    "line": 1_000,
    "rule": "rule-2",
    "redemption_id": None,
}


@dataclass(frozen=True)
class Corruption:
    """What was done, and by what a check may name it."""

    table: str
    what: str
    row: str
    names: frozenset[str]
    purchases: frozenset[int] = frozenset()
    members: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return f"{self.table} {self.row} {self.what}"


def model_of(name: str) -> Model:
    return apps.get_model("ingestion" if name == "InboundEvent" else "rewards", name)


def corrupt(table: str, what: str, row: int, chance: Random) -> Corruption:
    """Change a column of a row, delete it or put it twice, past every rule."""
    model = model_of(table)
    own = model._default_manager.filter(pk=row)
    done = about([own.get()], what)
    if what == DELETED:
        delete(own)
    elif what == TWICE:
        return replace(done, names=done.names | {f"#{_put_twice(own.get())}"})
    else:
        _change(own, model._meta.get_field(what), chance)
    return done


def about(rows: Sequence[models.Model], what: str, *names: str) -> Corruption:
    """What is done to these rows, and by which words checks may call them."""
    owners = [_owners(row) for row in rows]
    called = {name for row in rows for name in _called(row)}
    return Corruption(
        type(rows[0]).__name__,
        what,
        ", ".join(f"#{row.pk}" for row in rows),
        frozenset({*called, *names}),
        frozenset(purchase for purchase, _ in owners if purchase),
        frozenset(id for _, members in owners for id in members if id),
    )


def delete(rows: models.QuerySet[Any]) -> None:
    """Delete these rows alone, whatever names them."""
    rows._raw_delete(rows.db)


def _owners(row: models.Model) -> tuple[int | None, Sequence[int | None]]:
    """The purchase and the members that a row is about."""
    purchase, *members = OWNERS.get(type(row).__name__, ("",))
    own = type(row)._default_manager.filter(pk=row.pk)
    return (
        own.values_list(purchase, flat=True).get() if purchase else None,
        own.values_list(*members).get() if members else (),
    )


def _called(row: Any) -> Iterator[str]:
    yield f"#{row.pk}"
    if isinstance(row, Close):
        yield str(row.day)
        yield str(row.day + timedelta(days=1))  # whose seal has this day's in it
    if isinstance(row, PayoutDetails):
        yield f"details {row.pk}"
    if isinstance(row, Adjustment) and row.bulk_id:
        yield f"#{row.bulk_id}"
    if isinstance(row, Bulk):
        yield from (f"#{line.pk}" for line in row.adjustments.all())


def _put_twice(row: Any) -> int:
    """The same row again, with what has to be its own; its id."""
    manager, meta = type(row)._default_manager, row._meta
    unique = {field.attname for field in meta.concrete_fields if field.unique}
    for constraint in meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            unique |= {meta.get_field(name).attname for name in constraint.fields}
    for name in unique & OWN.keys():
        if isinstance(getattr(row, name), UUID):
            setattr(row, name, None)
        elif getattr(row, name) is not None:
            setattr(row, name, OWN[name])
    if isinstance(row, Draw):
        row.lot_id = Lot.objects.aggregate(last=Max("pk"))["last"]
    row.pk = manager.aggregate(last=Max("pk"))["last"] + 1
    row.save(force_insert=True)
    return row.pk


def _change(own: models.QuerySet[Any], field: Any, chance: Random) -> None:
    """Another value that could stand there, or the nearest that the table takes."""
    name = field.attname
    value = own.values_list(name, flat=True).get()
    for other in _others(field, value, chance):
        try:
            own.update(**{name: other})
        except IntegrityError:
            continue
        return
    raise AssertionError(f"{field} takes no other value than {value!r}")


def _others(field: Any, value: Any, chance: Random) -> Iterator[Any]:
    if field.choices:
        without = (value, *(UNDER_WAY if field.model is Bulk else ()))
        choices = [choice for choice, _ in field.choices if choice not in without]
        chance.shuffle(choices)
        yield from choices
    elif isinstance(field, models.BooleanField):
        yield not value
    elif isinstance(field, models.DateField):
        yield from _other_times(field, value, chance)
    elif isinstance(field, models.JSONField):
        text = dumps(value)
        yield loads(text.replace('"1"', '"3"', 1)) if '"1"' in text else {"x": [1]}
    elif isinstance(field, models.BinaryField):
        yield _another_secret(field, value)
    elif isinstance(field, models.CharField | models.TextField):
        yield f"{value}x"[-(field.max_length or 1_000) :]
    elif value is None:
        yield from range(1, 60)
    else:
        yield from (value + n for n in (1, -1, *range(2, 60)))


def _other_times(field: Any, value: Any, chance: Random) -> Iterator[datetime | date]:
    if value is None:
        yield datetime.now(UTC) - timedelta(days=3)
    elif (field.model.__name__, field.attname) in LOOSE:
        yield value - FAR
    else:
        near = [value - timedelta(days=2), value + timedelta(days=1)]
        yield from (*chance.sample(near, 2), value - FAR)


def _another_secret(field: Any, value: Any) -> bytes:
    if field.attname in SEALED:
        return vault.seal("somebody else's")
    found = bytes(value)
    return bytes([found[0] ^ 1]) + found[1:]
