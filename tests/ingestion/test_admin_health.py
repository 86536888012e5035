"""Health, alarms and polling in admin: what is shown, and what staff may do there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ingestion import processing
from ingestion.admin.health import span
from ingestion.alarms import raise_alarm
from ingestion.health.standing import progress
from ingestion.models import Alarm, Doubt, Job, Poll, Window
from loyalty_site.unfold import UNFOLD
from merchants.models import CatalogueSync
from rewards.models import NetworkAccount, Purchase
from tests.builders import NOW, post_webhook, report, settle_reports, webhook_body
from tests.staff import (
    client_of,
    count_queries,
    make_staff,
    make_superuser,
    said,
    text_of,
)

pytestmark = pytest.mark.django_db
HEALTH = "/admin/ingestion/health/"
ALARMS = "/admin/ingestion/alarm/"
HOUR = timedelta(hours=1)
Kind = Alarm.Kind


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def make_alarm(kind: Kind = Kind.NEW_ACCOUNT, subject: str = "acc-1") -> Alarm:
    return raise_alarm(kind, subject=subject, text=f"About {subject}.", at=NOW)


def make_poll(external_id: str = "acc-1", **changes: Any) -> Poll:
    account, _ = NetworkAccount.objects.get_or_create(
        network="button", external_id=external_id, defaults={"first_seen_at": NOW}
    )
    return Poll.objects.create(account=account, **changes)


def make_window(poll: Poll, **changes: Any) -> Window:
    values = {"purpose": "follow", "start": NOW, "opened_at": NOW} | changes
    return Window.objects.create(account=poll.account, **values)


def test_the_server_says_whether_its_workers_work(root: Client) -> None:
    assert "Start celery worker and celery beat." in text_of(root.get(HEALTH))
    done = datetime.now(UTC) - timedelta(seconds=40)
    Job.objects.create(name="alarms", finished_at=done)
    page = text_of(root.get(HEALTH))
    assert "at work" in page
    assert "all applied" in page
    Job.objects.update(finished_at=done - HOUR)
    assert "silent" in text_of(root.get(HEALTH))


def stored(model: Any) -> list[dict[str, Any]]:
    return list(model.objects.order_by("pk").values())


def url(model: str, page: str, pk: object) -> str:
    return reverse(f"admin:ingestion_{model}_{page}", args=[pk])


def seen(alarm: Alarm) -> str:
    return url("alarm", "mark_this_seen", alarm.pk)


class TestHealthPage:
    def test_it_shows_what_is_wrong_and_how_things_stand(
        self, client: Client, root: Client
    ) -> None:
        post_webhook(client, webhook_body())
        processing.drain()
        make_alarm()
        make_alarm(Kind.STORE_SILENT, "org-1")
        Alarm.objects.filter(kind=Kind.STORE_SILENT).update(ended_at=NOW)
        poll = make_poll(error="It said 401.", mark=NOW, read_at=NOW)
        window = make_window(poll, end=NOW + 4 * HOUR, newest=NOW + HOUR)
        now = datetime.now(UTC)
        CatalogueSync.objects.create(network="button", synced_at=now, source="x")
        text = text_of(root.get(HEALTH))
        assert "About acc-1." in text
        assert "About org-1." not in text
        assert "failing" in text
        assert 'aria-valuenow="25"' in text
        assert url("window", "change", window.pk) in text
        assert "0 minutes ago" in text
        assert "99 % within" in text

    def test_an_empty_server_has_a_page(self, root: Client) -> None:
        text = text_of(root.get(HEALTH))
        assert "Nothing is wrong that we know of." in text
        assert "No account is polled yet." in text

    def test_a_text_is_shown_as_text(self, root: Client) -> None:
        raise_alarm(Kind.FOREIGN_NEXT, text="<script>alert(1)</script>", at=NOW)
        text = text_of(root.get(HEALTH))
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text

    def test_only_happenings_can_be_ended(self, root: Client) -> None:
        told, watched = make_alarm(), make_alarm(Kind.OVERDUE)
        text = text_of(root.get(HEALTH))
        assert seen(told) in text
        assert seen(watched) not in text

    def test_who_may_not_see_alarms_is_refused(self) -> None:
        clerk = client_of(make_staff("ingestion.view_poll"))
        assert clerk.get(HEALTH).status_code == 403

    def test_who_may_only_see_is_offered_nothing(self) -> None:
        alarm = make_alarm()
        clerk = client_of(make_staff("ingestion.view_alarm"))
        text = text_of(clerk.get(HEALTH))
        assert "About acc-1." in text
        assert seen(alarm) not in text

    def test_strangers_and_members_sign_in_first(self, client: Client) -> None:
        assert client.get(HEALTH).status_code == 302

    def test_it_only_reads(self, root: Client) -> None:
        assert root.post(HEALTH).status_code == 405

    def test_fifty_accounts_take_as_many_queries_as_one(self, root: Client) -> None:
        def add(first: int, last: int) -> int:
            for n in range(first, last):
                make_window(make_poll(f"acc-{n}"))
                make_alarm(subject=f"acc-{n}")
            return count_queries(root, HEALTH)

        add(0, 1)
        assert add(1, 2) == add(2, 50)


class TestMenu:
    @pytest.fixture(autouse=True)
    def menu(self, settings: Any) -> None:
        settings.UNFOLD = UNFOLD

    def test_it_counts_open_alarms(self, root: Client) -> None:
        assert "1 alarm" not in text_of(root.get("/admin/"))
        make_alarm()
        assert "1 alarm" in text_of(root.get("/admin/"))
        make_alarm(subject="acc-2")
        assert "2 alarms" in text_of(root.get("/admin/"))

    def test_it_counts_for_nobody_else(self) -> None:
        make_alarm()
        clerk = client_of(make_staff("ingestion.view_poll"))
        assert "1 alarm" not in text_of(clerk.get("/admin/"))


class TestAlarms:
    def test_the_list_tells_open_from_ended(self, root: Client) -> None:
        make_alarm()
        Alarm.objects.update(ended_at=NOW)
        make_alarm(subject="acc-2")
        for state, expected in (("open", ["acc-2"]), ("ended", ["acc-1"])):
            found = root.get(ALARMS, {"state": state}).context["cl"].result_list
            assert [alarm.subject for alarm in found] == expected
        assert len(root.get(ALARMS).context["cl"].result_list) == 2

    def test_seen_asks_and_then_ends_it(self, root: Client) -> None:
        alarm = make_alarm()
        assert "About acc-1." in text_of(root.get(seen(alarm)))
        alarm.refresh_from_db()
        assert alarm.ended_at is None
        answer = root.post(seen(alarm), follow=True)
        assert answer.request["PATH_INFO"] == HEALTH
        assert said(answer) == ["1 alarm was ended."]
        alarm.refresh_from_db()
        assert alarm.ended_by.username == "root"
        assert LogEntry.objects.get().change_message == "Seen: About acc-1."

    def test_what_ends_with_its_cause_stays(self, root: Client) -> None:
        alarm = make_alarm(Kind.OVERDUE)
        before = stored(Alarm)
        assert seen(alarm) not in text_of(root.get(url("alarm", "change", alarm.pk)))
        assert "ends with its cause" in said(root.post(seen(alarm), follow=True))[0]
        assert (stored(Alarm), LogEntry.objects.count()) == (before, 0)

    def test_those_ticked_are_ended(self, root: Client) -> None:
        first, second = make_alarm(), make_alarm(subject="acc-2")
        ticked = {"action": "mark_selected_seen", "_selected_action": [first.pk]}
        root.post(ALARMS, {**ticked, "index": 0, "select_across": 1})
        assert list(Alarm.objects.filter(ended_at=None)) == [second]

    def test_who_may_only_view_ends_nothing(self) -> None:
        alarm = make_alarm()
        before = stored(Alarm)
        clerk = client_of(make_staff("ingestion.view_alarm"))
        ticked = {"action": "mark_selected_seen", "_selected_action": [alarm.pk]}
        assert clerk.get(ALARMS).status_code == 200
        assert clerk.post(ALARMS, ticked).status_code == 403
        assert clerk.post(seen(alarm)).status_code == 403
        assert stored(Alarm) == before


class TestPolling:
    def test_staff_set_the_pace(self, root: Client) -> None:
        poll = make_poll(mark=NOW)
        given = {"busy_minutes": 7, "quiet_minutes": 40, "busy_from": 3}
        page = url("poll", "change", poll.pk)
        root.post(page, {**given, "enabled": "on", "mark": "", "due_at": ""})
        poll.refresh_from_db()
        assert (poll.busy_minutes, poll.quiet_minutes, poll.busy_from) == (7, 40, 3)
        assert (poll.enabled, poll.mark) == (True, NOW)

    @pytest.mark.parametrize("field", ["busy_minutes", "quiet_minutes"])
    def test_a_pace_of_nothing_is_refused(self, field: str, root: Client) -> None:
        poll = make_poll()
        before = stored(Poll)
        given = {"busy_minutes": 5, "quiet_minutes": 30, "busy_from": 1, field: 0}
        answer = root.post(url("poll", "change", poll.pk), given)
        assert answer.status_code == 200
        assert stored(Poll) == before

    def test_what_the_poller_wrote_meanwhile_stays(
        self, root: Client, monkeypatch: Any
    ) -> None:
        """Its mark moves between the form's reading and its writing."""
        poll = make_poll(mark=NOW)
        save = Poll.save

        def save_late(self: Poll, *args: Any, **kwargs: Any) -> None:
            Poll.objects.update(mark=NOW + HOUR, held_by="worker")
            save(self, *args, **kwargs)

        monkeypatch.setattr(Poll, "save", save_late)
        given = {"busy_minutes": 7, "quiet_minutes": 30, "busy_from": 1}
        root.post(url("poll", "change", poll.pk), given)
        poll.refresh_from_db()
        assert (poll.busy_minutes, poll.enabled) == (7, False)
        assert (poll.mark, poll.held_by) == (NOW + HOUR, "worker")

    def test_poll_now_makes_it_due(self, root: Client) -> None:
        poll = make_poll(due_at=datetime.now(UTC) + HOUR, mark=NOW)
        now = url("poll", "poll_now", poll.pk)
        before = stored(Poll)
        assert now in text_of(root.get(url("poll", "change", poll.pk)))
        assert root.get(now).status_code == 200
        assert stored(Poll) == before
        root.post(now)
        poll.refresh_from_db()
        assert poll.due_at <= datetime.now(UTC)
        assert poll.mark == NOW
        assert LogEntry.objects.get().change_message == "Polled now"

    def test_one_turned_off_is_not_polled(self, root: Client) -> None:
        poll = make_poll(enabled=False)
        before = stored(Poll)
        now = url("poll", "poll_now", poll.pk)
        assert now not in text_of(root.get(url("poll", "change", poll.pk)))
        root.post(now)
        assert (stored(Poll), LogEntry.objects.count()) == (before, 0)

    def test_who_may_only_view_polls_nothing(self) -> None:
        poll = make_poll()
        before = stored(Poll)
        clerk = client_of(make_staff("ingestion.view_poll"))
        assert clerk.get(url("poll", "change", poll.pk)).status_code == 200
        given = {"busy_minutes": 1, "quiet_minutes": 1, "busy_from": 1}
        for page in ("change", "poll_now"):
            assert clerk.post(url("poll", page, poll.pk), given).status_code == 403
        assert stored(Poll) == before

    def test_the_rest_is_to_look_at(self, root: Client) -> None:
        settle_reports(report())
        window = make_window(make_poll(), end=NOW + HOUR)
        doubt = Doubt.objects.create(
            purchase=Purchase.objects.get(),
            start=NOW,
            end=NOW + HOUR,
            due_at=NOW,
            window=window,
        )
        job = Job.objects.create(name="open orders", error="It failed.")
        for model, row in (("window", window), ("doubt", doubt), ("job", job)):
            before = stored(type(row))
            assert root.get(f"/admin/ingestion/{model}/").status_code == 200
            page = url(model, "change", row.pk)
            assert root.get(page).status_code == 200
            assert root.post(page, {"name": "x"}).status_code == 403
            delete = url(model, "delete", row.pk)
            assert root.post(delete, {"post": "yes"}).status_code == 403
            assert root.get(f"/admin/ingestion/{model}/add/").status_code == 403
            assert stored(type(row)) == before

    @pytest.mark.parametrize("model", ["poll", "window", "doubt", "job", "alarm"])
    def test_a_longer_list_asks_no_more_queries(self, model: str, root: Client) -> None:
        def add(first: int, last: int) -> int:
            for n in range(first, last):
                settle_reports(report(order_id=f"o-{n}", transaction_id=f"tx-{n}"))
                window = make_window(make_poll(f"acc-{100 + n}"), end=NOW + HOUR)
                purchase = Purchase.objects.latest("pk")
                stretch = {"start": NOW, "end": NOW + HOUR, "due_at": NOW}
                Doubt.objects.create(purchase=purchase, window=window, **stretch)
                Job.objects.create(name=f"job {n}")
                make_alarm(subject=f"acc-{n}")
            return count_queries(root, f"/admin/ingestion/{model}/")

        add(0, 2)
        assert add(2, 4) == add(4, 20)


@pytest.mark.parametrize(
    ("changes", "percent"),
    [
        ({"newest": NOW + HOUR}, 25),
        ({"newest": NOW - HOUR}, 0),
        ({"newest": NOW + 9 * HOUR}, 100),
        ({"newest": None}, None),
        ({"newest": NOW + HOUR, "end": None}, 50),
        ({"newest": NOW + HOUR, "by": "created"}, None),
        ({"finished_at": NOW}, 100),
    ],
)
def test_how_much_of_a_window_is_read(changes: Any, percent: int | None) -> None:
    window = Window(**{"start": NOW, "end": NOW + 4 * HOUR, **changes})
    assert progress(window, at=NOW + 2 * HOUR) == percent


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.004, "0.00 s"),
        (119, "119.00 s"),
        (150, "2.5 min"),
        (9000, "2.5 h"),
        (259200, "3.0 d"),
    ],
)
def test_a_stretch_is_said_in_its_own_size(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
