"""Tests that Button's own Python client reads the sandbox, and agrees on signatures."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pybutton import Client
from pybutton.error import ButtonClientError
from pybutton.utils import is_webhook_authentic

from ingestion.button.signature import is_authentic, sign

pytestmark = pytest.mark.once

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def client(sandbox):
    config = {"hostname": "127.0.0.1", "port": sandbox.server.port, "secure": False}
    return Client(sandbox.api_key, {**config, "timeout": 10})


def test_it_reads_accounts_and_all_pages(sandbox, client):
    sandbox.load(sandbox.made_up(120, start=NOON - timedelta(days=2), end=NOON))
    [account] = client.accounts.all().data()
    assert account["id"] == sandbox.account()
    for read in (
        client.transactions.all,
        lambda **given: client.accounts.transactions(account["id"], **given),
    ):
        found, cursor = [], None
        while True:
            page = read(cursor=cursor)
            found += [row["id"] for row in page.data()]
            cursor = page.next_cursor()
            if cursor is None:
                break
        assert len(found) == 120
        assert set(found) == {one.transaction_id for one in sandbox.truth()}


def test_it_reads_merchants_and_makes_links(client):
    assert len(client.merchants.all(status="approved").data()) == 8
    url = "https://www.fernandfield.example/pots"
    made = client.links.create({"url": url, "experience": {"btn_pub_user": "a"}})
    assert made.data()["links"]["universal"]
    assert client.links.get_info({"url": url}).data()["approved"] is True
    with pytest.raises(ButtonClientError, match="No brand"):
        client.links.create({"url": "https://nobody.example"})


def test_it_agrees_on_10_000_signatures():
    chance = Random(7)
    for _ in range(10_000):
        body = chance.randbytes(chance.randrange(400))
        secret = f"{chance.getrandbits(64):x}é"
        signature = sign(body, secret=secret)
        assert is_webhook_authentic(secret, body, signature)
        assert is_authentic(body, signature=signature, secrets=[secret])
    wrong = sign(b"x", secret="other")
    assert not is_webhook_authentic("secret", b"x", wrong)
    assert not is_authentic(b"x", signature=wrong, secrets=["secret"])
