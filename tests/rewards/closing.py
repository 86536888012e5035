"""Short words for tests of daily closes, and three days worked out by hand."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from rewards import adjustments, appendonly
from rewards.closing import closes
from rewards.closing.network import Answer
from rewards.decisions import resolve
from rewards.ledger import expiries
from rewards.models import Close, Member, Report, Reward, Unit
from rewards.program import draft, editions, vocabulary
from rewards.redemptions.fulfilment import fulfil
from rewards.redemptions.reserving import redeem
from tests.builders import (
    NOW,
    ORDERED,
    POINTS,
    make_member,
    program,
    purchase,
    report,
    rule,
    settle_reports,
)
from tests.staff import make_staff

DAY = timedelta(days=1)
FIRST = date(2026, 11, 20)
SECOND, THIRD = FIRST + DAY, FIRST + 2 * DAY
CLERK = ("rewards.add_adjustment",)
WORTH = {**POINTS, "value": {"amount": "0.003", "currency": "USD"}}


def at(day: date, hour: int = 12) -> datetime:
    return NOW.replace(day=day.day, hour=hour)


def close(day: date, *, network: Answer | str = "", **changes: Any) -> Close:
    """Close a day, an hour after its end."""
    when = changes.pop("at", at(day, 0) + DAY + timedelta(hours=1))
    return closes.draw_up(day, network=network, at=when)


def change(statement: str) -> None:
    """What somebody does who has the database and not the program."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with appendonly.lifted():
            cursor.execute(statement)


def order(name: str, *, day: date = FIRST, **changes: Any) -> None:
    """An order of 91.00 USD with 4.55 of commission, told on that day."""
    told = changes.pop("told", at(day))
    values = {"order_id": name, "transaction_id": f"tx-{name}", "created_at": at(day)}
    settle_reports(report(**{**values, **changes}), at=told)


def returned(name: str, *, day: date) -> None:
    """The store takes a final order back; nobody has decided yet."""
    order(name, day=day, status="declined", modified_at=ORDERED + 2 * DAY)


def reverse(name: str, *, day: date) -> None:
    """Staff decide that a return holds."""
    returned(name, day=day)
    chosen = Report.objects.get(purchase=purchase(name), status="declined")
    resolve(
        purchase(name), report=chosen, reason="Returned", by=None, at=at(day, hour=13)
    )


def spend(amount: int, *, by: str, day: date, fulfilled: bool = True) -> None:
    reward, _ = Reward.objects.get_or_create(
        key="voucher",
        defaults={
            "name": "Voucher",
            "kind": Reward.Kind.MANUAL,
            "unit": Unit.objects.get(code="points"),
            "minimum": 1,
        },
    )
    member = Member.objects.get(customer_id=by)
    key = f"{by}-{amount}-{day}"
    asked = redeem(member, reward=reward, amount=amount, key=key, at=at(day))
    if fulfilled:
        fulfil(asked, at=at(day))


def publish(*rules: dict[str, Any], **changes: Any) -> None:
    """These rules, with points that are worth three tenths of a cent."""
    content = program(*rules, units=[changes.get("unit", WORTH)])
    content["time_zone"] = changes.get("time_zone", "UTC")
    draft.replace(vocabulary.parse(content))
    editions.publish(now=changes.get("published", NOW - DAY))


def three_days() -> None:
    """Every way that commission can go; see test_close_figures for the sums."""
    publish(
        rule("short", when={"merchants": ["org-short"]}, expires_after_days=1),
        rule("usual"),
    )
    for name in ("alice", "bob", "carol", "dora", "emil"):
        make_member(name)
    order("pending")
    order("spent", customer_id="bob", status="validated")
    order("adjusted", customer_id="carol", status="validated")
    order("short", customer_id="dora", status="validated", merchant="org-short")
    order("owed", customer_id="emil", status="validated")
    order("declined", status="declined")
    order("nobody", customer_id="", commission=300)
    spend(40, by="bob", day=FIRST)
    spend(91, by="emil", day=FIRST)
    spend(10, by="bob", day=SECOND, fulfilled=False)
    adjustments.adjust(
        Member.objects.get(customer_id="carol"),
        unit=Unit.objects.get(code="points"),
        amount=-20,
        reason="correction",
        note="Counted twice",
        by=make_staff(*CLERK, username="clerk"),
        at=at(SECOND),
    )
    expiries.expire(at=at(THIRD, hour=1))
    reverse("owed", day=THIRD)
    order("late", day=THIRD, customer_id="bob", status="validated")
    returned("late", day=THIRD)
