"""What the benchmarks stand on: a PostgreSQL of their own, a program, stored orders."""

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg

from tests import postgres

MERCHANTS = [f"org-{n:016x}" for n in range(50)]
MEMBERS = [f"member-{n}" for n in range(10_000)]
SECRET = "benchmark-webhook-secret"
START = datetime(2026, 5, 1, tzinfo=UTC)


@contextmanager
def database(*, connections: int = 100) -> Iterator[str]:
    """Run a new PostgreSQL, migrated; yield its URL. Django is set up for it."""
    with postgres.server(connections=connections) as url:
        os.environ |= environment(url)
        set_up()
        yield url


def set_up() -> None:
    """Set Django up in the environment as it now is, and migrate."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def connect() -> psycopg.Connection:
    """A bare connection to the benchmark's database, committing each statement."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    return psycopg.connect(
        dbname=database["NAME"],
        user=database["USER"],
        host=database["HOST"],
        autocommit=True,
    )


def environment(url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "loyalty_site.settings",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "benchmark-" + "x" * 50,
        "BUTTON_WEBHOOK_SECRETS": SECRET,
    }


def program() -> dict[str, object]:
    """Twenty rules as a publisher would have them: most name stores, some add up."""
    rules = [_rule("welcome", "bonus", {"min_order_total": "20"}, _fixed("5"))]
    rules += [
        _rule(
            f"boost-{n}",
            "bonus",
            {
                "merchants": MERCHANTS[n * 3 : n * 3 + 3],
                "starts_at": (START + timedelta(days=n)).isoformat(),
                "ends_at": (START + timedelta(days=n + 30)).isoformat(),
            },
            _per("2"),
        )
        for n in range(8)
    ]
    rules += [
        _rule(f"store-{n}", "base", {"merchants": MERCHANTS[n::9]}, _per(f"{n + 1}"))
        for n in range(9)
    ]
    rules.append(_rule("everything", "base", {}, _per("1")))
    half = {"kind": "share", "percent": "50", "of": "commission"}
    rules.append(_rule("half", "base", {}, half, unit="USD"))
    units = [
        {"code": "points", "name": "point", "name_plural": "points", "decimals": 0},
        {"code": "USD", "name": "dollar", "name_plural": "dollars", "decimals": 2},
    ]
    return {
        "format": 1,
        "units": [unit | {"rounding": "floor"} for unit in units],
        "rules": rules,
    }


def order(n: int, chance: random.Random) -> bytes:
    """One documented tx-pending webhook, about a kilobyte and a half."""
    prices = [chance.randrange(500, 20_000) for _ in range(chance.randrange(1, 6))]
    at = START + timedelta(seconds=chance.randrange(60 * 24 * 3600))
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{chance.randrange(1000):03}Z"
    return json.dumps(
        {
            "id": f"hook-{n:016x}",
            "request_id": f"attempt-{n:016x}",
            "event_type": "tx-pending",
            "data": {
                "id": f"tx-{n:016x}",
                "status": "pending",
                "category": "existing-user-order",
                "amount": sum(price // 20 for price in prices),
                "currency": "USD",
                "order_total": sum(prices),
                "order_currency": "USD",
                "button_order_id": f"btnorder-{n:016x}",
                "order_id": None,
                "publisher_customer_id": chance.choice(MEMBERS),
                "pub_ref": None,
                "btn_ref": f"srctok-{n:016x}",
                "commerce_organization": chance.choice(MERCHANTS),
                "publisher_organization": "org-ffffffffffffffff",
                "account_id": "acc-0000000000000001",
                "created_date": stamp,
                "modified_date": stamp,
                "validated_date": None,
                "attribution_date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "order_purchase_date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "order_click_channel": "webview",
                "order_line_items": [_line(i, price) for i, price in enumerate(prices)],
            },
        }
    ).encode()


def _line(index: int, price: int) -> dict[str, object]:
    return {
        "identifier": f"L{index}",
        "sku": f"SKU-{price}",
        "category": "HOME",
        "subcategory1": "LIGHTING",
        "description": "Desk lamp",
        "quantity": 1,
        "amount": price,
        "total": price,
        "publisher_commission": price // 20,
        "attributes": {"colour": "sand"},
    }


def _rule(
    key: str,
    group: str,
    when: dict[str, object],
    reward: dict[str, str],
    unit: str = "points",
) -> dict[str, object]:
    if when.keys() & {"min_order_total"}:
        when = when | {"currencies": ["USD"]}
    return {
        "key": key,
        "label": key,
        "group": group,
        "unit": unit,
        "when": when,
        "reward": reward,
    }


def _fixed(points: str) -> dict[str, str]:
    return {"kind": "fixed", "points": points}


def _per(points: str) -> dict[str, str]:
    return {"kind": "per_amount", "points": points, "per": "1.00", "of": "order_total"}
