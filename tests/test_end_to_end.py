"""The whole server as `make run` starts it: from signed webhooks to the API."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from ingestion.button.signature import sign
from tests.builders import SECRET, program, transaction, webhook_body
from tests.processes import (
    environment,
    find_descendants,
    find_free_port,
    run_manage,
    wait_until,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
ORDERS = 150
GIVEN = {"SECRET_KEY": "x" * 50, "BUTTON_WEBHOOK_SECRETS": SECRET, "DATABASE_URL": ""}


class Site:
    """A running server, and what a host application and Button do with it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = find_free_port()
        self.manage("migrate", "--verbosity=0")
        rules = data_dir / "program.json"
        rules.write_text(json.dumps(program()))
        self.manage("program", "import", str(rules))
        self.manage("program", "publish")
        self.key = self.manage("create_api_key", "host").strip()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", f"--port={self.port}"],
            env=environment(data_dir, **GIVEN),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        while "Ready on" not in (line := self.process.stdout.readline()):
            assert line, "the server ended before it was ready"

    def manage(self, *arguments: str) -> str:
        done = run_manage(*arguments, data_dir=self.data_dir, **GIVEN)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deliver(self, **changes: Any) -> None:
        body = webhook_body(transaction(**changes))
        headers = {"X-Button-Signature": sign(body, secret=SECRET)}
        url = f"http://127.0.0.1:{self.port}/webhooks/button/"
        assert urlopen(Request(url, body, headers)).status == 200

    def get(self, path: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        headers = {"Authorization": f"Bearer {self.key}"}
        with urlopen(Request(url, headers=headers)) as answer:
            return json.load(answer)

    def balance(self, customer_id: str) -> dict[str, int]:
        balances = self.get(f"members/{customer_id}/")["balances"]
        return next(b for b in balances if b["unit"] == "points")

    def kill(self, words: str) -> None:
        """kill -9 every process with these words in its command line."""
        for pid, line in find_descendants(self.process.pid).items():
            if words in line:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.process.terminate()
    running.process.wait(30)


@pytest.mark.timeout(240)
def test_orders_survive_the_death_of_every_part(site: Site) -> None:
    for n in range(ORDERS):
        site.deliver(
            id=f"tx-{n}", button_order_id=f"btnorder-{n}", publisher_customer_id="eve"
        )
        if n % 50 == 20:
            site.kill(" worker ")
        if n == 75:
            site.kill("unixsocket")
    expected = {"pending": 155 * ORDERS, "available": 0}
    wait_until(lambda: settled(site), seconds=150)
    assert site.balance("eve").items() >= expected.items()
    site.deliver(
        id="tx-0",
        button_order_id="btnorder-0",
        publisher_customer_id="eve",
        status="validated",
        modified_date="2026-11-10T00:00:00Z",
    )
    wait_until(lambda: site.balance("eve")["available"] == 155, seconds=60)
    site.manage("verify_ledger")


def settled(site: Site) -> bool:
    try:
        return site.balance("eve")["pending"] == 155 * ORDERS
    except OSError:  # nobody has settled anything for her yet
        return False
