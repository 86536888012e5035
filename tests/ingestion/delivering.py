"""Reports of ours as Button would have sent them, taken in at any instant."""

from datetime import datetime
from typing import Any

import time_machine

from ingestion import inbox, processing
from ingestion.button.envelope import webhook_delivery
from ingestion.models import InboundEvent
from rewards.reports import PurchaseReport
from tests.builders import NOW, webhook_body


def deliver(*reports: PurchaseReport, at: datetime = NOW) -> None:
    """Have Button tell of these, and handle them in one batch at that instant."""
    for told in reports:
        inbox.store(webhook_delivery(webhook_body(data_of(told))), at=at)
    with time_machine.travel(at, tick=False):
        processing.drain()
    assert not InboundEvent.objects.filter(outcome="").exists()


def data_of(report: PurchaseReport) -> dict[str, Any]:
    """The transaction object that reads as this report, which has no lines."""
    return {
        "id": report.transaction_id,
        "status": report.status,
        "category": report.category,
        "amount": report.commission,
        "currency": report.currency,
        "order_total": report.order_total,
        "order_currency": report.order_currency,
        "button_order_id": report.order_id or None,
        "customer_order_id": report.order_number or None,
        "publisher_customer_id": report.customer_id or None,
        "pub_ref": report.click_reference or None,
        "commerce_organization": report.merchant,
        "commerce_organization_name": report.merchant_name,
        "account_id": report.account,
        "modified_date": report.modified_at.isoformat(),
        "attribution_date": report.attributed_at.isoformat(),
        "country": report.country or None,
    }
