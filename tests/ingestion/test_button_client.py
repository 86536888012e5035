"""The Button client on a real wire: time, failures, retries, and where the key goes."""

import gzip
import json
import socket
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.button import client as client_module
from ingestion.button.client import ATTEMPTS, ButtonClient, instant
from ingestion.button.errors import (
    Broken,
    ButtonError,
    Failing,
    Rejected,
    Throttled,
    Unauthorized,
    Unreachable,
)
from tests.ingestion.asking import (
    ACCOUNTS,
    GOOD,
    KEY,
    OK,
    TRANSACTIONS,
    client_of,
    error,
    read,
)
from tests.ingestion.listener import cut, drip, http, listening, reset

pytestmark = pytest.mark.once

ONE_DAY = datetime(2026, 11, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, taken down instead of waited for."""
    taken: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=taken.append))
    return taken


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[ButtonClient]:
    with client_of(httpserver.url_for("")) as made:
        yield made


class TestAsking:
    def test_the_key_and_our_name_go_with_every_request(self, client, httpserver):
        httpserver.expect_request(ACCOUNTS).respond_with_json(OK)
        assert client.accounts() == [{"id": "acc-1"}]
        headers = httpserver.log[0][0].headers
        expected = b64encode(f"{KEY}:".encode()).decode()
        assert headers["Authorization"] == f"Basic {expected}"
        assert headers["User-Agent"].startswith("loyalty-server/")
        assert headers["Accept"] == "application/json"

    def test_a_window_goes_in_utc_and_again_with_each_cursor(self, client, httpserver):
        httpserver.expect_request(TRANSACTIONS).respond_with_json(OK)
        end = ONE_DAY.astimezone(timezone(timedelta(hours=2))) + timedelta(
            microseconds=1
        )
        client.transactions(
            None, by="modified", start=ONE_DAY, end=end, cursor="a+b/c="
        )
        assert httpserver.log[0][0].args.to_dict() == {
            "time_field": "modified_date",
            "page_size": "100",
            "start": "2026-11-04T00:00:00Z",
            "end": "2026-11-04T00:00:00.000001Z",
            "cursor": "a+b/c=",
        }

    def test_an_account_has_an_address_of_its_own(self, client, httpserver):
        httpserver.expect_request(f"{ACCOUNTS}/acc-1/transactions").respond_with_data(
            json.dumps(OK)
        )
        page = client.transactions("acc-1", by="created", start=None, end=None)
        assert page.rows == [b'{"id": "acc-1"}']
        assert httpserver.log[0][0].args["time_field"] == "created_date"

    @pytest.mark.parametrize("account", ["acc-../../x", "a?b#c&d", "%2e%2e", "a;b\\c"])
    def test_an_account_can_not_leave_its_place_in_the_path(self, account):
        with listening(lambda _: GOOD) as server, client_of(server.url) as client:
            client.transactions(account, by="created", start=None, end=None)
        path = server.requests[0].split()[1].decode().partition("?")[0]
        assert path.startswith(f"{ACCOUNTS}/")
        assert path.count("/") == ACCOUNTS.count("/") + 2
        assert unquote(path.split("/")[-2]) == account

    @pytest.mark.parametrize(
        "account", ["", ".", "..", "a b", "é", "a\r\nb", "x" * 256]
    )
    def test_what_is_no_account_is_not_asked_for(self, client, httpserver, account):
        with pytest.raises(Broken, match="is no id of an account"):
            client.transactions(account, by="created", start=None, end=None)
        assert httpserver.log == []

    def test_offers_are_asked_of_their_own_host(self, client, httpserver):
        rows = [{"merchant_id": "org-1", "offers": []}, "odd"]
        httpserver.expect_request(
            "/offers-host/v1/offers", method="POST", json={"user_id": "mbr_1"}
        ).respond_with_json(
            {"meta": {"status": "ok"}, "object": {"merchant_offers": rows}}
        )
        assert client.offers("mbr_1") == rows[:1]

    def test_a_link_carries_the_member_and_the_reference(self, client, httpserver):
        found = {"merchant_id": "org-1", "links": {"universal": "https://r.example"}}
        experience = {"btn_pub_user": "mbr_1", "btn_pub_ref": "clk_1"}
        httpserver.expect_request(
            "/v1/links",
            method="POST",
            json={"url": "https://a.example/é", "experience": experience},
        ).respond_with_json({"meta": {"status": "ok"}, "object": found})
        asked = client.link(
            "https://a.example/é", customer_id="mbr_1", reference="clk_1"
        )
        assert asked == found

    def test_the_older_call_asks_for_approved_stores(self, client, httpserver):
        httpserver.expect_request(
            "/v1/merchants", query_string="status=approved"
        ).respond_with_json(OK)
        assert client.merchants() == OK["objects"]

    @pytest.mark.parametrize(
        "body",
        [
            {"object": {"id": "a"}},
            {"object": [{"id": "a"}]},
            {"objects": [{"id": "a"}]},
        ],
    )
    def test_a_list_comes_in_any_of_three_shapes(self, client, httpserver, body):
        httpserver.expect_request("/v1/brands").respond_with_json(
            {"meta": {"status": "ok"}, **body}
        )
        assert client.brands() == [{"id": "a"}]

    @pytest.mark.parametrize("body", [{}, {"object": None}, {"objects": "abc"}])
    def test_no_list_is_no_empty_list(self, client, httpserver, body):
        httpserver.expect_request("/v1/brands").respond_with_json(
            {"meta": {"status": "ok"}, "objects": None, **body}
        )
        with pytest.raises(Broken, match="no list"):
            client.brands()

    def test_a_list_in_pages_is_read_to_its_end(self, client, httpserver):
        def page(request: Request) -> Response:
            at = int(request.args.get("cursor", 0))
            onward = f"https://b.example/?cursor={at + 1}" if at < 3 else None
            meta = {"status": "ok", "next": onward}
            return Response(json.dumps({"meta": meta, "objects": [{"id": at}]}))

        httpserver.expect_request("/v1/brands").respond_with_handler(page)
        assert [row["id"] for row in client.brands()] == [0, 1, 2, 3]

    def test_pages_in_a_circle_are_left(self, client, httpserver):
        meta = {"status": "ok", "next": "/v1/brands?cursor=again"}
        httpserver.expect_request("/v1/brands").respond_with_json({**OK, "meta": meta})
        with pytest.raises(Broken, match="in a circle"):
            client.brands()
        assert len(httpserver.log) == 2

    def test_pages_without_end_are_left(self, client, httpserver, monkeypatch):
        monkeypatch.setattr(client_module, "MOST_PAGES", 3)

        def page(_: Request) -> Response:
            meta = {"status": "ok", "next": f"?cursor={len(httpserver.log)}"}
            return Response(json.dumps({**OK, "meta": meta}))

        httpserver.expect_request("/v1/brands").respond_with_handler(page)
        with pytest.raises(Broken, match="have no end"):
            client.brands()

    def test_a_time_is_written_in_utc(self):
        assert instant(ONE_DAY.replace(microsecond=418000)).endswith("00:00.418000Z")


class TestConnections:
    def test_twenty_calls_take_one_connection(self):
        with listening(lambda _: GOOD) as server, client_of(server.url) as client:
            for _ in range(10):
                client.accounts()
                read(client)
        assert (len(server.requests), server.connections) == (20, 1)

    def test_an_error_gives_its_connection_back(self):
        refusal = http(json.dumps(error("no")).encode(), status="400 Bad Request")
        with listening(lambda _: refusal) as server, client_of(server.url) as client:
            for _ in range(5):
                with pytest.raises(Rejected):
                    client.accounts()
        assert (len(server.requests), server.connections) == (5, 1)

    def test_no_cookie_is_kept(self):
        answer = http(json.dumps(OK).encode(), set_cookie="a=b; Path=/")
        with listening(lambda _: answer) as server, client_of(server.url) as client:
            client.accounts()
            client.accounts()
        assert not [r for r in server.requests if b"cookie" in r.lower()]


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(reset, id="reset"),
            pytest.param(cut(b""), id="hung up"),
            pytest.param(cut(GOOD[:-5]), id="body cut short"),
            pytest.param(cut(GOOD[:40]), id="headers cut short"),
            pytest.param(http(b"{}", status="500 Oh"), id="500"),
            pytest.param(
                http(b"<html>", status="502 Bad", content_type="text/html"), id="502"
            ),
            pytest.param(http(b"", status="999 ?"), id="999"),
            pytest.param(http(b"", status="429 Slow"), id="429"),
            pytest.param(cut(b"\x16\x03\x01\x02\x00"), id="TLS"),
            pytest.param(
                cut(http(b"no gzip at all", content_encoding="gzip")), id="not gzip"
            ),
        ],
    )
    def test_reads_are_asked_again(self, fault, pauses):
        answers = iter([fault, fault, fault, GOOD] * 2)
        with (
            listening(lambda _: next(answers)) as server,
            client_of(server.url) as client,
        ):
            assert client.accounts() == OK["objects"]
            assert read(client).rows == [b'{"id": "acc-1"}']
        assert len(server.requests) == 8
        for number, pause in enumerate(pauses[:3]):
            assert 0.1 * 2**number <= pause <= 0.1 * 2**number + 1
        assert len({pause % 0.1 for pause in pauses}) > 1  # jitter

    def test_the_last_failure_is_raised(self, pauses):
        bad = http(b"<h1>Bad gateway</h1>", status="502 Bad", content_type="text/html")
        with (
            listening(lambda _: bad) as server,
            client_of(server.url) as client,
            pytest.raises(Failing) as caught,
        ):
            client.offers("mbr_1")
        assert (len(server.requests), caught.value.status) == (ATTEMPTS, 502)
        assert str(caught.value).endswith("Button's own trouble (text/html).")

    def test_a_refused_connection_is_tried_again(self, pauses):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"http://127.0.0.1:{gone.getsockname()[1]}"
        with client_of(url) as client, pytest.raises(Unreachable, match="ConnectError"):
            client.accounts()
        assert len(pauses) == ATTEMPTS - 1

    @pytest.mark.parametrize(
        "fault", [reset, http(b"", status="503 No"), http(b"", status="429 No")]
    )
    def test_a_link_is_asked_for_once(self, fault, pauses):
        with (
            listening(lambda _: fault) as server,
            client_of(server.url) as client,
            pytest.raises(ButtonError),
        ):
            client.link("https://a.example/", customer_id="m", reference="r")
        assert (len(server.requests), pauses) == (1, [])

    @pytest.mark.parametrize("status", ["429 Too Many", "503 Busy"])
    def test_the_pause_asked_for_is_taken(self, status, pauses):
        answers = iter([http(b"", status=status, retry_after=7), GOOD])
        with (
            listening(lambda _: next(answers)) as server,
            client_of(server.url) as client,
        ):
            assert client.accounts()
        assert pauses == [7.0]

    def test_a_date_that_is_past_is_no_pause(self, pauses):
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        answers = iter([http(b"", status="429 No", retry_after=date), GOOD])
        with (
            listening(lambda _: next(answers)) as server,
            client_of(server.url) as client,
        ):
            assert client.accounts()
        assert pauses == [0.0]

    def test_a_long_pause_is_not_waited_for(self, pauses):
        later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        for said in (31, later):
            answer = http(b"", status="429 No", retry_after=said)
            with (
                listening(lambda _, a=answer: a) as server,
                client_of(server.url) as client,
                pytest.raises(Throttled) as caught,
            ):
                client.accounts()
            assert len(server.requests) == 1
            assert caught.value.wait is not None
            assert caught.value.wait > 30
        assert pauses == []

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_refusal_is_not_asked_again(self, client, httpserver, status):
        httpserver.expect_request(ACCOUNTS).respond_with_json(error("no"), status)
        with pytest.raises(ButtonError):
            client.accounts()
        assert len(httpserver.log) == 1


class TestWhatComesBack:
    @pytest.mark.parametrize(
        ("status", "body", "kind"),
        [
            (400, error("Malformed id"), Rejected),
            (401, error("Bad key"), Unauthorized),
            (404, error("None", type="NoMerchantLinkSupport"), Rejected),
            (
                403,
                error(
                    "No", type="NoMerchantApproval", details={"merchant_id": "org-7"}
                ),
                Rejected,
            ),
            (200, error("No", type="Odd"), Rejected),
            (404, {"meta": {"status": "error"}, "error": None}, Rejected),
            (404, {"meta": {"status": "error"}, "error": ["odd"]}, Rejected),
            (404, {"meta": {"status": "error"}}, Rejected),
            (404, {"meta": {"status": "ok"}, "object": {}}, Rejected),
            (401, {"message": "of a gateway"}, Unauthorized),
            (403, {"message": "of a gateway"}, Unauthorized),
            (404, {"message": "of a gateway"}, Broken),
            (200, {"objects": []}, Broken),
            (200, {"meta": None, "objects": []}, Broken),
            (200, {"meta": ["ok"], "objects": []}, Broken),
            (200, {"meta": {"status": "fine"}, "objects": []}, Broken),
            (200, {"meta": {"status": ["ok"]}, "objects": []}, Broken),
            (200, [], Broken),
            (200, None, Broken),
            (204, None, Broken),
        ],
    )
    def test_an_error_has_its_type(self, client, httpserver, status, body, kind):
        httpserver.expect_request("").respond_with_json(body, status)
        said = body.get("error") if isinstance(body, dict) else None
        said = said if isinstance(said, dict) else {}
        calls = (
            client.accounts,
            lambda: read(client),
            lambda: client.offers("m"),
            lambda: client.link("https://a.example", customer_id="m", reference="r"),
        )
        for ask in calls:
            with pytest.raises(kind) as caught:
                ask()
            assert type(caught.value) is kind
            assert caught.value.status == status
            assert caught.value.kind == said.get("type", "")
            assert caught.value.details == said.get("details", {})
            assert str(caught.value) == said.get("message", str(caught.value))

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(200, Broken), (401, Unauthorized), (403, Unauthorized), (404, Broken)],
    )
    def test_a_page_for_people_is_no_answer(self, client, httpserver, status, kind):
        httpserver.expect_request("").respond_with_data(
            "<h1>Hello</h1>", status, content_type="text/html"
        )
        for ask in (client.accounts, lambda: read(client)):
            with pytest.raises(kind, match=r"\(text/html\)") as caught:
                ask()
            assert caught.value.status == status
            assert "Hello" not in str(caught.value)

    @pytest.mark.parametrize("body", [b"", b"{", json.dumps(OK).encode()[:-1]])
    def test_half_an_answer_is_none(self, client, httpserver, body):
        httpserver.expect_request("").respond_with_data(body)
        for ask in (client.accounts, lambda: read(client)):
            with pytest.raises(Broken, match="is no JSON"):
                ask()

    def test_a_long_message_is_cut(self, client, httpserver):
        body = error("m" * 10**6, type="t" * 10**6)
        httpserver.expect_request(ACCOUNTS).respond_with_json(body, 400)
        with pytest.raises(Rejected) as caught:
            client.accounts()
        assert (len(str(caught.value)), len(caught.value.kind)) == (500, 500)

    def test_a_compressed_answer_is_read(self):
        packed = http(gzip.compress(json.dumps(OK).encode()), content_encoding="gzip")
        with listening(lambda _: packed) as server, client_of(server.url) as client:
            assert client.accounts() == OK["objects"]
            assert read(client).rows == [b'{"id": "acc-1"}']

    @pytest.mark.parametrize("links", [1, 2])
    def test_a_bomb_is_refused_before_it_fills_the_memory(self, monkeypatch, links):
        monkeypatch.setattr(client_module, "MOST_BYTES", 10**6)
        bomb = b"\0" * 50_000_000
        for _ in range(links):
            bomb = gzip.compress(bomb, 6)
        answer = http(bomb, content_encoding=", ".join(["gzip"] * links))
        del bomb
        with listening(lambda _: answer) as server, client_of(server.url) as client:
            tracemalloc.start()
            with pytest.raises(Broken, match="is too large"):
                client.accounts()
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 10_000_000
        assert len(server.requests) == 1

    def test_an_endless_answer_is_refused(self, monkeypatch):
        monkeypatch.setattr(client_module, "MOST_BYTES", 10**6)
        endless = drip(http(b"{", content_length=10**12), b" " * 500_000)
        with (
            listening(lambda _: endless) as server,
            client_of(server.url) as client,
            pytest.raises(Broken, match="is too large"),
        ):
            read(client)
