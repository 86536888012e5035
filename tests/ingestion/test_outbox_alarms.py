"""Alarms of what does not leave the outbox: failed for good, or waiting too long."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.alarms import EACH_MINUTE, check
from ingestion.models import Alarm
from rewards import freezes
from rewards.models import Endpoint, Freeze, Message
from rewards.outbox import endpoints, recording, replaying
from rewards.redemptions import fulfilment
from tests.builders import NOW, make_endpoint
from tests.rewards.sending import call_of, redeem_by_call, send, tell
from tests.staff import make_superuser

pytestmark = pytest.mark.django_db
Kind, State = Alarm.Kind, Message.State
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CLOSED = "http://127.0.0.1:9/hook"  # where nobody listens


def write(endpoint: Endpoint | None, **changes: Any) -> Message:
    values = {"kind": "event", "type": "test", "due_at": NOW, "created_at": NOW}
    values |= {"payload": {"of": "this"}, "key": str(Message.objects.count())}
    return Message.objects.create(endpoint=endpoint, **values | changes)


def alarms(at: Any = NOW) -> dict[tuple[str, str], str]:
    check(at=at, looking=EACH_MINUTE)
    open_ = Alarm.objects.filter(ended_at=None)
    return {(alarm.kind, alarm.subject): alarm.text for alarm in open_}


def test_what_was_tried_for_an_hour_rings_and_what_failed_for_good_does() -> None:
    """From the first attempt to the last, at an address where nobody answers."""
    make_endpoint("shop", url=CLOSED)
    tell()
    at, rang = NOW, {}
    while Message.objects.get().state == State.WAITING:
        at = Message.objects.get().due_at
        send(at)
        rang.setdefault(frozenset(alarms(at)), at - NOW)
    quiet, waiting, failed = (
        rang[frozenset(keys)]
        for keys in ((), {(Kind.OUTBOX_STUCK, "shop")}, {(Kind.OUTBOX_FAILED, "shop")})
    )
    assert len(rang) == 3
    assert quiet == timedelta()
    assert 40 * MINUTE < waiting < HOUR
    assert 3 * DAY - 6 * HOUR < failed < 4 * DAY


def test_sending_it_again_or_dropping_it_ends_the_alarm() -> None:
    shop = make_endpoint("shop", url=CLOSED)
    first, second = (write(shop, state=State.FAILED, ended_at=NOW) for _ in range(2))
    text = alarms(NOW + HOUR)[Kind.OUTBOX_FAILED, "shop"]
    assert text.startswith("Messages to shop that failed for good: 2, the first of")
    assert "send them again, or drop them" in text
    replaying.send_again(first, at=NOW + HOUR)
    assert alarms(NOW + HOUR)
    replaying.drop(second, at=NOW + HOUR)
    assert not alarms(NOW + HOUR)
    assert Alarm.objects.get().ended_at == NOW + HOUR


def test_what_nobody_sends_rings_after_ten_minutes() -> None:
    write(make_endpoint("shop", url=CLOSED))
    write(None, kind="mail")
    assert not alarms(NOW + 10 * MINUTE)
    found = alarms(NOW + 11 * MINUTE)
    assert found.keys() == {(Kind.OUTBOX_STUCK, "shop"), (Kind.OUTBOX_STUCK, "")}
    mail = found[Kind.OUTBOX_STUCK, ""]
    assert mail.startswith("Mail still waiting: 1, the oldest for 11 minutes.")
    assert mail.endswith("None was tried: see that workers and beat run.")


def test_what_waits_for_an_endpoint_that_is_off_says_so() -> None:
    shop = make_endpoint("shop", url=CLOSED)
    write(shop)
    endpoints.switch(shop, on=False)
    text = alarms(NOW + DAY)[Kind.OUTBOX_STUCK, "shop"]
    assert "It is switched off" in text
    Message.objects.update(state=State.SENT)
    assert not alarms(NOW + DAY)


def test_a_call_for_a_frozen_member_waits_for_staff_and_not_for_us() -> None:
    member = redeem_by_call(CLOSED).member
    frozen = Freeze.objects.create(member=member, check_name="x", frozen_at=NOW)
    assert not alarms(NOW + DAY)
    freezes.lift(frozen, by=make_superuser(), reason="Fine.", at=NOW)
    assert alarms(NOW + DAY).keys() == {(Kind.OUTBOX_STUCK, "shop")}


def test_a_call_rings_while_somebody_waits_for_it_and_not_once_it_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "PAUSES", (10,) * 6)
    redemption = redeem_by_call(CLOSED)
    for minutes in range(6):
        send(NOW + minutes * MINUTE)
    assert alarms().keys() == {(Kind.OUTBOX_STUCK, "shop")}
    send(NOW + HOUR)
    redemption.refresh_from_db()
    assert (redemption.status, call_of(redemption).state) == ("cancelled", "failed")
    assert not alarms(NOW + DAY)


def test_what_was_cancelled_while_its_endpoint_is_off_rings_no_more() -> None:
    redemption = redeem_by_call(CLOSED)
    Endpoint.objects.update(active=False)
    assert alarms(NOW + DAY).keys() == {(Kind.OUTBOX_STUCK, "shop")}
    fulfilment.cancel(redemption, reason="Nobody is there.", at=NOW)
    assert not alarms(NOW + DAY)


def test_a_call_that_staff_look_into_rings_nowhere_else() -> None:
    Message.objects.filter(pk=call_of(redeem_by_call(CLOSED)).pk).update(
        state=State.UNKNOWN, ended_at=NOW
    )
    assert not alarms(NOW + DAY)


def test_many_endpoints_take_as_many_queries_as_one() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            check(at=NOW + DAY, looking=EACH_MINUTE)
        return len(captured)

    write(make_endpoint("shop"), state=State.FAILED, ended_at=NOW)
    write(make_endpoint("other"))
    few = queries()
    Alarm.objects.all().delete()
    for n in range(20):
        write(make_endpoint(f"shop {n}"), state=State.FAILED, ended_at=NOW)
    assert queries() == few
    assert Alarm.objects.count() == 22
