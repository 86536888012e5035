"""The sandbox's HTTP server, down to the socket, where some faults happen."""

import re
import socket
import struct
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Protocol

from ingestion.button.sandbox.api import Answer, Request
from ingestion.button.sandbox.faults import Faults

HOST = "127.0.0.1"
MOST_BODY = 1024 * 1024
IDLE = 60  # seconds that a kept-alive connection may be silent
ABORT = struct.pack("ii", 1, 0)  # linger for no time: a reset instead of an end
LENGTH = re.compile(r"[0-9]{1,12}")
HERE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
HTML = "text/html; charset=utf-8"


class Site(Protocol):
    """What answers a request."""

    faults: Faults

    def answer(self, request: Request) -> Answer: ...


class Server(ThreadingHTTPServer):
    """Serves on loopback from a thread of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, site: Site, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.site = site
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._thread = Thread(
            target=self.serve_forever, args=(0.05,), name="sandbox-http", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more; connections kept alive end too."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the page shows what matters."""

    def _serve(self) -> None:
        request = self._request()
        if request is None:
            return
        faults, path = self.server.site.faults, request.path
        if not path.startswith("/v1/"):
            self._send(self.server.site.answer(request))
            return
        if faults.strikes("slow", path=path):
            time.sleep(faults.seconds("slow"))
        if faults.strikes("reset", path=path):
            self._reset()
            return
        answer = self.server.site.answer(request)
        if faults.strikes("html", path=path):
            answer = Answer(200, b"<!doctype html><title>Sorry</title>", HTML)
        self._send(answer, truncated=faults.strikes("truncated", path=path))

    def _request(self) -> Request | None:
        """None where it was answered already: not for this machine, or too much."""
        if not is_here(self.headers.get("Host", "")):
            self._send(Answer(421, b"Only for this machine.\n", "text/plain"))
            return None
        length = self.headers.get("Content-Length", "0")
        if not LENGTH.fullmatch(length):
            self.close_connection = True
            self._send(Answer(400, b"That is no length.\n", "text/plain"))
            return None
        if int(length) > MOST_BODY:
            self.close_connection = True
            self._send(Answer(413, b"Too large.\n", "text/plain"))
            return None
        body = self.rfile.read(int(length))
        headers = {name.title(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body)

    def _send(self, answer: Answer, *, truncated: bool = False) -> None:
        body = answer.body
        head = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            f"Content-Type: {answer.kind}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        if self.close_connection or truncated:
            head.append("Connection: close")
        if self.command == "HEAD":
            body = b""
        if truncated:
            body, self.close_connection = body[: len(body) // 2], True
        self.wfile.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.connection.close()


def is_here(host: str) -> bool:
    """Whether a Host header names this machine: a rebound name must not get in."""
    return bool(HERE.fullmatch(host))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
