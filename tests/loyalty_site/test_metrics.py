"""/metrics: who may read it, and what it says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from ingestion import processing
from ingestion.alarms import raise_alarm
from ingestion.models import Alarm, Poll, Refusal, Window
from merchants.models import CatalogueSync
from rewards.models import NetworkAccount, Purchase
from tests.builders import post_webhook, webhook_body

pytestmark = pytest.mark.django_db
TOKEN = "metrics-token-é"
HOUR = timedelta(hours=1)
AWAY = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def bearer(token: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def ask(**environ: str) -> Any:
    return Client().get("/metrics", **{"HTTP_HOST": "127.0.0.1:8000", **environ})


def scrape() -> dict[tuple[str, ...], float]:
    """Every sample, by its name without prefix and its labels' values by label."""
    answer = ask()
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix("loyalty_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_this_machine_may_read_it(address: str) -> None:
    answer = ask(REMOTE_ADDR=address)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "header",
    [
        *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"),
        *("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP"),
    ],
)
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_through_a_proxy_nobody_is_this_machine(header: str, value: str) -> None:
    assert ask(REMOTE_ADDR="127.0.0.1", **{header: value}).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(
            ("localhost", 200),
            ("LOCALHOST:9", 200),
            ("127.1.2.3", 200),
            ("[::1]:1", 200),
        ),
        *(("evil.example", 403), ("evil.example:8000", 403), ("", 403), ("a b", 403)),
        *(("evil@127.0.0.1", 403), ("127.0.0.1.evil.example", 403), ("10.0.0.5", 403)),
    ],
)
def test_a_name_that_was_made_to_lead_here_opens_nothing(host, status) -> None:
    answer = ask(REMOTE_ADDR="127.0.0.1", HTTP_HOST=host)
    assert answer.status_code == status
    assert bool(answer.content) == (status == 200)


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.5", "", "unix:", "127"])
def test_others_may_not(address: str) -> None:
    answer = ask(REMOTE_ADDR=address)
    assert (answer.status_code, answer.content) == (403, b"")


@pytest.mark.usefixtures("token")
class TestToken:
    def test_whoever_has_it_may_from_anywhere(self) -> None:
        for given in (bearer(TOKEN), {"HTTP_AUTHORIZATION": f"bearer  {TOKEN}"}):
            assert ask(**AWAY, **given).status_code == 200
            through = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
            assert ask(REMOTE_ADDR="127.0.0.1", **through, **given).status_code == 200

    @pytest.mark.parametrize(
        "given",
        [
            *({}, bearer(""), bearer("other"), bearer(TOKEN[:-1]), bearer("\udcff")),
            *({"HTTP_AUTHORIZATION": TOKEN}, {"HTTP_AUTHORIZATION": f"Basic {TOKEN}"}),
        ],
    )
    def test_others_may_not(self, given: dict[str, str]) -> None:
        assert ask(**AWAY, **given).status_code == 403

    def test_this_machine_needs_none(self) -> None:
        assert ask().status_code == 200


@override_settings(METRICS_TOKEN="")
@pytest.mark.parametrize("token", ["", "None"])
def test_no_token_opens_what_has_none(token: str) -> None:
    assert ask(**AWAY, **bearer(token)).status_code == 403


@override_settings(ALLOWED_HOSTS=["rewards.example.com"], SECURE_SSL_REDIRECT=True)
@pytest.mark.parametrize("host", ["10.0.0.5:8000", "evil.example", "a b"])
@pytest.mark.usefixtures("token")
def test_with_a_token_neither_the_host_nor_plain_http_matters(host: str) -> None:
    assert ask(**AWAY, **bearer(TOKEN), HTTP_HOST=host).status_code == 200


@override_settings(ALLOWED_HOSTS=["rewards.example.com"], SECURE_SSL_REDIRECT=True)
def test_this_machine_needs_no_https() -> None:
    assert ask().status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(method: str) -> None:
    assert Client().generic(method, "/metrics").status_code == 405


def test_without_a_database_it_is_503() -> None:
    def away(*_: object) -> None:
        raise OperationalError("the database is away")

    with connection.execute_wrapper(away):
        assert ask().status_code == 503


def test_an_empty_server_has_figures() -> None:
    found = scrape()
    assert found["inbox_events",] == 0
    assert found["alarms_open", "inbox_stuck"] == 0
    assert found["parity_states_last_day", "both"] == 0


def test_it_tells_how_things_stand(client: Client, now: datetime) -> None:
    post_webhook(client, webhook_body())
    processing.drain()
    Purchase.objects.update(review="Two final states.")
    post_webhook(client, webhook_body({"waits": 1}))
    Refusal.objects.create(minute=now, status=401, genuine=True, count=3)
    Refusal.objects.create(minute=now, status=401, genuine=False, count=4)
    raise_alarm(Alarm.Kind.NEW_ACCOUNT, subject="acc-1", text="x", at=now)
    poll(now, "acc-1")
    CatalogueSync.objects.create(network="button", synced_at=now - HOUR, source="x")
    CatalogueSync.objects.create(network="button", synced_at=now, source="x", error="!")
    found = scrape()
    assert found["inbox_events",] == 1
    assert 0 <= found["inbox_oldest_seconds",] < 60
    assert found["events_last_hour", "settled", "webhook"] == 1
    assert found["events_last_hour", "waiting", "webhook"] == 1
    assert found["webhooks_refused_last_hour", "401"] == 7
    assert found["parity_states_last_day", "webhook"] == 1
    assert 0 <= found["lag_seconds", "0.99", "settling"] < 60
    assert found["lag_seconds", "0.5", "arrival"] > 3600
    assert 3600 <= found["poll_age_seconds", "acc-1"] < 3660
    assert found["windows_unfinished",] == 1
    assert 3600 <= found["catalogue_age_seconds", "button"] < 3660
    assert found["alarms_open", "new_account"] == 1
    assert found["purchases_in_review",] == 1


def test_fifty_accounts_take_as_many_queries_as_one(now: datetime) -> None:
    poll(now, "acc-0")
    with CaptureQueriesContext(connection) as one:
        scrape()
    for n in range(1, 50):
        poll(now, f"acc-{n}")
        raise_alarm(Alarm.Kind.NEW_ACCOUNT, subject=f"acc-{n}", text="x", at=now)
    with CaptureQueriesContext(connection) as fifty:
        scrape()
    assert len(fifty) == len(one)


def poll(now: datetime, external_id: str) -> None:
    account, _ = NetworkAccount.objects.get_or_create(
        network="button", external_id=external_id, defaults={"first_seen_at": now}
    )
    Poll.objects.create(account=account, read_at=now - HOUR)
    Window.objects.create(account=account, purpose="follow", start=now, opened_at=now)
