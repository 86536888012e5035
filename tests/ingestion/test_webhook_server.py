"""The webhook's door on a real server, asked with bytes that no client would send."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.button.signature import sign
from tests.builders import SECRET, webhook_body
from tests.processes import environment, find_free_port, run_manage, wait_until

ROOT = Path(__file__).parents[2]
ALLOWED = {200, 401, 405, 413, 503}
BODY = webhook_body()
SIGNED = f"X-Button-Signature: {sign(BODY, secret=SECRET)}\r\n".encode()


GUNICORN = ("-m", "gunicorn", "loyalty_site.wsgi", "--worker-class", "gthread")
GUNICORN += ("--threads", "4", "--no-control-socket", "--log-level", "error", "--bind")
RUNSERVER = ("manage.py", "runserver", "--noreload", "--skip-checks")


@pytest.fixture(scope="module", params=[GUNICORN, RUNSERVER], ids=lambda c: c[1])
def port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """A server configured for HTTPS and a host of its own, on a fresh database."""
    data_dir = tmp_path_factory.mktemp("data")
    variables = {
        "SECRET_KEY": "x" * 50,
        "BUTTON_WEBHOOK_SECRETS": SECRET,
        "ALLOWED_HOSTS": "rewards.example.com",
    }
    assert run_manage("migrate", data_dir=data_dir, **variables).returncode == 0
    port = find_free_port()
    server = subprocess.Popen(
        [sys.executable, *request.param, f"127.0.0.1:{port}"],
        env=environment(data_dir, **variables),
        cwd=ROOT,
    )
    try:
        wait_until(lambda: answers(port))
        yield port
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def ask(port: int, request: bytes) -> int:
    """Send these bytes; the status that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return int(connection.recv(4096).split(b" ", 2)[1])


def post(
    port: int,
    body: bytes = BODY,
    *,
    path: bytes = b"/webhooks/button/",
    headers: bytes = SIGNED,
    host: bytes = b"evil.example",
) -> int:
    length = b"Content-Length: " + str(len(body)).encode() + b"\r\n"
    head = b"POST " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + length + headers
    return ask(port, head + b"\r\n" + body)


@pytest.mark.parametrize("path", [b"/webhooks/button/", b"/webhooks/button"])
@pytest.mark.parametrize(
    "host", [b"rewards.example.com", b"evil.example", b"a:b:c", b""]
)
def test_a_signed_event_is_200_whatever_the_address(
    port: int, path: bytes, host: bytes
) -> None:
    assert post(port, path=path, host=host) == 200


def test_a_chunked_body_is_read(port: int) -> None:
    half = len(BODY) // 2
    chunks = b"".join(
        f"{len(part):x}\r\n".encode() + part + b"\r\n"
        for part in (BODY[:half], BODY[half:], b"")
    )
    head = b"POST /webhooks/button/ HTTP/1.1\r\nHost: x\r\n" + SIGNED
    assert ask(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks) == 200


def test_an_endless_chunked_body_is_413(port: int) -> None:
    head = b"POST /webhooks/button/ HTTP/1.1\r\nHost: x\r\n" + SIGNED
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = f"{1 << 20:x}\r\n".encode() + b" " * (1 << 20) + b"\r\n"
    assert ask(port, head + chunk * 9 + b"0\r\n\r\n") == 413


def test_nine_megabytes_are_413(port: int) -> None:
    assert post(port, b" " * 9_000_000) == 413


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"X-Button-Signature:\r\n",
        b"X-Button-Signature: \xff\xfe\r\n",
        b"X-Button-Signature: a\r\nX-Button-Signature: b\r\n",
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: x\r\nOrigin: null\r\n",
        b"Content-Type: multipart/form-data\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Type: application/json; a*=nosuch''x\r\n",
        b"Content-Type: a; charset*=utf-8''%00\r\n",
    ],
)
def test_odd_headers_are_an_invalid_signature(port: int, headers: bytes) -> None:
    assert post(port, headers=headers) == 401


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"BREW"])
def test_other_methods_are_405(port: int, method: bytes) -> None:
    request = method + b" /webhooks/button/ HTTP/1.1\r\nHost: x\r\n\r\n"
    assert ask(port, request) == 405


@pytest.mark.parametrize("query", [b"?", b"?a=b&c", b"?%ff%00"])
def test_a_query_does_not_matter(port: int, query: bytes) -> None:
    assert post(port, path=b"/webhooks/button/" + query) == 200


def test_http_1_0_without_a_host(port: int) -> None:
    head = b"POST /webhooks/button/ HTTP/1.0\r\n" + SIGNED
    length = b"Content-Length: " + str(len(BODY)).encode() + b"\r\n\r\n"
    assert ask(port, head + length + BODY) == 200


def test_a_silent_sender_is_let_go(port: int) -> None:
    """Four of them hold every thread, and the server answers again all the same."""
    head = b"POST /webhooks/button/ HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    for connection in silent:
        connection.sendall(head)
    assert post(port) == 200
    for connection in silent:
        connection.close()


def test_a_body_that_ends_early_is_none_of_the_forbidden(port: int) -> None:
    head = b"POST /webhooks/button/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head + SIGNED + b"\r\n" + BODY)
        connection.shutdown(socket.SHUT_WR)
        assert int(connection.recv(4096).split(b" ", 2)[1]) in ALLOWED
