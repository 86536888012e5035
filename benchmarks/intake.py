"""Webhooks a second, against a bare Django view that does one INSERT.

`make bench-intake`. The same gunicorn, the same PostgreSQL, the same requests; the
two servers take turns, so that whatever else the machine does meets both.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from statistics import median, quantiles

from benchmarks import world
from tests.processes import find_free_port, wait_until

REQUESTS, SHORT = 2_000, 500  # a turn
TURNS = 5
CLIENTS = 4
GOAL = 0.7


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer requests")
    options = parser.parse_args(arguments)
    with (
        world.database(),
        server("loyalty_site.wsgi") as ours,
        server("benchmarks.bare", BARE="yes") as bare,
    ):
        missed = compare(ours, bare, SHORT if options.short else REQUESTS)
    return 0 if options.short else missed  # a short run is too coarse to judge by


def compare(ours: int, bare: int, requests: int) -> int:
    """Let both serve in turns; 1 where the ratio misses the goal."""
    made = request_bytes(2 * TURNS * requests + 200)
    serve(ours, [next(made) for _ in range(100)])
    serve(bare, [next(made) for _ in range(100)])
    ratios, speeds, times = [], [], []
    for _ in range(TURNS):
        floor, _ = serve(bare, [next(made) for _ in range(requests)])
        speed, taken = serve(ours, [next(made) for _ in range(requests)])
        ratios.append(speed / floor)
        speeds.append(speed)
        times += taken
    p99 = quantiles(times, n=100)[98] * 1000
    print(
        f"{TURNS} turns of {requests} signed webhooks, {CLIENTS} clients, PostgreSQL:"
        f" ours {median(speeds):,.0f} requests/s, ratio to a bare INSERT"
        f" {median(ratios):.2f} (goal {GOAL}); acknowledged in"
        f" {median(times) * 1000:.1f} ms, p99 {p99:.1f} ms"
    )
    return int(median(ratios) < GOAL)


@contextmanager
def server(application: str, **environment: str) -> Iterator[int]:
    """gunicorn as `serve` runs it, on a free port."""
    port = find_free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", application),
            *("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"),
            *("--workers", "2", "--threads", "4"),
            *("--no-control-socket", "--log-level", "warning"),
        ],
        env=os.environ | environment,
    )
    try:
        wait_until(lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def request_bytes(count: int) -> Iterator[bytes]:
    """Whole requests, made before the clock runs."""
    from ingestion.button.signature import sign

    chance = random.Random(1)
    for number in range(count):
        body = world.order(number, chance)
        yield (
            b"POST /webhooks/button/ HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n"
            b"X-Button-Signature: " + sign(body, secret=world.SECRET).encode() + b"\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )


def serve(port: int, requests: list[bytes]) -> tuple[float, list[float]]:
    """Send them all; requests a second, and the seconds that each one took."""
    shares = [requests[i::CLIENTS] for i in range(CLIENTS)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        taken = list(pool.map(lambda share: _send(port, share), shares))
    return len(requests) / (time.perf_counter() - begun), list(chain(*taken))


def _send(port: int, requests: list[bytes]) -> list[float]:
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for request in requests:
            begun = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(4096)
            taken.append(time.perf_counter() - begun)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    return taken


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
