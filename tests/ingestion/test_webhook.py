"""The webhook's door, through real requests."""

import hmac
import io
import json

import pytest
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from ingestion.button.signature import is_authentic, sign
from ingestion.models import InboundEvent, Sighting
from tests.builders import SECRET, envelope, post_webhook, transaction, webhook_body

pytestmark = pytest.mark.django_db
URL = "/webhooks/button/"


@pytest.fixture
def door() -> Client:
    """As gunicorn would ask: no exception of ours may reach it."""
    return Client(raise_request_exception=False)


def test_a_signed_event_is_stored_as_received(door: Client) -> None:
    body = webhook_body()
    assert post_webhook(door, body).status_code == 200
    event = InboundEvent.objects.get()
    assert bytes(event.body) == body
    assert (event.event_type, event.delivery_id) == (
        "tx-pending",
        "hook-9e2b70d15ac84f36",
    )
    assert event.outcome == ""


def test_storing_is_one_statement(door: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        post_webhook(door, webhook_body())
    assert [q["sql"][:11] for q in queries] == ["INSERT INTO"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_slash_does_not_matter(door: Client, slash: str) -> None:
    body = webhook_body()
    answer = door.post(
        f"/webhooks/button{slash}",
        body,
        content_type="text/plain",
        headers={"X-Button-Signature": sign(body, secret=SECRET)},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 64, "0" * 63, "é" * 64, "sha256=" + "0" * 64, "a, b", "\udcff"],
)
def test_a_wrong_signature_is_401_and_stores_nothing(
    door: Client, signature: str
) -> None:
    answer = door.generic(
        "POST", URL, webhook_body(), HTTP_X_BUTTON_SIGNATURE=signature
    )
    assert answer.status_code == 401
    assert not InboundEvent.objects.exists()


def test_an_upper_case_signature_is_not_buttons(door: Client) -> None:
    body = webhook_body()
    loud = sign(body, secret=SECRET).upper()
    assert post_webhook(door, body, **{"X-Button-Signature": loud}).status_code == 401


def test_a_missing_signature_is_401(door: Client) -> None:
    assert door.generic("POST", URL, webhook_body()).status_code == 401


@override_settings(BUTTON_WEBHOOK_SECRETS=["new-secret", "", SECRET])
def test_any_of_several_secrets_verifies(door: Client) -> None:
    assert post_webhook(door, webhook_body()).status_code == 200


@override_settings(BUTTON_WEBHOOK_SECRETS=[])
def test_without_a_secret_it_is_503(door: Client) -> None:
    assert post_webhook(door, webhook_body()).status_code == 503


@override_settings(BUTTON_WEBHOOK_SECRETS=[""])
def test_an_empty_secret_verifies_nothing(door: Client) -> None:
    body = webhook_body()
    empty = hmac.new(b"", body, "sha256").hexdigest()
    assert post_webhook(door, body, **{"X-Button-Signature": empty}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(door: Client, method: str) -> None:
    assert door.generic(method, URL).status_code == 405


def test_more_than_the_limit_is_413(door: Client) -> None:
    with override_settings(MAX_WEBHOOK_BYTES=100):
        assert post_webhook(door, b"x" * 101).status_code == 413
        assert post_webhook(door, b"x" * 100).status_code == 200


def test_nine_megabytes_are_413_by_default(door: Client) -> None:
    assert post_webhook(door, b"x" * 9_000_000).status_code == 413
    assert not InboundEvent.objects.exists()


@override_settings(ALLOWED_HOSTS=["rewards.example.com"], SECURE_SSL_REDIRECT=True)
@pytest.mark.parametrize("host", ["evil.example", "a b", "[::1", "", "x" * 300])
def test_neither_the_host_nor_plain_http_matters(door: Client, host: str) -> None:
    answer = post_webhook(door, webhook_body(), Host=host)
    assert answer.status_code == 200


def test_a_session_cookie_and_an_origin_do_not_matter() -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    answer = post_webhook(
        strict, webhook_body(), Cookie="session=x", Origin="https://evil.example"
    )
    assert answer.status_code == 200


def test_what_cannot_be_stored_is_503(door: Client) -> None:
    def full(*_: object) -> None:
        raise OperationalError("database or disk is full")

    with connection.execute_wrapper(full):
        assert post_webhook(door, webhook_body()).status_code == 503
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "", "９"])
def test_an_odd_length_is_only_a_wrong_signature(door: Client, length: str) -> None:
    answer = door.generic(
        "POST", URL, CONTENT_LENGTH=length, **{"wsgi.input": io.BytesIO(b"{}")}
    )
    assert answer.status_code == 401


def test_a_retry_is_a_sighting_of_the_same_event(door: Client) -> None:
    for attempt in range(3):
        retry = webhook_body(id=f"hook-{attempt}", request_id=f"attempt-{attempt}")
        assert post_webhook(door, retry).status_code == 200
    event = InboundEvent.objects.get()
    sightings = Sighting.objects.order_by("id").values_list("attempt_id", flat=True)
    assert list(sightings) == ["attempt-1", "attempt-2"]
    assert event.attempt_id == "attempt-0"


def test_key_order_and_spaces_are_the_same_content(door: Client) -> None:
    data = transaction()
    post_webhook(door, webhook_body(data))
    turned = json.dumps(envelope(dict(reversed(data.items()))), indent=3).encode()
    post_webhook(door, turned)
    assert InboundEvent.objects.count() == 1


def test_one_id_with_other_content_is_another_event(door: Client) -> None:
    post_webhook(door, webhook_body())
    post_webhook(door, webhook_body(transaction(amount=1)))
    post_webhook(door, webhook_body(event_type="tx-validated"))
    assert InboundEvent.objects.count() == 3


def test_bytes_that_cannot_be_read_are_their_own_content(door: Client) -> None:
    for body in (b"\xff", b"\xff", b"\xfe"):
        assert post_webhook(door, body).status_code == 200
    assert InboundEvent.objects.count() == 2


def test_button_s_documented_signatures_verify() -> None:
    """Two vectors, the second with letters outside ASCII."""
    body = '{"note":"café €"}'.encode()
    digest = "649bbf7f1fed54d60eb01391a1e71aea11ff4be99f690009958e25e8536d8f08"
    secret = "whsec-docs-only-4242"
    assert is_authentic(body, signature=digest, secrets=[secret])
    assert not is_authentic(body, signature=digest, secrets=["another"])
