"""The sandbox as a process of its own, filled with orders, for benchmarks."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.processes import find_free_port

KEY, ORGANIZATION = "sk-benchmark", "org-00000000000000be"
MEMBERS = [f"member-{n}" for n in range(500)]
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Stand:
    """A running sandbox: where it listens."""

    url: str

    def ask(self, path: str, body: object = None) -> Any:
        """Its JSON answer to GET, or to POST where there is a body."""
        import base64

        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data)
        token = base64.b64encode(f"{KEY}:".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)


def environment(port: int) -> dict[str, str]:
    """What points a server at it."""
    url = f"http://127.0.0.1:{port}"
    return {
        "BUTTON_API_URL": url,
        "BUTTON_OFFERS_URL": url,
        "BUTTON_API_KEY": KEY,
        "BUTTON_ORGANIZATION_ID": ORGANIZATION,
    }


@contextmanager
def running(orders: int, *, days: int = 28) -> Iterator[Stand]:
    """Fill a sandbox with orders of the last days, and run it.

    Call it before Django is set up: it points the settings at the sandbox.
    """
    port = find_free_port()
    os.environ |= environment(port)
    with tempfile.TemporaryDirectory(prefix="loyalty-sandbox-") as directory:
        data = Path(directory) / "sandbox.sqlite3"
        command = [sys.executable, "-m", "benchmarks.sandbox"]
        subprocess.run(
            [*command, str(data), str(orders), str(days)], check=True, cwd=ROOT
        )
        process = _start(data, port)
        try:
            yield Stand(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()


def _start(data: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [
            *(sys.executable, "manage.py", "sandbox", f"--port={port}"),
            *(f"--data={data}", f"--receiver=http://127.0.0.1:{port}/nobody/"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env=_settings(data) | environment(port),
    )
    assert process.stdout
    if not process.stdout.readline():
        raise RuntimeError("the sandbox did not start")
    return process


def _settings(data: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(data.parent),
        "SECRET_KEY": "benchmark-" + "x" * 50,
        "BUTTON_WEBHOOK_SECRETS": "benchmark",
    }


def fill(data: Path, orders: int, days: int) -> None:
    """Make up orders in a sandbox's file."""
    from ingestion.button.sandbox import Sandbox

    sandbox = Sandbox(data=data, api_key=KEY, organization=ORGANIZATION, seed=1)
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    sandbox.load(
        sandbox.made_up(
            orders,
            start=end - timedelta(days=days),
            end=end,
            customers=MEMBERS,
            currencies=("USD", "GBP"),
        )
    )
    sandbox.state.close()


if __name__ == "__main__":
    import django

    os.environ |= _settings(Path(sys.argv[1]))
    os.environ["DJANGO_SETTINGS_MODULE"] = "loyalty_site.settings"
    django.setup()
    began = time.monotonic()
    fill(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(f"{sys.argv[2]} orders made up in {time.monotonic() - began:.0f} s")
