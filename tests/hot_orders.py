"""Programs for tests/rewards/test_concurrency.py: `python -m tests.hot_orders NAME`."""

import os
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier, Event
from time import sleep

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, close_old_connections, connection, transaction
from django.db.models import QuerySet
from django.test import override_settings
from psycopg.errors import DeadlockDetected

from rewards.decisions import (
    assign_nobodys,
    decide_account,
    newest_final,
    resolve_newest,
)
from rewards.members import put_member
from rewards.models import Decision, Member, NetworkAccount, Purchase
from rewards.program import draft, vocabulary
from rewards.publishing import publish_draft
from rewards.races import Raced
from rewards.refusals import Refused
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    fixed,
    program,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)

WORKERS, ORDERS, REPORTS, ROUNDS = 8, 3, 240, 3


def storm() -> int:
    """Many adjustments of few orders at once, checked after every round."""
    chance, violations = random.Random(7), 0
    for round in range(ROUNDS):
        reports = [
            report(
                order_id=f"hot-{round}-{n % ORDERS}",
                transaction_id=f"tx-{round}-{n % ORDERS}",
                order_total=chance.randrange(10_000),
                customer_id=chance.choice(["alice", "bob", "carol"]),
                modified_at=ORDERED + timedelta(seconds=chance.randrange(10**6)),
            )
            for n in range(REPORTS)
        ]
        batches = [reports[n : n + 3] for n in range(0, REPORTS, 3)]
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(_settle, batches))
        violations += sum(check.violations for check in checks())
        for order in range(ORDERS):
            own = [r for r in reports if r.order_id == f"hot-{round}-{order}"]
            last = max(own, key=lambda r: r.rank)
            shown = Purchase.objects.get(order_key=last.order_id)
            violations += shown.order_total != last.order_total
    print(f"{ROUNDS * REPORTS} reports, {WORKERS} workers, {violations} violations")
    return int(violations > 0)


def overtake() -> int:
    """The second report is settled while the first has not committed yet."""
    if os.environ.get("WITHOUT_ROW_LOCK"):
        QuerySet.select_for_update = lambda self, **_: self  # type: ignore[assignment]
    settle_reports(report())
    written, go_on = Event(), Event()

    def first() -> None:
        with transaction.atomic():
            settle_reports(
                report(order_total=6000, modified_at=ORDERED + timedelta(seconds=1))
            )
            written.set()
            go_on.wait(1)

    def second() -> None:
        written.wait()
        settle_reports(
            report(order_total=12000, modified_at=ORDERED + timedelta(seconds=2))
        )
        go_on.set()

    _together(first, second)
    found = balances()["points", "pending"]
    print(f"expected 120, found {found}")
    return int(found != 120)


def newborn() -> int:
    """Two workers hold different reports of an order that has no row yet."""
    barrier = Barrier(2)
    raced = []
    for round in range(25):

        def meet(total: int, order: str = f"new-{round}") -> None:
            one = report(
                order_id=order,
                order_total=total,
                modified_at=ORDERED + timedelta(seconds=total),
            )
            barrier.wait()
            try:
                settle_reports(one)
            except Raced:
                raced.append(order)
                settle_reports(one)

        _together(lambda: meet(6000), lambda: meet(12000))
        assert purchase(f"new-{round}").reports.count() == 2
    violations = sum(check.violations for check in checks())
    print(f"raced {len(raced)} times of 25, {violations} violations")
    return int(violations > 0 or balances() != {("points", "pending"): 120 * 25})


def twins() -> int:
    """Two workers meet one order in two accounts, and both think it is the first."""
    barrier = Barrier(2)
    for round in range(15):

        def meet(account: str, order: str = f"twin-{round}") -> None:
            one = report(order_id=order, account=account, transaction_id=account)
            barrier.wait()
            _settle([one])

        _together(lambda: meet("acc-1"), lambda: meet("acc-2"))
    held = Purchase.objects.exclude(review="").count()
    print(f"{held} of 15 wait for staff, {balances()}")
    return int(held != 15 or balances() != {("points", "pending"): 91 * 15})


def budget() -> int:
    """More orders of one point than a budget has points, by few members."""
    year = {"amount": 1000, "period": "year"}
    publish_program(rule(limits={"budget": 1000, "per_member": year}))
    chance, members = random.Random(7), [f"member-{n}" for n in range(12)]
    orders = [
        report(
            order_id=f"one-{n}",
            transaction_id=f"tx-{n}",
            order_total=100,
            customer_id=chance.choice(members),
        )
        for n in range(1200)
    ]
    batches = [orders[n : n + 10] for n in range(0, len(orders), 10)]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(_settle_for_changing_member, batches))
    granted = sum(amount for m in members for amount in balances(m).values())
    violations = sum(check.violations for check in checks())
    print(f"{granted} granted of 1000, {violations} violations")
    return int(granted != 1000 or violations > 0)


def firsts() -> int:
    """Two workers settle two orders of a member who had none before."""
    publish_program(rule(reward=fixed("5"), when={"first_purchase": "ever"}))
    barrier, wrong = Barrier(2), 0

    def meet(order: str, member: str) -> None:
        one = report(order_id=order, transaction_id=order, customer_id=member)
        barrier.wait()
        settle_reports(one)

    for round in range(25):
        member = f"member-{round}"
        put_member(member, at=NOW)
        orders = [partial(meet, f"{member}-{n}", member) for n in (1, 2)]
        _together(*orders)
        wrong += balances(member) != {("points", "pending"): 5}
    print(f"{wrong} of 25 had two first orders, or none")
    return int(wrong > 0)


def decide() -> int:
    """Staff exclude an account while its first order is being settled."""
    settle_reports(report(order_id="known", order_total=0))
    account = NetworkAccount.objects.get()
    _while_settling(
        lambda: decide_account(account, rewarding=False, reason="No", by=None, at=NOW)
    )
    print(f"expected nothing, found {balances()}")
    return int(bool(balances()))


def publish() -> int:
    """The first edition is published while an order is being settled without one."""
    draft.replace(vocabulary.parse(program()))
    _while_settling(lambda: publish_draft(now=NOW))
    print(f"expected 91, found {balances()}")
    return int(balances() != {("points", "pending"): 91})


def enrol() -> int:
    """A member is made while the first order under that id is being settled."""
    with override_settings(MEMBERS_AUTO_ENROLL=False):
        _while_settling(lambda: put_member("alice", at=NOW))
    print(f"expected 91, found {balances()}")
    return int(balances() != {("points", "pending"): 91})


def line() -> int:
    """An edition is published while orders are settled one upon the other."""
    ended = []

    def publish() -> None:
        publish_draft(now=NOW)
        ended.append("publishing")

    def settle() -> None:
        sleep(0.2)  # the first is not committed yet, and publishing waits for it
        settle_reports(report(order_id="next", transaction_id="tx-next"))
        ended.append("settling")

    _while_settling(lambda: _together(publish, settle))
    print(f"expected publishing first, found {ended}")
    return int(ended != ["publishing", "settling"])


def claim() -> int:
    """Two people assign one purchase of nobody to two members: one of them does."""
    settle_reports(report(customer_id=""))
    clerks = [User.objects.create_user(name) for name in ("ann", "ben")]
    members = [put_member(f"member-{name}", at=NOW)[0] for name in ("one", "two")]
    said: list[str] = []

    def give(clerk: User, member: Member) -> None:
        try:
            assign_nobodys(purchase(), member=member, reason="Hers.", by=clerk, at=NOW)
        except Refused as why:
            said.append(str(why))

    pairs = zip(clerks, members, strict=True)
    _together(*(partial(give, clerk, member) for clerk, member in pairs))
    owner = purchase().member
    print(f"{owner} has it; {said}; {Decision.objects.count()} decided")
    paid = sum(sum(balances(member.customer_id).values()) for member in members)
    right = said == [f"It belongs to {owner} already."] and paid == 91
    return int(not right or Decision.objects.count() != 1)


def judge() -> int:
    """Two people resolve one review on the same report: one decision is made."""
    settle_reports(report(status="validated"))
    later = ORDERED + timedelta(hours=1)
    settle_reports(report(status="declined", modified_at=later))
    clerks = [User.objects.create_user(name) for name in ("ann", "ben")]
    newest = newest_final([purchase()])[purchase().pk]
    said: list[str] = []

    def resolve(clerk: User) -> None:
        try:
            resolve_newest(purchase(), report=newest, reason="x", by=clerk, at=NOW)
        except Refused as why:
            said.append(str(why))

    _together(*(partial(resolve, clerk) for clerk in clerks))
    print(f"{said}; {Decision.objects.count()} decided; {balances()}")
    once = Decision.objects.count() == 1 and not balances()
    return int(not once or said != ["It is not in review any more."])


def _while_settling(change: Callable[[], object]) -> None:
    """Make a change after an order was settled and before that is committed."""
    written = Event()

    def worker() -> None:
        with transaction.atomic():
            settle_reports(report())
            written.set()
            sleep(0.5)

    def other() -> None:
        written.wait()
        change()

    _together(worker, other)


def _settle_for_changing_member(batch: list) -> None:
    """While the host application changes one of its members; nothing may deadlock."""
    try:
        put_member(batch[0].customer_id, at=NOW, segments=[batch[0].order_id])
        _settle(batch)
    except OperationalError as error:
        if isinstance(error.__cause__, DeadlockDetected):
            raise
        _settle(batch)  # a slow machine has waited too long for a lock


def _settle(batch: list) -> None:
    """As a worker would: whatever the database can't do now is done again."""
    for _ in range(20):
        try:
            settle_reports(*batch)
            break
        except (Raced, OperationalError) as error:
            assert not isinstance(error.__cause__, DeadlockDetected)
            close_old_connections()
    else:
        raise AssertionError("never settled")
    connection.close()


def _together(*tasks: Callable[[], None]) -> None:
    def run(task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result()


def main(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    if name not in ("publish", "budget", "firsts"):
        publish_program()
    return PROGRAMS[name]()


PROGRAMS = {
    "storm": storm,
    "overtake": overtake,
    "newborn": newborn,
    "twins": twins,
    "budget": budget,
    "firsts": firsts,
    "decide": decide,
    "publish": publish,
    "enrol": enrol,
    "line": line,
    "claim": claim,
    "judge": judge,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
