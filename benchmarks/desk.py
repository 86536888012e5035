"""Every page of the admin over a million purchases: server time and queries.

`make bench-desk`. The ledger of benchmarks.verify with orders spread over a year, a
million and a half events and 200,000 members. Each list, each of its filters, a search
for what is there and one for what is not, an object's page and its history, and the
pages of our own are asked for in this process, once to warm up and three times for the
median. Prints the five slowest and the five with most queries; exits with 1 where one
is over the goal.
"""

import argparse
import logging
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import verify, world

PURCHASES, SHORT = 1_000_000, 5_000
MEMBERS_IN = 5
GOAL_MS, GOAL_QUERIES = 300, 25
TAKEN = 3
CHOICES = 3  # of each filter
WORST = 5

# Orders spread over a year, half of the latest still pending; some in review, some
# nobody's; three events for two purchases, a few of them in quarantine.
SPREAD = """
UPDATE rewards_purchase SET attributed_at = now() - (id % 400) * interval '1 day',
    order_number = 'store-' || id, due_at = NULL;
UPDATE rewards_purchase SET review = 'Two final states.' WHERE id % 2000 = 7;
UPDATE rewards_purchase SET member_id = NULL WHERE id % 500 = 3;

INSERT INTO ingestion_inboundevent (network, source, digest, event_type, delivery_id,
    attempt_id, body, received_at, account, confirmed, attempts, claimed_by, outcome,
    reason, handled_at, purchase_id)
SELECT 'button', 'webhook', decode(md5(n::text), 'hex'), 'tx-pending', 'hook-' || n, '',
    '{{"id": "x", "data": {{"id": "tx-1"}}}}'::bytea,
    now() - (n % 400) * interval '1 day', 'acc-1', 0, 1, '',
    CASE WHEN n % 5000 = 1 THEN 'quarantined' ELSE 'settled' END, '',
    now() - (n % 400) * interval '1 day' + interval '1 second',
    CASE WHEN n % 5000 = 1 THEN NULL ELSE 1 + n % {purchases} END
FROM generate_series(1, {events}) n;

INSERT INTO merchants_click (reference, customer_id, merchant_id, clicked_at, shown)
SELECT 'click-' || n, 'member-' || n, 1, now() - (n % 400) * interval '1 day', '{{}}'
FROM generate_series(1, {members}) n;
VACUUM ANALYZE
"""


@dataclass(frozen=True)
class Page:
    """One address, and what its answer cost: milliseconds, and queries."""

    url: str
    status: int
    milliseconds: float
    queries: int
    slowest: str = ""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT:,} purchases")
    options = parser.parse_args(arguments)
    purchases = SHORT if options.short else PURCHASES
    with world.database():
        prepare(purchases)
        pages = list(measured())
    report(pages, purchases)
    over = [p for p in pages if p.queries > GOAL_QUERIES or p.status >= 400]
    if not options.short:
        over += [page for page in pages if page.milliseconds > GOAL_MS]
    for page in over:
        print(f"over the goal: {page.url} ({page.status})")
    return 1 if over else 0


def prepare(purchases: int) -> None:
    members = purchases // MEMBERS_IN
    verify.prepare(purchases, members=members)
    values = {
        "purchases": purchases,
        "members": members,
        "events": purchases * 3 // 2,
    }
    with world.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in SPREAD.split(";\n"):
            connection.execute(statement.format(**values))


def measured() -> Iterator[Page]:
    """Every page, as a superuser sees it."""
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.test import Client
    from django.test.utils import setup_test_environment

    logging.disable(logging.WARNING)
    setup_test_environment()
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    for url in urls(client):
        client.get(url, secure=True)
        taken = []
        for _ in range(TAKEN):
            cache.clear()  # what is remembered for a minute was asked for once
            taken.append(ask(client, url))
        median = statistics.median(page.milliseconds for page in taken)
        last = taken[-1]
        yield Page(url, last.status, median, last.queries, last.slowest)


def ask(client: Any, url: str) -> Page:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        began = time.perf_counter()
        response = client.get(url, secure=True)
        if response.streaming:
            b"".join(response.streaming_content)
        taken = 1000 * (time.perf_counter() - began)
    slowest = max(queries.captured_queries, key=lambda q: float(q["time"]), default={})
    said = f"{slowest.get('time')} s: {str(slowest.get('sql'))[:600]}"
    return Page(url, response.status_code, taken, len(queries), said)


def urls(client: Any) -> Iterator[str]:
    """Each list with each filter and search, an object of each, and our own pages."""
    from django.contrib import admin
    from django.urls import reverse

    for name in ("admin:index", "health"):
        yield reverse(name)
    for name in ("liability", "breakage", "margins", "unpaid"):
        yield reverse(f"admin:rewards_close_{name}")
    for term in ("member-7", "order-77", "tx-77", "store-77", "click-7", "nothing"):
        yield reverse("find") + f"?q={term}"
    for model, one in admin.site._registry.items():
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        changelist = reverse(f"{place}_changelist")
        yield changelist
        for query in filters(client, changelist):
            yield changelist + query
        if one.search_fields:
            yield f"{changelist}?q=member-7"
            yield f"{changelist}?q=nothing"
        for pk in some(model):
            yield reverse(f"{place}_change", args=[pk])
            yield reverse(f"{place}_history", args=[pk])


def filters(client: Any, url: str) -> Iterator[str]:
    """A few choices of each filter of a list."""
    response = client.get(url, secure=True)
    changelist = response.context["cl"] if response.context else None
    for spec in changelist.filter_specs if changelist else ():  # one row, no list
        for choice in list(spec.choices(changelist))[1 : 1 + CHOICES]:
            query = choice.get("query_string", "")
            if query and query != "?":
                yield query


def some(model: Any) -> Iterator[Any]:
    """The first and the last object: one with a long history, and a new one."""
    rows = model._default_manager.order_by("pk").values_list("pk", flat=True)
    yield from dict.fromkeys(filter(None, (rows.first(), rows.last())))


def report(pages: Sequence[Page], purchases: int) -> None:
    print(
        f"{len(pages)} pages over {purchases:,} purchases, goal {GOAL_MS} ms and"
        f" {GOAL_QUERIES} queries"
    )
    print(f"the {WORST} slowest (median of {TAKEN})")
    for page in sorted(pages, key=lambda p: -p.milliseconds)[:WORST]:
        print(f"{page.milliseconds:7.0f} ms {page.queries:3} queries  {page.url}")
        if page.milliseconds > GOAL_MS:
            print(f"           {page.slowest}")
    print(f"the {WORST} with most queries")
    for page in sorted(pages, key=lambda p: -p.queries)[:WORST]:
        print(f"{page.milliseconds:7.0f} ms {page.queries:3} queries  {page.url}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
