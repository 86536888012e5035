"""The made-up webhook: Button's format, really signed, really posted, settled."""

import json
import shlex
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion.button import samples
from ingestion.button.adapter import report_of_webhook
from ingestion.button.signature import is_authentic
from ingestion.management.commands.send_demo_webhook import post
from ingestion.models import InboundEvent
from ingestion.processing import drain
from rewards import demo
from tests.builders import NOW, SECRET, balances, purchase
from tests.processes import find_free_port

ORDER = "btnorder-00c0ffee00c0ffee"
STORES = [store.external_id for store in demo.STORES]


@pytest.fixture(autouse=True)
def demo_on(settings):
    settings.DEMO = True


def send(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("send_demo_webhook", *arguments, stdout=out, **options)
    return out.getvalue()


def sample(**changes: Any) -> samples.SampleOrder:
    values = {"stores": demo.STORES, "customer_id": "alice", "ordered_at": NOW}
    return samples.sample_order(changes.pop("order_id", ORDER), **{**values, **changes})


@pytest.fixture
def site(live_server):
    """A demo that is being served, and its webhook's address."""
    demo.make_world(at=NOW)
    return f"{live_server.url}/webhooks/button/"


def test_it_is_stored_and_settled_as_any_other(site):
    said = send(url=site, order=ORDER, total=12000)
    assert said.startswith("200 OK")
    assert f"--order {ORDER} --status validated" in said
    assert drain() == 1
    assert InboundEvent.objects.get().outcome == "settled"
    assert purchase(ORDER).member.customer_id == demo.CUSTOMER_ID
    assert balances(demo.CUSTOMER_ID)["points", "pending"] >= 120


def test_the_same_order_goes_on_from_where_it_stood(site):
    send(url=site, order=ORDER, total=5000)
    drain()
    first = purchase(ORDER)
    send(url=site, order="last", status="validated")
    drain()
    now = purchase(ORDER)
    assert (now.status, now.order_total) == ("validated", 5000)
    assert now.attributed_at == first.attributed_at
    assert now.merchant == first.merchant
    assert not now.flags


def test_a_decline_takes_everything(site):
    send(url=site, order=ORDER)
    send(url=site, order=ORDER, status="declined")
    drain()
    assert not balances(demo.CUSTOMER_ID)


def test_another_customer_can_shop(site):
    send(url=site, order=ORDER, customer="bob")
    drain()
    assert purchase(ORDER).member.customer_id == "bob"


def test_a_wrong_signature_is_told_and_fails(site, settings):
    body = samples.body(sample(), status="pending", at=NOW)
    assert post(site, body, "0" * 64) == 401
    assert not InboundEvent.objects.exists()


@pytest.mark.django_db
def test_a_server_that_is_down_is_told():
    url = f"http://127.0.0.1:{find_free_port()}/webhooks/button/"
    with pytest.raises(CommandError, match="does not answer") as error:
        send(url=url)
    assert error.value.returncode == 1


@pytest.mark.django_db
def test_print_curl_is_one_line_with_a_true_signature():
    said = send("--print-curl", order=ORDER)
    assert said.count("\n") == 1
    words = shlex.split(said)
    body = words[words.index("--data-binary") + 1].encode()
    [signature] = [w.split(": ")[1] for w in words if w.startswith("X-Button-Sig")]
    assert words[0] == "curl"
    assert words[-1] == "http://127.0.0.1:8000/webhooks/button/"
    assert is_authentic(body, signature=signature, secrets=[SECRET])
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"DEMO": False}, {}, "DEMO has to be on"),
        ({"BUTTON_WEBHOOK_SECRETS": []}, {}, "BUTTON_WEBHOOK_SECRETS is not set"),
        ({}, {"url": "http://rewards.example/webhooks/button/"}, "not on this machine"),
        ({}, {"url": "https://127.0.0.1/webhooks/button/"}, "not on this machine"),
        ({}, {"url": "file:///etc/hostname"}, "not on this machine"),
        ({}, {"total": -1}, "below zero"),
        ({}, {"order": "last"}, "No order of the demo member"),
    ],
)
@pytest.mark.django_db
def test_wrong_use_is_refused(settings, change, options, said):
    for name, value in change.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError, match=said) as error:
        send(**options)
    assert error.value.returncode == 2


@pytest.mark.parametrize("status", ["pending", "validated", "declined"])
@pytest.mark.parametrize("total", [None, 0, 1, 1000, 9_999_999])
def test_a_sample_is_understood_and_adds_up(status, total):
    at = NOW + timedelta(hours=1)
    order = sample(total=total)
    read = report_of_webhook(samples.body(order, status=status, at=at), received_at=at)
    assert read.status == status
    assert read.attributed_at == NOW
    assert read.merchant in STORES
    assert read.order_total == order.total == sum(line.total for line in read.lines)
    assert read.commission == sum(line.commission for line in read.lines)
    assert total is None or read.order_total == total


def test_the_same_order_has_the_same_goods():
    assert sample() == sample()
    assert sample(order_id=samples.new_order_id()) != sample()


def test_a_smaller_total_takes_goods_away():
    whole = sample()
    less = sample(total=whole.goods[0].total)
    assert list(less.goods) == [whole.goods[0]]


def test_each_delivery_is_another_attempt():
    now = timezone.now()
    one, two = (
        json.loads(samples.body(sample(), status="pending", at=now)) for _ in "ab"
    )
    assert one["data"] == two["data"]
    assert one["id"] != two["id"]
    assert one["request_id"] != two["request_id"]
