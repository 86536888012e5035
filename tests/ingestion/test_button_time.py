"""How long the Button client waits: to connect, for a read, for a whole answer."""

import socket
from contextlib import suppress

import pytest

from ingestion.button import client as client_module
from ingestion.button.errors import Unreachable
from tests.ingestion.asking import GOOD, OK, client_of
from tests.ingestion.listener import drip, http, listening, silence

pytestmark = pytest.mark.once


def test_nobody_takes_the_connection(monkeypatch):
    monkeypatch.setattr(client_module, "CONNECT", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        with (
            client_of(f"http://127.0.0.1:{port}", attempts=1) as client,
            pytest.raises(Unreachable, match="ConnectTimeout"),
        ):
            client.accounts()
        for one in waiting:
            one.close()


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr(client_module, "READ", 0.05)
    with (
        listening(lambda _: silence) as server,
        client_of(server.url, attempts=1, total=0.1) as client,
        pytest.raises(Unreachable, match="accounts: ReadTimeout"),
    ):
        client.accounts()


@pytest.mark.parametrize(
    "slowly",
    [
        pytest.param(drip(http(b"{", content_length=10**6), b" "), id="body"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"), id="headers"),
        pytest.param(drip(b"HTTP", b"/"), id="status line"),
        pytest.param(drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), id="early hints"),
        pytest.param(
            drip(
                http(b"", transfer_encoding="chunked", content_length=0).replace(
                    b"content-length: 0\r\n", b""
                ),
                b"1\r\n \r\n",
            ),
            id="chunks",
        ),
    ],
)
def test_a_drip_that_no_single_read_waits_long_for(slowly):
    with (
        listening(lambda _: slowly) as server,
        client_of(server.url, attempts=1, total=0.1) as client,
        pytest.raises(Unreachable),
    ):
        client.accounts()


def test_a_silence_ends_with_the_whole_time_too(monkeypatch):
    monkeypatch.setattr(client_module, "READ", 600)
    with (
        listening(lambda _: silence) as server,
        client_of(server.url, attempts=1, total=0.1) as client,
        pytest.raises(Unreachable),
    ):
        client.accounts()


def test_the_time_of_one_answer_is_none_of_the_next():
    answers = iter([drip(b"HTTP", b"/"), GOOD])
    with (
        listening(lambda _: next(answers)) as server,
        client_of(server.url, attempts=1, total=0.5) as client,
    ):
        with pytest.raises(Unreachable):
            client.accounts()
        assert client.accounts() == OK["objects"]
