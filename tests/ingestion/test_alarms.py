"""Alarms: raised once, renewed while they hold, ended with their cause."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from ingestion.alarms import (
    EACH_MINUTE,
    EACH_QUARTER,
    check,
    end_alarm,
    mark_seen,
    raise_alarm,
)
from ingestion.models import Alarm, InboundEvent, Job, Poll, Refusal
from ingestion.refusals import Tally
from merchants.models import Merchant
from rewards.models import NetworkAccount
from tests.builders import (
    MERCHANT,
    NOW,
    post_webhook,
    report,
    settle_reports,
    webhook_body,
)
from tests.staff import make_superuser

pytestmark = pytest.mark.django_db
Kind = Alarm.Kind
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def polled() -> Any:
    with override_settings(BUTTON_API_KEY="sk-test"):
        yield


def open_alarms() -> dict[tuple[str, str], str]:
    alarms = Alarm.objects.filter(ended_at=None)
    return {(alarm.kind, alarm.subject): alarm.text for alarm in alarms}


def text_of_only(kind: Kind) -> str:
    [((found, _), text)] = open_alarms().items()
    assert found == kind
    return text


def checked(at: datetime = NOW) -> dict[tuple[str, str], str]:
    check(at=at)
    return open_alarms()


def buy(
    count: int,
    *,
    every: timedelta,
    until: datetime,
    seen: datetime | None = None,
    store: str = MERCHANT,
    **changes: Any,
) -> None:
    """Orders at a store, the last of them at ``until``."""
    settle_reports(
        *(
            report(
                order_id=f"{store}-{until:%m%d%H%M}-{n}",
                transaction_id=f"tx-{store}-{until:%m%d%H%M}-{n}",
                merchant=store,
                attributed_at=until - n * every,
                **changes,
            )
            for n in range(count)
        ),
        at=seen or until,
    )


def refuse(
    count: int, status: int = 401, *, genuine: bool = True, ago: timedelta = HOUR / 2
) -> None:
    Refusal.objects.create(
        minute=NOW - ago, status=status, genuine=genuine, count=count
    )


def receive(count: int, **changes: Any) -> None:
    values = {
        "network": "button",
        "source": "webhook",
        "body": b"",
        "received_at": NOW - MINUTE,
    }
    values |= {"outcome": "ignored", "handled_at": NOW} | changes
    before = InboundEvent.objects.count()
    InboundEvent.objects.bulk_create(
        InboundEvent(digest=b"%d" % n, **values) for n in range(before, before + count)
    )


def poll_of(external_id: str = "acc-1", **changes: Any) -> Poll:
    first_seen = changes.pop("first_seen_at", NOW - DAY)
    account = NetworkAccount.objects.create(
        network="button", external_id=external_id, first_seen_at=first_seen
    )
    return Poll.objects.create(account=account, **changes)


class TestRaising:
    def test_it_is_single_and_renewed_while_open(self) -> None:
        with capture_logs() as logs:
            first = raise_alarm(Kind.NEW_ACCOUNT, subject="acc-1", text="One.", at=NOW)
            later = NOW + HOUR
            again = raise_alarm(
                Kind.NEW_ACCOUNT, subject="acc-1", text="Two.", at=later
            )
        assert again.pk == first.pk
        assert (again.text, again.raised_at, again.seen_at) == ("Two.", NOW, later)
        assert [(log["event"], log["log_level"]) for log in logs] == [
            ("alarm_raised", "error")
        ]

    def test_another_subject_is_another_alarm(self) -> None:
        for subject in ("acc-1", "acc-2"):
            raise_alarm(Kind.NEW_ACCOUNT, subject=subject, text="New.", at=NOW)
        assert Alarm.objects.count() == 2

    def test_it_ends_once_and_may_come_back(self) -> None:
        raise_alarm(Kind.DIFFERENCES, text="Some.", at=NOW)
        with capture_logs() as logs:
            for n in (1, 2):
                end_alarm(Kind.DIFFERENCES, at=NOW + n * HOUR)
        assert Alarm.objects.get().ended_at == NOW + HOUR
        assert [(log["event"], log["log_level"]) for log in logs] == [
            ("alarm_ended", "info")
        ]
        raise_alarm(Kind.DIFFERENCES, text="Again.", at=NOW + DAY)
        assert Alarm.objects.count() == 2

    def test_a_subject_of_any_length_is_found_again(self) -> None:
        for _ in range(2):
            raise_alarm(Kind.FOREIGN_NEXT, subject="x" * 300, text="x", at=NOW)
        assert Alarm.objects.count() == 1
        end_alarm(Kind.FOREIGN_NEXT, subject="x" * 300, at=NOW)
        assert not open_alarms()

    def test_staff_end_happenings_and_no_conditions(self) -> None:
        root = make_superuser()
        for kind in (Kind.NEW_ACCOUNT, Kind.INBOX_STUCK):
            raise_alarm(kind, text="x", at=NOW)
        for _ in range(2):
            mark_seen(Alarm.objects.all(), by=root, at=NOW + HOUR)
        assert open_alarms().keys() == {(Kind.INBOX_STUCK, "")}
        ended = Alarm.objects.get(kind=Kind.NEW_ACCOUNT)
        assert (ended.ended_at, ended.ended_by) == (NOW + HOUR, root)


@pytest.mark.django_db(transaction=True)
def test_raised_at_once_by_many_it_is_one() -> None:
    def raise_(n: int) -> None:
        try:
            raise_alarm(Kind.POLL_FAILING, subject="acc-1", text=f"{n}", at=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(raise_, range(12)))
    assert Alarm.objects.count() == 1


class TestWebhooks:
    def test_failures_from_one_in_twenty_are_one_alarm(self) -> None:
        receive(57)
        refuse(3, 503)
        text = checked()[Kind.WEBHOOKS_FAILING, ""]
        assert "Of Button's 60 webhooks in the last hour 3 were refused" in text
        assert "3 with 503" in text

    def test_fewer_are_none(self) -> None:
        receive(58)
        refuse(3, 503)
        assert not checked()

    def test_two_are_never_one(self) -> None:
        refuse(2, 503)
        assert not checked()

    def test_sightings_count_as_accepted(self) -> None:
        receive(1)
        event = InboundEvent.objects.get()
        for _ in range(60):
            event.sightings.create(source="webhook", seen_at=NOW - MINUTE)
        refuse(3, 413)
        assert not checked()

    @pytest.mark.parametrize(
        "changes", [{"genuine": False}, {"ago": 2 * HOUR}, {"status": 404}]
    )
    def test_what_button_would_not_count_is_not(self, changes: Any) -> None:
        refuse(9, **{"status": 503, **changes})
        assert not checked()

    def test_polled_rows_make_it_no_better(self) -> None:
        receive(500, source="poll")
        refuse(3, 405)
        assert (Kind.WEBHOOKS_FAILING, "") in checked()

    def test_it_ends_when_the_hour_is_over(self) -> None:
        refuse(3, 503)
        assert checked()
        assert not checked(NOW + HOUR)
        assert Alarm.objects.get().ended_at == NOW + HOUR


class TestSignatures:
    def test_a_secret_changed_at_button_only(self) -> None:
        receive(1000)
        refuse(3)
        check(at=NOW)
        text = text_of_only(Kind.SIGNATURES_FAILING)
        assert "3 of them called themselves Button's" in text
        assert "BUTTON_WEBHOOK_SECRETS" in text

    def test_strangers_are_told_apart(self) -> None:
        refuse(2, genuine=False)
        assert not checked()
        refuse(1, genuine=False, ago=MINUTE)
        check(at=NOW)
        text = text_of_only(Kind.SIGNATURES_FAILING)
        assert "0 of them called themselves Button's" in text


def test_a_secret_changed_at_button_is_known_within_the_minute(client: Any) -> None:
    """From the door to the alarm, with nothing between them but the database."""
    sent = {"X-Button-Signature": "0" * 64, "User-Agent": "Button Webhooks 1.4.2"}
    post_webhook(client, webhook_body(), **sent)
    now = datetime.now(UTC)
    assert not checked(now)
    for tally in (Tally(), Tally()):  # two more processes, each with its first
        tally.add(401, genuine=True, at=now)
        tally.write()
    assert checked(now).keys() == {
        (Kind.WEBHOOKS_FAILING, ""),
        (Kind.SIGNATURES_FAILING, ""),
    }


class TestInbox:
    def test_events_that_wait_are_one_alarm_until_they_are_handled(self) -> None:
        receive(2, outcome="", handled_at=None, received_at=NOW - 11 * MINUTE)
        check(at=NOW)
        assert "ten minutes: 2" in text_of_only(Kind.INBOX_STUCK)
        InboundEvent.objects.update(outcome="ignored", handled_at=NOW)
        assert not checked(NOW + MINUTE)

    def test_ten_minutes_are_fine(self) -> None:
        receive(1, outcome="", handled_at=None, received_at=NOW - 10 * MINUTE)
        assert not checked()


class TestSilence:
    def test_three_usual_gaps_without_an_order(self) -> None:
        buy(10, every=4 * HOUR, until=NOW)
        assert not checked(NOW + 12 * HOUR)
        check(at=NOW + 12 * HOUR + MINUTE)
        text = text_of_only(Kind.STORE_SILENT)
        assert "Lumen & Oak" in text
        assert "every 4 hours" in text

    def test_an_order_ends_it(self) -> None:
        buy(10, every=HOUR, until=NOW)
        assert checked(NOW + 5 * HOUR)
        late = NOW + 5 * HOUR + MINUTE
        buy(1, every=HOUR, until=NOW + MINUTE, seen=late)
        assert not checked(late + MINUTE)

    def test_it_holds_when_the_thirty_days_have_passed(self) -> None:
        buy(10, every=HOUR, until=NOW)
        check(at=NOW + DAY)
        assert checked(NOW + 60 * DAY).keys() == {(Kind.STORE_SILENT, MERCHANT)}
        assert Alarm.objects.count() == 1
        buy(1, every=HOUR, until=NOW + 61 * DAY)
        assert not checked(NOW + 61 * DAY + MINUTE)

    def test_a_store_that_left_the_network_may_be_silent(self) -> None:
        buy(10, every=HOUR, until=NOW)
        assert checked(NOW + DAY)
        Merchant.objects.update(gone_at=NOW + DAY)
        assert not checked(NOW + 2 * DAY)

    def test_a_rush_is_no_measure(self) -> None:
        """A gap counts as an hour at least."""
        buy(50, every=timedelta(seconds=10), until=NOW)
        assert not checked(NOW + 3 * HOUR)
        assert checked(NOW + 3 * HOUR + MINUTE)

    def test_few_orders_are_no_measure(self) -> None:
        buy(9, every=HOUR, until=NOW)
        assert not checked(NOW + 10 * DAY)


class TestOverdue:
    def test_past_the_store_s_window_and_a_week(self) -> None:
        buy(2, every=DAY, until=NOW)
        Merchant.objects.update(reporting_days=1, finalization_minutes=30 * 24 * 60)
        assert (Kind.OVERDUE, MERCHANT) not in checked(NOW + 37 * DAY)
        text = checked(NOW + 38 * DAY + MINUTE)[Kind.OVERDUE, MERCHANT]
        assert "Lumen & Oak" in text
        assert ": 2, the oldest of 2026-11-19" in text

    def test_ninety_days_where_the_store_does_not_say(self) -> None:
        buy(1, every=DAY, until=NOW)
        assert not checked(NOW + 97 * DAY)
        assert checked(NOW + 97 * DAY + MINUTE)

    def test_an_order_without_a_store_is_told_too(self) -> None:
        settle_reports(report(merchant="", attributed_at=NOW))
        assert (Kind.OVERDUE, "") in checked(NOW + 98 * DAY)

    def test_it_ends_when_the_last_is_final(self) -> None:
        settle_reports(report(attributed_at=NOW), at=NOW)
        assert checked(NOW + 98 * DAY)
        settle_reports(
            report(attributed_at=NOW, status="validated", modified_at=NOW),
            at=NOW + 98 * DAY,
        )
        assert not checked(NOW + 99 * DAY)

    @pytest.mark.parametrize("days", [0, 2_147_483_647])
    def test_absurd_windows_do_no_harm(self, days: int) -> None:
        settle_reports(report(attributed_at=NOW))
        Merchant.objects.update(reporting_days=days, finalization_minutes=days)
        check(at=NOW + 6 * DAY)


@pytest.mark.usefixtures("polled")
class TestPolling:
    def test_an_account_not_read_for_three_quiet_paces(self) -> None:
        poll_of(read_at=NOW - 90 * MINUTE, quiet_minutes=30)
        assert not checked()
        check(at=NOW + MINUTE)
        assert "acc-1 was last read" in text_of_only(Kind.POLL_FAILING)

    def test_it_ends_when_it_is_read(self) -> None:
        poll = poll_of(read_at=NOW - DAY)
        assert checked()
        Poll.objects.filter(pk=poll.pk).update(read_at=NOW)
        assert not checked(NOW + MINUTE)

    def test_an_error_of_an_hour_is_told(self) -> None:
        poll_of(read_at=NOW - HOUR, quiet_minutes=60, error="401: key revoked")
        assert not checked()
        check(at=NOW + MINUTE)
        assert "key revoked" in text_of_only(Kind.POLL_FAILING)

    def test_one_never_read_and_long_known(self) -> None:
        poll_of(first_seen_at=NOW - DAY)
        check(at=NOW)
        assert "was never read" in text_of_only(Kind.POLL_FAILING)

    def test_its_first_reading_may_take_long(self) -> None:
        poll_of(first_seen_at=NOW - DAY, held_until=NOW + MINUTE)
        poll_of("acc-2", first_seen_at=NOW - MINUTE)
        assert not checked()

    def test_one_turned_off_is_not_missed(self) -> None:
        poll_of(read_at=NOW - DAY, enabled=False)
        assert not checked()

    def test_jobs_that_fail_or_that_nobody_begins(self) -> None:
        Job.objects.create(name="catalogue", error="503", due_at=NOW + HOUR)
        Job.objects.create(name="sweep", due_at=NOW - HOUR)
        Job.objects.create(name="accounts", due_at=NOW - 9 * MINUTE)
        Job.objects.create(name="open", due_at=NOW - HOUR, held_until=NOW + MINUTE)
        assert checked().keys() == {
            (Kind.JOB_FAILING, "catalogue"),
            (Kind.JOB_FAILING, "sweep"),
        }

    def test_without_a_key_nothing_is_missed(self) -> None:
        poll_of(read_at=NOW - DAY)
        Job.objects.create(name="sweep", due_at=NOW - HOUR)
        assert len(checked()) == 2
        with override_settings(BUTTON_API_KEY=""):
            assert not checked()


class TestChecking:
    def test_twice_is_once(self) -> None:
        refuse(9)
        for n in range(2):
            check(at=NOW + n * MINUTE)
        assert Alarm.objects.count() == 2
        assert set(Alarm.objects.values_list("raised_at", "seen_at")) == {
            (NOW, NOW + MINUTE)
        }

    def test_a_minutely_check_leaves_stores_alone(self) -> None:
        settle_reports(report(attributed_at=NOW - 100 * DAY))
        check(at=NOW)
        check(at=NOW + MINUTE, looking=EACH_MINUTE)
        assert open_alarms().keys() == {(Kind.OVERDUE, MERCHANT)}
        check(at=NOW + 2 * MINUTE, looking=EACH_QUARTER)
        assert Alarm.objects.get().seen_at == NOW + 2 * MINUTE

    def test_it_leaves_what_others_raise(self) -> None:
        raise_alarm(Kind.CURRENCY_WITHOUT_RULE, subject="EUR", text="x", at=NOW)
        check(at=NOW)
        assert open_alarms().keys() == {(Kind.CURRENCY_WITHOUT_RULE, "EUR")}

    def test_fifty_stores_and_accounts_take_as_many_queries_as_one(
        self, polled: None
    ) -> None:
        def queries_with(stores: range, *, day: int) -> list[int]:
            for n in stores:
                buy(10, every=HOUR, until=NOW, store=f"org-{n:04}")
                poll_of(f"acc-s{n}", read_at=NOW - DAY)
            Merchant.objects.update(reporting_days=1, finalization_minutes=60)
            return [count_check(NOW + day * DAY), count_check(NOW + (day + 1) * DAY)]

        one = queries_with(range(1), day=10)
        Alarm.objects.all().delete()
        fifty = queries_with(range(1, 50), day=12)
        assert len(open_alarms()) == 3 * 50
        assert fifty == one


def count_check(at: datetime) -> int:
    with CaptureQueriesContext(connection) as queries:
        check(at=at)
    return len(queries)
