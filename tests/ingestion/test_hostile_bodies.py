"""Hostile bodies: acknowledged, kept, and each with one readable outcome."""

import pytest
from django.test import Client

from ingestion.models import InboundEvent
from ingestion.processing import drain
from rewards.verification import checks
from tests.builders import post_webhook, publish_program
from tests.ingestion.hostile import bodies

CORPUS = dict(bodies())


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 150


@pytest.mark.django_db
def test_every_signed_body_ends_in_exactly_one_outcome() -> None:
    publish_program()
    door = Client(raise_request_exception=False)
    statuses = {
        name: post_webhook(door, body).status_code for name, body in CORPUS.items()
    }
    assert {name: code for name, code in statuses.items() if code != 200} == {}
    drain()
    events = list(InboundEvent.objects.all())
    assert [event.pk for event in events if not event.outcome] == []
    mute = [e for e in events if e.outcome == "quarantined" and not e.reason]
    assert mute == []
    assert [check for check in checks() if check.violations] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("status cancelled", "The event type says “tx-pending”"),
        ("category refund", "The category “refund” is unknown."),
        ("the type 'tx-adjusted'", "The event type “tx-adjusted” is unknown."),
        ("tx-validated says pending", "and the status says “pending”"),
        ("nothing", "The body is not JSON"),
        ("a key twice", "The body has a key twice"),
        ("invalid UTF-8", "The body is not UTF-8"),
        ("100 levels of arrays", "nested more than 32 levels"),
        ("amount NaN", "The body has the number NaN."),
        ("amount is a number as text", "amount: is no whole number"),
        ("amount is true", "amount: is no whole number"),
        ("amount is a googol", "amount: is beyond all reason"),
        ("currency is a text", "currency: “ABC” is no ISO 4217 currency."),
        ("currency is missing", "currency: is missing, so its amount can't be read."),
        ("modified 9999-12-31T23:59:59Z", "modified_date: is in the future."),
        ("modified 2026-02-30T00:00:00Z", "is no time that exists"),
        ("id is missing", "id: is missing"),
        ("10,000 lines", "order_line_items: List should have at most 1000 items"),
    ],
)
def test_quarantine_says_what_is_wrong(name: str, reason: str) -> None:
    post_webhook(Client(), CORPUS[name])
    assert drain() == 1
    event = InboundEvent.objects.get()
    assert event.outcome == "quarantined"
    assert reason in event.reason
