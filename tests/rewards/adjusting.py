"""Short words for tests of adjustments, one by one and by a file."""

from typing import Any

from django.contrib.auth.models import User

from rewards import adjustments
from rewards.bulks import checking, deciding, working
from rewards.models import Account, Adjustment, Bulk, Member, Unit
from tests.builders import NOW
from tests.staff import make_staff

AVAILABLE, DEBT = ("points", "available"), ("points", "debt")
ALL = (
    *("rewards.add_adjustment", "rewards.approve_adjustment"),
    *("rewards.add_bulk", "rewards.approve_bulk"),
)


def make_units() -> tuple[Unit, Unit]:
    points = Unit.objects.create(code="points", name="point", name_plural="points")
    dollars = Unit.objects.create(
        code="USD", name="US dollar", name_plural="US dollars", decimals=2
    )
    return points, dollars


def clerk(username: str = "ann", *permissions: str) -> User:
    return make_staff(*(permissions or ALL), username=username)


def adjust(member: Member, amount: int, *, by: User, **changes: Any) -> Adjustment:
    values: dict[str, Any] = {
        "unit": Unit.objects.get(code="points"),
        "reason": "goodwill",
        "note": "The parcel was late.",
        "at": NOW,
        **changes,
    }
    return adjustments.adjust(member, amount=amount, by=by, **values)


def check(content: str | bytes, *, by: User, **changes: Any) -> Bulk:
    values: dict[str, Any] = {
        "name": "march.csv",
        "reason": "campaign",
        "note": "Spring campaign",
        "at": NOW,
        **changes,
    }
    data = content.encode() if isinstance(content, str) else content
    return checking.check(data, by=by, **values)


def apply(bulk: Bulk, *, by: User) -> Bulk:
    """Approve, apply and work it to its end."""
    deciding.approve(bulk, by=by, at=NOW)
    deciding.apply(bulk, by=by, at=NOW)
    working.work(at=NOW)
    bulk.refresh_from_db()
    return bulk


def undo(bulk: Bulk, *, by: User) -> Bulk:
    deciding.undo(bulk, reason="The wrong list.", by=by, at=NOW)
    working.work(at=NOW)
    bulk.refresh_from_db()
    return bulk


def program_gave(kind: Account.Kind = Account.Kind.ADJUSTED) -> int:
    """What a program account has given, less what it got, in all units together."""
    account = Account.objects.filter(member=None, kind=kind)
    given = sum(t.amount for one in account for t in one.transfers_out.all())
    return given - sum(t.amount for one in account for t in one.transfers_in.all())
