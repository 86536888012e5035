"""Words for tests of backtests: orders of several members, a program tried on them."""

from datetime import datetime, timedelta
from typing import Any

from rewards.backtests import ask
from rewards.backtests.running import work
from rewards.models import Backtest
from rewards.program import vocabulary
from tests.builders import NOW, ORDERED, POINTS, program, report, settle_reports

WORTH = {"amount": "0.01", "currency": "USD"}
POINTS_OF_A_CENT = POINTS | {"value": WORTH}


def order(
    n: int, customer_id: str = "alice", total: int = 1000, days: int = 0, **more: Any
) -> None:
    """Order ``n``, attributed so many days after the usual one."""
    at = ORDERED + timedelta(days=days)
    settle_reports(
        report(
            **{
                "transaction_id": f"tx-{n}",
                "order_id": f"btnorder-{n}",
                "customer_id": customer_id,
                "order_total": total,
                "commission": total // 10,
                "attributed_at": at,
                "modified_at": at,
                **more,
            }
        )
    )


def content_of(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A checked program's plain data, its points worth a cent."""
    units = more.pop("units", [POINTS_OF_A_CENT, program()["units"][1]])
    return vocabulary.dump(vocabulary.parse(program(*rules, units=units) | more))


def tried(
    *rules: dict[str, Any],
    start: datetime | None = None,
    end: datetime | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What comes of these rules on everything that was settled."""
    return finish(ask(content_of(*rules, **more), start=start, end=end, at=NOW))


def finish(backtest: Backtest) -> dict[str, Any]:
    """Do its work, as a worker would; the result."""
    work()
    backtest.refresh_from_db()
    assert backtest.result is not None, backtest.error
    return backtest.result


def unit_of(result: dict[str, Any], code: str = "points") -> dict[str, Any]:
    return next(row for row in result["units"] if row["unit"]["code"] == code)


def rule_of(result: dict[str, Any], key: str) -> dict[str, Any]:
    return next(row for row in result["rules"] if row["rule"] == key)
