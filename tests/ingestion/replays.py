"""A small history, and what comes out otherwise when it is replayed."""

from datetime import timedelta
from typing import Any

from ingestion.replaying import replay
from tests.builders import (
    MERCHANT,
    ORDERED,
    make_member,
    publish_program,
    report,
    rule,
)
from tests.ingestion.delivering import deliver


def make_history() -> None:
    """Two orders of alice that are final, and one of bob at another store."""
    publish_program(rule(expires_after_days=30))
    make_member("alice")
    make_member("bob")
    for number in (1, 2):
        told = {
            "order_id": f"order-{number}",
            "transaction_id": f"tx-{number}",
            "merchant": MERCHANT,
        }
        deliver(report(**told))
        final = {"status": "validated", "modified_at": ORDERED + timedelta(days=1)}
        deliver(report(**told, **final))
    deliver(
        report(
            order_id="order-3",
            transaction_id="tx-3",
            merchant="org-x",
            customer_id="bob",
            attributed_at=ORDERED + timedelta(days=3),
        )
    )


def differences(**options: Any) -> list[str]:
    return [str(difference) for difference in replay(**options).differences]
