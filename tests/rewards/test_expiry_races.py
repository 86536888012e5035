"""Expiry while something else of the same member is posted: neither stops the other."""

from datetime import timedelta

import pytest
from django.db import connection

from rewards import ledger
from rewards.ledger import expiries
from rewards.models import Transfer
from tests.builders import NOW, balances, publish_program, rule
from tests.rewards.redeemers import violations
from tests.rewards.spending import earn
from tests.rewards.test_erasure_races import begin, pause

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has one writer."
    ),
]

ENDED = NOW + timedelta(days=31)


def test_an_order_settled_meanwhile_waits_and_no_one_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The member's pending account is the older one, and locked first by settling."""
    publish_program(rule(expires_after_days=30))
    earn("1", status="pending")
    earn("1")
    come, go_on = pause(monkeypatch, ledger, "post")
    expiring = begin(lambda: expiries.expire(at=ENDED))
    assert come.wait(20)
    monkeypatch.undo()
    settling = begin(lambda: earn("2", 1000, at=ENDED))
    settling.join(0.5)
    assert settling.is_alive(), "it waits for the lots to go"
    go_on.set()
    expiring.join()
    settling.join()
    assert Transfer.objects.filter(source="expiry").count() == 1
    assert balances() == {("points", "available"): 10}
    assert violations() == {}
