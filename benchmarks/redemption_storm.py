"""Redemptions under kill -9 and double clicks. `make redemption-storm`.

Poor members, and many clients that redeem for them at once: most are processes that
are killed again and again, some call a real server whose workers are. In the end
nobody has spent more than they had, nothing was handed over twice, nothing is stuck.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import local

from benchmarks import redeemers, world
from benchmarks.redeemers import PRICE, Attempt, Log
from benchmarks.redemption_faults import faults, summary
from loyalty_site.supervisor import die_with_parent
from tests import postgres
from tests.processes import find_descendants, find_free_port, wait_until

WEB_CLIENTS = 8
STOCK, CODES, TIMES = 2_000, 2_000, 3
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Size:
    attempts: int
    members: int
    processes: int
    clients: int  # of a process
    kills: int


FULL = Size(100_000, 1_000, processes=8, clients=24, kills=80)
SHORT = Size(300, 20, processes=2, clients=8, kills=2)


@dataclass
class Storm:
    """One run: where its processes write what they did, and who runs."""

    size: Size
    seed: str
    logs: Path
    port: int = 0
    killed: Counter[str] = field(default_factory=Counter)

    def environment(self) -> dict[str, str]:
        size = vars(self.size)
        told = {f"STORM_{name}": str(size[name.lower()]) for name in redeemers.TOLD}
        return (
            os.environ | told | {"STORM_LOGS": str(self.logs), "STORM_SEED": self.seed}
        )

    def attempt(self, number: int) -> Attempt:
        return Attempt.of(number, members=self.size.members, seed=self.seed)

    def answers(self) -> dict[int, str]:
        """What became of every attempt that has ended."""
        logs = [Log(path).done() for path in self.logs.glob("[!.]*")]
        return {number: said for log in logs for number, said in log.items()}

    def retried(self) -> dict[str, int]:
        """What the database could not do at once, how often."""
        return dict(Counter((self.logs / ".retried").read_text().split("\n")[:-1]))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--attempts", type=int, help="another number of them")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args(arguments)
    size = SHORT if options.short else FULL
    if options.attempts:
        size = replace(size, attempts=options.attempts)
    clients = size.processes * size.clients + WEB_CLIENTS
    with (
        world.database(connections=clients + 20),
        tempfile.TemporaryDirectory(prefix="loyalty-storm-") as logs,
    ):
        return rage(Storm(size, options.seed, Path(logs)), clients)


def rage(storm: Storm, clients: int) -> int:
    """Fill, storm, let the rest come to its end, compare; 1 where anything is off."""
    earned = fill(storm)
    began = time.perf_counter()
    with server() as (storm.port, web):
        under_fire(storm, web)
    seconds = time.perf_counter() - began
    stuck = bring_to_an_end()
    answers = storm.answers()
    wrong = faults(
        answers,
        earned,
        attempts=storm.size.attempts,
        attempt=storm.attempt,
        stock=STOCK,
        times=TIMES,
    )
    counted = Counter(
        "redeemed" if said.startswith("rdm-") else said for said in answers.values()
    )
    size = storm.size
    print(
        f"{size.attempts:,} attempts by {clients} clients on {size.members:,} members,"
        f" seed {storm.seed}, {seconds:.0f} s; killed {dict(storm.killed)};"
        f" tried again after {storm.retried()}; {dict(counted.most_common())}"
    )
    print(summary() | {"stuck": len(stuck), "faults": len(wrong)})
    for fault in [*stuck, *wrong][:20]:
        print(" ", fault)
    return int(bool(stuck or wrong))


def fill(storm: Storm) -> dict[str, int]:
    """Members who earned a little, and rewards; what each member has."""
    from django.contrib.auth.models import User

    from rewards.models import Redemption, Reward, Unit
    from rewards.redemptions import codes
    from tests.builders import publish_program, report, settle_reports

    now, chance = datetime.now(UTC), random.Random(storm.seed)
    publish_program(now=now)
    earned: Counter[str] = Counter()
    orders = []
    for n in range(3 * storm.size.members):
        member, points = f"member-{n // 3}", chance.randrange(50, 250)
        earned[member] += points
        values = {"order_total": points * 100, "customer_id": member}
        values |= {"order_id": f"o-{n}", "transaction_id": f"t-{n}"}
        orders.append(report(**values, status="validated"))
    for start in range(0, len(orders), 150):
        settle_reports(*orders[start : start + 150], at=now)
    User.objects.create_superuser("staff")
    unit = Unit.objects.get(code="points")
    make = partial(Reward.objects.create, unit=unit, kind="manual", minimum=1)
    make(key="mug", name="Mug")
    make(key="ticket", name="Ticket", stock=STOCK)
    make(key="voucher", name="Voucher", per_member=TIMES)
    make(key="ring", name="Ring", approve_above=100)
    card = make(key="card", name="Card", kind="gift_code", minimum=PRICE, maximum=PRICE)
    codes.add(card, [f"code-{n}" for n in range(CODES)], by=None, at=now)
    assert not Redemption.objects.exists()
    return earned


@contextmanager
def server() -> Iterator[tuple[int, int]]:
    """gunicorn as `serve` runs it; its port and process id."""
    port = find_free_port()
    command = [sys.executable, "-m", "gunicorn", "loyalty_site.wsgi"]
    command += ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--workers", "2", "--threads", "4", "--no-control-socket"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),
    )
    try:
        wait_until(partial(_healthy, port), seconds=60)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def under_fire(storm: Storm, web: int) -> None:
    """Run every client to its end, killing one process after the other meanwhile."""
    chance = random.Random(storm.seed)
    running = {n: start(storm, n) for n in range(storm.size.processes)}
    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(call_server, storm)
        while running or not calls.done():
            time.sleep(0.2)
            for n, process in list(running.items()):
                if process.poll() == 0:
                    del running[n]
                elif process.poll() is not None:
                    running[n] = start(storm, n)
            _kill_if_due(storm, running, web, chance)
        calls.result()


def start(storm: Storm, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.redeemers", str(number)]
    with (storm.logs / ".retried").open("ab") as said:
        return subprocess.Popen(command, cwd=ROOT, env=storm.environment(), stderr=said)


def _kill_if_due(
    storm: Storm,
    running: dict[int, subprocess.Popen[bytes]],
    web: int,
    chance: random.Random,
) -> None:
    """Kill as often as the progress asks for; each fourth is a worker of the server."""
    killed = storm.killed.total()
    if killed >= storm.size.kills:
        return
    progress = len(storm.answers()) / storm.size.attempts
    if progress < (killed + 0.5) / storm.size.kills:
        return
    workers = list(find_descendants(web))
    if workers and killed % 4 == 1:
        os.kill(chance.choice(workers), signal.SIGKILL)
        storm.killed["web workers"] += 1
    elif running:
        chance.choice(list(running.values())).kill()
        storm.killed["processes"] += 1


def call_server(storm: Storm) -> None:
    """Make the other attempts as host applications do, over HTTP."""
    from tests.builders import make_api_key

    mine = local()
    keys = iter([make_api_key(f"client {n}") for n in range(WEB_CLIENTS)])

    def go(number: int) -> str:
        if not hasattr(mine, "key"):
            mine.key = next(keys)
        return _call(storm.port, mine.key, storm.attempt(number))

    numbers = set(range(storm.size.attempts)) - set(
        redeemers.direct(storm.size.attempts)
    )
    redeemers.run(
        sorted(numbers),
        Log(storm.logs / "web"),
        clients=WEB_CLIENTS,
        go=go,
    )


def _call(port: int, key: str, attempt: Attempt) -> str:
    body = {"reward": attempt.reward, "amount": attempt.amount}
    path = f"members/{attempt.member}/redemptions/"
    for _ in range(2 if attempt.again else 1):
        status, said = _post(port, key, path, body, attempt.key)
    if status != 201:
        assert status == 409, said
        return said["code"]
    if attempt.end in ("fulfil", "cancel"):
        status, ended = _post(port, key, f"redemptions/{said['id']}/{attempt.end}/", {})
        assert status in (200, 409), ended
    return said["id"]


def _post(
    port: int, key: str, path: str, body: object, idempotency_key: str = ""
) -> tuple[int, dict[str, str]]:
    """Post until there is an answer: whoever answers may be killed meanwhile."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    for _ in range(100):
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            said = json.load(answer)
            if answer.status < 500:
                return answer.status, said
        except (OSError, HTTPException, ValueError):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError(f"{path} never got an answer")


def _healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def bring_to_an_end() -> list[str]:
    """Fulfil or cancel what is still open; what can't be is stuck."""
    from django.contrib.auth.models import User

    from rewards.models import Redemption
    from rewards.redemptions import fulfilment

    stuck, staff, at = [], User.objects.get(), datetime.now(UTC)
    for number, redemption in enumerate(
        Redemption.objects.filter(status__in=Redemption.OPEN)
    ):
        try:
            if redemption.needs_approval and not redemption.approved_at:
                fulfilment.approve(redemption, by=staff, at=at)
            if number % 2:
                fulfilment.cancel(redemption, reason="", at=at)
            else:
                fulfilment.fulfil(redemption, at=at)
        except Exception as error:
            stuck.append(f"{redemption}: {error!r}")
    still = Redemption.objects.filter(status__in=Redemption.OPEN)
    return stuck + [f"{redemption} is open" for redemption in still]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except postgres.CannotStart as error:
        sys.exit(f"PostgreSQL can't start here: {error}")
