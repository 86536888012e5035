"""The sandbox beside our server: shoppers leave through it, it says what it made."""

from typing import Any

import pytest
from django.core.management import call_command

from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.catalogue import LIVE
from ingestion.button.sandbox.traffic import Traffic
from merchants.models import Click
from rewards.models import Purchase
from tests.builders import make_api_key, make_merchant, publish_program
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def beside(live_server: Any, settings: Any) -> Any:
    """A sandbox whose webhooks and shoppers come to our own, running server."""
    publish_program()
    for brand in LIVE:
        make_merchant(
            brand.name,
            external_id=brand.id,
            homepage_url=f"https://{brand.hosts[0]}/",
            hosts=list(brand.hosts),
        )
    settings.BUTTON_ORGANIZATION_ID = "org-ours"
    with Sandbox(
        organization="org-ours",
        secret=settings.BUTTON_WEBHOOK_SECRETS[0],
        receiver=f"{live_server.url}/webhooks/button/",
        server_url=live_server.url,
        server_key=make_api_key("sandbox"),
    ) as sandbox:
        yield sandbox


def test_shoppers_leave_through_our_server(beside: Sandbox) -> None:
    order = Traffic(beside, shoppers=1, seed=1).step()
    assert order
    click = Click.objects.get()
    assert order.pub_ref == click.reference
    assert click.customer_id == order.customer == "shopper-001"
    wait_until(lambda: not beside.webhooks.waiting())
    call_command("process_events")
    assert Purchase.objects.get().click == click
    assert beside.own_server.opinion_of(order.key).startswith("pending: ")


def test_an_order_that_our_server_does_not_know(beside: Sandbox) -> None:
    assert beside.own_server.opinion_of("btnorder-nobody") == "unknown"


def test_without_a_key_shoppers_come_some_other_way() -> None:
    with Sandbox() as sandbox:
        assert sandbox.own_server.leave("shopper-001", store=LIVE[0].id) == ""
        order = Traffic(sandbox, shoppers=1, seed=1).step()
        assert order
        assert order.pub_ref is None
