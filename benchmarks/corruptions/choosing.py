"""Which corruptions there are: every column of every table, rows, and combinations."""

from collections.abc import Iterator
from functools import partial
from itertools import cycle
from random import Random

from django.db.models import Exists, OuterRef, Q

from benchmarks.corruptions import combining
from benchmarks.corruptions.copies import Copies, past_every_rule
from benchmarks.corruptions.corrupting import (
    DELETED,
    TWICE,
    Corruption,
    corrupt,
    model_of,
)
from rewards.models import Close

# Table, and its columns that no sum, state or proof depends on: words for people, who
# did something and when, how far a job has come, and what only the sender could say.
FREE: dict[str, tuple[str, ...]] = {
    "Transfer": (),
    "Account": (TWICE,),  # the database itself refuses it
    "Lot": ("warned_at",),
    "Draw": (),
    "Award": (),
    "Settlement": (),
    "Purchase": (),
    "Report": ("source", "received_at"),  # their events say the same, if there are any
    "Budget": (),
    "Decision": ("reason", "decided_by_id"),
    "Redemption": (
        *("public_id", "why", "key", "request_digest", "reference", "revealed_at"),
        "counted",
    ),
    "RedemptionStep": ("reason", "taken_by_id"),
    "Adjustment": (
        *("reason", "note", "member_note", "failure", "why_ended", "key", "line"),
        *("asked_by_id", "approved_by_id", "ended_by_id"),
    ),
    "Bulk": (
        *("name", "digest", "reason", "note", "faults", "why_ended", "ended_by_id"),
        *("ended_at", "done", "failed", "last", "held_by", "held_until"),
    ),
    "Edition": ("note", "published_by_id"),
    "Close": ("signed_by_id", "note", TWICE),
    "GiftCode": ("usable_until", "added_by_id", "added_at"),
    "PayoutDetails": ("member_id", "method", "changed_at", DELETED, TWICE),
    "InboundEvent": (
        *("network", "digest", "event_type", "delivery_id", "attempt_id", "body"),
        *("account", "confirmed", "attempts", "claimed_by", "claimed_until"),
        *("outcome", "reason", DELETED, TWICE),
    ),
}
# Columns of the same meaning as another, or of no meaning by themselves.
FREE_EVERYWHERE = ("id",)

_ENDED = Q(status__in=("fulfilled", "cancelled"))
_SETTLED = Q(outcome="settled")
_WEIGHS = Q(reports__isnull=False) | Q(transfers__isnull=False)
_OBEYED = Q(settlements__isnull=False)
_MOVED = Q(state__in=("posted", "undone"))
_OF_A_FILE = Q(bulk__isnull=False)
# Where only some rows leave a trace: of these a row is taken. docs/balances.md says
# what of the others can't be seen.
ONLY: dict[tuple[str, str], Q | Exists] = {
    ("Settlement", DELETED): _WEIGHS,
    ("Settlement", "purchase_id"): _WEIGHS,
    ("Settlement", "settled_at"): Q(transfers__isnull=False),
    ("RedemptionStep", "redemption_id"): _ENDED,
    ("RedemptionStep", "status"): _ENDED,
    ("RedemptionStep", DELETED): _ENDED,
    ("Redemption", "payout"): Q(payout__isnull=False),
    ("Redemption", "payout_hint"): Q(payout__isnull=False),
    ("Edition", "published_at"): Q(number__gt=1),
    ("Purchase", "twin"): Q(twin=False),  # two first ones the database refuses
    **{("Decision", what): _OBEYED for what in ("kind", "account_id", DELETED)},
    ("Decision", "decided_at"): _OBEYED & ~Q(kind__in=("rerun", "undo_rerun")),
    ("Decision", TWICE): Q(kind__in=("assign", "resolve")),
    **{("Adjustment", what): _MOVED for what in ("member_id", "unit_id", "amount")},
    ("Adjustment", "asked_at"): Q(needs_approval=False) | _OF_A_FILE,
    ("Adjustment", "ended_at"): Q(state="undone"),
    ("Adjustment", DELETED): _MOVED | _OF_A_FILE,
    ("Adjustment", TWICE): _MOVED | _OF_A_FILE,
    ("Adjustment", "expires_after_days"): Q(state="posted", amount__gt=0),
    ("Bulk", "approved_at"): Q(state__in=("applied", "undone")),
    ("Bulk", "approved_by_id"): Q(state__in=("applied", "undone")),
    ("Bulk", "asked_at"): ~Q(state="refused"),
    ("Bulk", "asked_by_id"): ~Q(state="refused"),
    ("Bulk", "sums"): ~Q(state="refused"),
    ("Bulk", "lines"): ~Q(state="refused"),
    ("Bulk", "state"): Q(state__in=("applied", "undone")),
    ("Bulk", DELETED): ~Q(state="refused"),
    ("Bulk", TWICE): ~Q(state="refused"),
    ("Close", DELETED): Exists(Close.objects.filter(day__gt=OuterRef("day"))),
    ("GiftCode", "reward_id"): Q(redemption__isnull=False),
    ("GiftCode", DELETED): Q(redemption__isnull=False),
    ("GiftCode", "sealed"): ~Q(sealed=b""),
    ("GiftCode", "digest"): ~Q(sealed=b""),
    ("GiftCode", "hint"): ~Q(sealed=b""),
    ("GiftCode", TWICE): ~Q(sealed=b""),
    ("InboundEvent", "source"): _SETTLED,
    ("InboundEvent", "received_at"): _SETTLED,
    ("InboundEvent", "handled_at"): _SETTLED,
    ("InboundEvent", "purchase_id"): _SETTLED,
}


def chosen(copies: Copies, chance: Random) -> Iterator[Corruption]:
    """Each kind in turn, done to another row of a fresh copy each time."""
    kinds = [
        (table, what)
        for table, free in FREE.items()
        for what in (*_columns(table), DELETED, TWICE)
        if what not in (*free, *FREE_EVERYWHERE)
    ]
    ways = [partial(_corrupt, *kind) for kind in kinds] + [*combining.ALL]
    chance.shuffle(ways)
    for way in cycle(ways):
        copies.renew()
        if done := way(chance):
            yield done


def _corrupt(table: str, what: str, chance: Random) -> Corruption | None:
    """What was corrupted; None where there is nothing of the kind."""
    rows = model_of(table)._default_manager.order_by("pk")
    ids = rows.filter(ONLY.get((table, what), Q())).values_list("pk", flat=True)
    found = sorted(set(ids))
    if not found:
        return None
    with past_every_rule():
        return corrupt(table, what, chance.choice(found), chance)


def _columns(table: str) -> list[str]:
    return [field.attname for field in model_of(table)._meta.concrete_fields]
