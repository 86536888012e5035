"""Django's development server, which reads chunked bodies too.

A webhook may come chunked, and under the stock server its body would be empty.
"""

from io import BytesIO
from typing import Any, BinaryIO

from django.contrib.staticfiles.management.commands import runserver
from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer

MOST = 64 * 1024 * 1024


class Handler(WSGIRequestHandler):
    """Turns a chunked body into a plain one before anybody looks at it."""

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed and "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = read_chunks(self.rfile)
            self.rfile = BytesIO(body)
            del self.headers["Transfer-Encoding"]
            self.headers["Content-Length"] = str(len(body))
            self.headers["Connection"] = "close"
        return parsed


class Server(WSGIServer):
    def __init__(self, address: Any, handler: Any, **options: Any) -> None:
        super().__init__(address, Handler, **options)


class Command(runserver.Command):
    server_cls = Server


def read_chunks(stream: BinaryIO) -> bytes:
    """A chunked body, put together; what breaks the format ends it."""
    body = bytearray()
    while len(body) <= MOST and (length := _size(stream.readline(100))) > 0:
        body += stream.read(length)
        stream.readline(2)
    return bytes(body)


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        return 0
