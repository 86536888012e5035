"""A deadline for a whole answer: the time-outs of HTTPX are each of one read.

Without it a server that sends a byte of a header now and then holds a worker for days.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from math import inf
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpcore2
import httpx2

_UNTIL: ContextVar[float] = ContextVar("until", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Have all that this thread sends and reads in the block time out by then."""
    token = _UNTIL.set(monotonic() + seconds)
    try:
        yield
    finally:
        _UNTIL.reset(token)


class BoundedTransport(httpx2.HTTPTransport):
    """A pool of connections that keep to the deadline, and to no environment."""

    def __init__(self, *, max_connections: int, keepalive_expiry: float) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_trusted(),
            max_connections=max_connections,
            keepalive_expiry=keepalive_expiry,
            network_backend=_Backend(),
        )


@cache
def _trusted() -> SSLContext:
    """The system's certificates, which take as long to read as an answer to come."""
    return httpx2.create_ssl_context(trust_env=False)


class _Backend(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(
            super().connect_tcp(
                host, port, _left(timeout), local_address, socket_options
            )
        )


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(
            self._stream.start_tls(ssl_context, server_hostname, _left(timeout))
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    left = _UNTIL.get() - monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the whole answer took too long")
    return min(inf if timeout is None else timeout, left) if left < inf else timeout
