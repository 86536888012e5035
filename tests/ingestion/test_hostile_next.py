"""Ten thousand hostile addresses of a next page, and one connection, the one home."""

import json
import random
import socket
import string
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from ingestion.button.client import ButtonClient
from ingestion.button.errors import Broken
from tests.ingestion.listener import Listener, http, listening

pytestmark = [pytest.mark.once, pytest.mark.slow]

CASES = 10_000
KEY = "sk-only-for-home"
PATH = "/v1/affiliation/accounts/acc-1/transactions"
HEADERS = {
    *(b"host", b"accept", b"accept-encoding", b"connection"),
    *(b"user-agent", b"authorization"),
}
SCHEMES = (
    *("http", "https", "HTTP", "hTTps", "ftp", "file", "data", "javascript", "ws"),
    *("gopher", "blob", "mailto", "jar", "view-source", "unix", "http+unix", "x-y.z"),
)
ODD = (
    *(True, False, 0, 7, -1, 1.5, 10**30, [], {}, ["?cursor=c"], {"cursor": "c"}),
    *("", " ", "\t", "?", "#", "/", "//", "\\\\", "cursor=c", "?cursor", "?cursor="),
    *("%", "?cursor=%", "?cursor=%zz", "?%63ursor=c", "?cursor[]=c", "http:", "://"),
    *("http://[", "http://]?cursor=c", "http://[::1?cursor=c", "http://:80?cursor=c"),
    *("?cursor=" + "c" * 70_000, "http://" + "a." * 40_000 + "?cursor=c", "x" * 10**6),
    *(
        "?" + "&" * 50_000 + "cursor=c",
        "?cursor=" + "%25" * 2000,
        "?cursor=" + "é" * 4000,
    ),
    "data:text/html,<script>fetch('//b')</script>?cursor=c",
)
MARKS = (
    *(" ", "\t", "\n", "\r\n", "\0", "\x7f", "\u200b", "\u202e", "\ud800", "\u2028"),
    *("@", "\\", "#", "?", ":", "[", "]", "%", "%00", "%0a", "/", "。", "％", "ⓔ"),
)


@dataclass(frozen=True)
class Foreign:
    """Names of the other servers, as an address would have them."""

    home: str
    hosts: tuple[str, ...]


def generate(around: Foreign, *, seed: int) -> Iterator[Any]:
    """Hostile values of ``next``, each another, for ever."""
    yield from ODD
    luck = random.Random(seed)
    known = set()
    while True:
        address = _mangled(_address(around, luck), luck)
        if address not in known:
            known.add(address)
            yield address


def _address(around: Foreign, luck: random.Random) -> str:
    scheme = luck.choice(SCHEMES)
    host = luck.choice(around.hosts)
    home, cursor = around.home, _cursor(luck)
    path = luck.choice(
        ("", "/", PATH, "/..//" + PATH, "/%2e%2e/x", "/;a=b", f"//{host}")
    )
    return luck.choice(
        (
            f"{scheme}://{host}{path}?cursor={cursor}",
            f"//{host}{path}?cursor={cursor}",
            f"///{host}{path}?cursor={cursor}",
            f"{scheme}:{host}{path}?cursor={cursor}",
            f"{scheme}:/{host}{path}?cursor={cursor}",
            f"{scheme}:\\\\{host}{path}?cursor={cursor}",
            f"\\\\{host}{path}?cursor={cursor}",
            f"/\\{host}{path}?cursor={cursor}",
            f"http://{home}@{host}{path}?cursor={cursor}",
            f"http://{home}%40{host}{path}?cursor={cursor}",
            f"http://{home}\\@{host}{path}?cursor={cursor}",
            f"http://{home}#@{host}{path}?cursor={cursor}",
            f"http://{home}?@{host}{path}&cursor={cursor}",
            f"http://{home}/@{host}{path}?cursor={cursor}",
            f"http://user:{KEY}@{host}{path}?cursor={cursor}",
            f"http://{home}.{host}{path}?cursor={cursor}",
            f"http://{home} @{host}{path}?cursor={cursor}",
            f"http://{home}\x00.{host}{path}?cursor={cursor}",
            f"http://{home}:80@{host}{path}?cursor={cursor}",
            f"http://{host}{path}?cursor={cursor}#cursor={_cursor(luck)}",
            f"http://{host}{path}#?cursor={cursor}",
            f"{path}?next=http://{host}&cursor={cursor}",
            f"?cursor={quote(f'http://{host}{path}?cursor={cursor}', safe='')}",
            f"?cursor=http://{host}{path}",
            f"?cursor={cursor}&cursor=http://{host}",
            f"?cursor={cursor}&start=2000-01-01&page_size=1&time_field=x",
            f"?cursor={cursor};Host={host}",
            f"http://{home}{path}?cursor={cursor}",
        )
    )


def _cursor(luck: random.Random) -> str:
    return luck.choice(
        (
            "".join(luck.choices(string.ascii_letters + "+/=_-.~", k=12)),
            "c%0d%0aHost:%20evil.example%0d%0aX-Injected:%20",
            "c%20HTTP/1.1%0aX-Injected:1",
            "c\r\nX-Injected: 1",
            "%00",
            "%e2%80%ae%ff",
            "../../../../v1/links",
            "@evil.example/",
            "%2526start%253d1",
            "%26page_size%3d9%26account%3dacc-2",
            "%23fragment",
            "日本",
            "c" * luck.choice((1, 1, 1, 1, 1, 4_000, 4_001, 20_000)),
        )
    )


def _mangled(address: str, luck: random.Random) -> str:
    if luck.random() < 0.7:
        return address
    at = luck.randrange(len(address) + 1)
    odd = luck.choice(MARKS)
    return luck.choice(
        (address[:at] + odd + address[at:], odd + address, address + odd)
    )


class Home:
    """The server that is asked, and what it says of the next page."""

    said: Any = None

    def answer(self, request: bytes) -> bytes:
        meta = {"status": "ok", "next": self.said}
        return http(json.dumps({"meta": meta, "objects": [{"id": 1}]}).encode())


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> set[tuple[Any, Any]]:
    """Every host and port that anything here has looked up, as all must to connect."""
    asked: set[tuple[Any, Any]] = set()
    look_up = socket.getaddrinfo

    def taken_down(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        asked.add((host, port))
        return look_up(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", taken_down)
    return asked


def test_no_next_page_takes_us_or_our_key_elsewhere(resolved) -> None:
    home = Home()
    with ExitStack() as stack:
        server = stack.enter_context(listening(home.answer))
        others = [stack.enter_context(other) for other in _others()]
        around = Foreign(_place(server), (*map(_place, others), *_names(others)))
        with ButtonClient(key=KEY, api_url=server.url, offers_url=server.url) as client:
            pages, refused = _page_through(client, home, generate(around, seed=7))
        requests = server.requests
    assert pages + refused == CASES
    assert min(pages, refused) > CASES // 5  # neither all fine nor all refused
    assert [other.connections for other in others] == [0] * len(others)
    assert server.connections == 1
    assert resolved == {server.server_address}
    assert {request.split(b"?")[0] for request in requests} == {f"GET {PATH}".encode()}
    for request in requests:
        lines = request.split(b"\r\n")[1:-2]
        assert {line.split(b":")[0].lower() for line in lines} == HEADERS
        assert f"Host: {around.home}".encode() in lines


def _page_through(client: ButtonClient, home: Home, cases: Iterator[Any]) -> Any:
    """Ask for as many pages as there are cases, each with the cursor found last."""
    pages = refused = 0
    cursor = ""
    for _, home.said in zip(range(CASES), cases, strict=False):
        try:
            page = _read(client, cursor)
        except Broken as error:
            assert str(error)
            refused, cursor = refused + 1, ""
        else:
            assert page.rows == [b'{"id": 1}']
            assert bool(page.cursor) is bool(home.said)
            pages, cursor = pages + 1, page.cursor
    return pages, refused


@pytest.mark.parametrize("seed", range(3))
def test_the_cursor_alone_comes_home_and_whole(seed) -> None:
    """What is asked next differs from what was asked first by the cursor alone."""
    home = Home()
    first = {"time_field": ["modified_date"], "page_size": ["100"]}
    with (
        listening(home.answer) as server,
        ButtonClient(key=KEY, api_url=server.url, offers_url=server.url) as client,
    ):
        around = Foreign(_place(server), ("evil.example", "b.example:8080"))
        cases = generate(around, seed=seed)
        for _, home.said in zip(range(200), cases, strict=False):
            try:
                cursor = _read(client).cursor
            except Broken:
                continue
            home.said = None
            _read(client, cursor)
            target = server.requests[-1].split()[1].decode()
            asked = parse_qs(urlsplit(target).query, strict_parsing=True)
            assert asked == {**first, **({"cursor": [cursor]} if cursor else {})}


def _read(client: ButtonClient, cursor: str = "") -> Any:
    return client.transactions(
        "acc-1", by="modified", start=None, end=None, cursor=cursor
    )


def test_a_stray_request_would_be_seen(resolved) -> None:
    with ExitStack() as stack:
        others = [stack.enter_context(other) for other in _others()]
        for other in others:
            with ButtonClient(key=KEY, api_url=other.url, offers_url="") as client:
                assert _read(client).rows == []
        assert [other.connections for other in others] == [1] * len(others)
        assert len(resolved) == len(others)


def _others() -> list[Any]:
    """Servers that play the foreign hosts: another port, and another address."""
    empty = http(b'{"meta": {"status": "ok"}, "objects": []}')
    hosts = ["127.0.0.1", "::1"] if socket.has_ipv6 else ["127.0.0.1"]
    return [listening(lambda _: empty, host=host) for host in hosts]


def _place(server: Listener) -> str:
    return server.url.removeprefix("http://")


def _names(others: list[Listener]) -> tuple[str, ...]:
    """The same places under other names, and places that are nowhere."""
    port = others[0].server_address[1]
    return (
        *(f"{name}:{port}" for name in ("localhost", "127.1", "2130706433", "0x7f.1")),
        *(f"[::ffff:127.0.0.1]:{port}", f"127.0.0.2:{port}", f"0:{port}"),
        *(f"127。0。0。1:{port}", f"①②⑦.0.0.1:{port}", f"[::1%25lo]:{port}"),
        *("evil.example", "EVIL.example.", "xn--bcher-kva.example", "bücher.example"),
        *("api.usebutton.com", "аpi.usebutton.com", "api.usebutton.com:99999"),
    )
