"""A server whose every byte is the test's own, and which counts what comes to it."""

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat

PIECE = 0.01  # seconds between two bytes of a drip

Conversation = Callable[[socket.socket], None]
Answer = Callable[[bytes], bytes | Conversation]


class Listener(socketserver.ThreadingTCPServer):
    """Answers requests on kept connections; ``answer`` gives bytes, or takes over."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, answer: Answer, *, host: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), _Handler)
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return (
            f"http://[{host}]:{port}" if ":" in str(host) else f"http://{host}:{port}"
        )


class _Handler(socketserver.BaseRequestHandler):
    server: Listener

    def handle(self) -> None:
        self.server.connections += 1
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # a client that is kept waiting goes, as it should
            self._converse()

    def _converse(self) -> None:
        while request := _read_request(self.request):
            self.server.requests.append(request)
            answer = self.server.answer(request)
            if not isinstance(answer, bytes):
                answer(self.request)
                return
            self.request.sendall(answer)


def _read_request(connection: socket.socket) -> bytes:
    request = b""
    while not _is_whole(request):
        piece = connection.recv(65_536)
        if not piece:
            return b""
        request += piece
    return request


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


@contextmanager
def listening(answer: Answer, *, host: str = "127.0.0.1") -> Iterator[Listener]:
    with Listener(answer, host=host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def http(body: bytes, *, status: str = "200 OK", **headers: str | int) -> bytes:
    """A whole answer; ``content_length=…`` says another length than the real one."""
    named = {"content_type": "application/json", "content_length": len(body), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def cut(data: bytes) -> Conversation:
    """Say this much and hang up."""
    return lambda connection: connection.sendall(data)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silence(connection: socket.socket) -> None:
    while connection.recv(1):
        pass


def drip(first: bytes, ever_again: bytes) -> Conversation:
    """Say something, and then a little more for as long as anybody listens."""

    def say(connection: socket.socket) -> None:
        connection.sendall(first)
        pause = threading.Event()
        for piece in repeat(ever_again):
            connection.sendall(piece)
            pause.wait(PIECE)

    return say
