"""Pages of transactions: rows to the byte, cursors, and nothing but typed errors."""

import json
from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.button.answers import Page, read_object, read_page, retry_after
from ingestion.button.errors import Broken, ButtonError, Rejected

pytestmark = pytest.mark.once

ASKED = "https://api.button.example/v1/affiliation/transactions?page_size=100"
NOW = datetime(2026, 11, 4, 12, tzinfo=UTC)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
SPACE = st.text(" \t\r\n", max_size=3).map(str.encode)


def answer(body: bytes, *, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, content=body, request=httpx2.Request("GET", ASKED))


def page(rows: bytes, *, next: bytes = b"null") -> bytes:
    return b'{"meta":{"status":"ok","next":%s},"objects":%s}' % (next, rows)


def read_next(url: object, *, asked: str = ASKED) -> Page:
    body = page(b"[]", next=json.dumps(url).encode())
    request = httpx2.Request("GET", asked)
    return read_page(httpx2.Response(200, content=body, request=request))


class TestErrors:
    def test_what_no_database_stores_goes_no_further(self):
        said = {
            "message": "a\0b",
            "type": "\ud800",
            "details": {"x\0": "\ud800", "n": 1},
        }
        body = json.dumps({"meta": {"status": "error"}, "error": said}).encode()
        with pytest.raises(Rejected, match="a\ufffdb") as refused:
            read_object(answer(body, status=400))
        assert refused.value.kind == "\ufffd"
        assert refused.value.details == {"x\ufffd": "\ufffd"}


class TestRows:
    @given(st.lists(JSON_VALUES), st.booleans(), st.sampled_from([None, 2]))
    def test_each_row_says_what_was_sent(self, rows, ascii_only, indent):
        body = json.dumps(
            {"meta": {"status": "ok"}, "objects": rows},
            ensure_ascii=ascii_only,
            indent=indent,
        )
        body_bytes = body.encode("utf-8", "surrogatepass")
        found = read_page(answer(body_bytes)).rows
        assert len(found) == len(rows)
        for got, sent in zip(found, rows, strict=True):
            assert json.dumps(json.loads(got)) == json.dumps(sent)

    @given(st.lists(st.tuples(SPACE, JSON_VALUES, SPACE)), SPACE)
    def test_each_row_is_kept_to_the_byte(self, parts, gap):
        rows = [json.dumps(value).encode() for _, value, _ in parts]
        spaced = b",".join(
            before + row + after
            for (before, _, after), row in zip(parts, rows, strict=True)
        )
        body = gap + page(b"[" + gap + spaced + b"]") + gap
        assert read_page(answer(body)).rows == rows

    @pytest.mark.parametrize(
        "row",
        [
            b'{"id" :\t"tx-1",\r\n  "a":  1 }',
            b'{"a": 1, "a": 2}',
            b'{"a": NaN, "b": -Infinity}',
            rb'{"a": "\u00e9\ud83d\ude00\/", "b": "\ud800"}',
            '{"é": "日本 😀 \u2028"}'.encode(),
            b'{"a": 1.10, "b": 1E+2, "c": -0, "d": 1e999}',
            b'{"a": "]}, {\\"objects\\": ["}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b'{"a": "not \xff UTF-8"}',
            b'{"a": {"meta": {"next": "x"}, "objects": [[]]}}',
            b'"a text"',
            b"[]",
            b"7",
        ],
    )
    def test_an_odd_row_is_kept_as_it_came_and_its_neighbours_too(self, row):
        found = read_page(answer(page(b'[{"id":1} ,' + row + b'\n,\t{"id":2}]'))).rows
        assert found == [b'{"id":1}', row, b'{"id":2}']

    def test_the_order_of_the_members_is_nothing(self):
        body = b'{"x":[{"objects":[1]}],"objects":[1,2],"meta":{"status":"ok"},"y":{}}'
        assert read_page(answer(body)) == Page([b"1", b"2"], "", "")

    @pytest.mark.parametrize(
        "body",
        [
            page(b"[1,]"),
            page(b"[,1]"),
            page(b"[1 2]"),
            page(b"[1"),
            page(b"[1}"),
            page(b"[]") + b"x",
            page(b"[]") * 2,
            page(b"[]")[:-1],
            page(b"[]")[:-1] + b",}",
            page(b"[]").replace(b":[", b" ["),
            b"\xef\xbb\xbf" + page(b"[]"),
            page(b"[]").decode().encode("utf-16"),
            page(b"[" * 100_000),
            page(b"[" * 100_000 + b"]" * 100_000),
            b'{[1]:2,"meta":{"status":"ok"},"objects":[]}',
            b'{{}:2,"meta":{"status":"ok"},"objects":[]}',
            b"{'meta':1}",
            b"{",
            b"",
            b" ",
            b"[]",
            b"null",
            b"<html>",
        ],
        ids=lambda body: body[:12],
    )
    def test_a_page_with_broken_brackets_is_refused_whole(self, body):
        with pytest.raises(Broken, match="is no JSON") as caught:
            read_page(answer(body))
        assert caught.value.status == 200

    @pytest.mark.parametrize("objects", [b"null", b"{}", b'"[]"', b"7"])
    def test_rows_are_a_list(self, objects):
        with pytest.raises(Broken, match="has no list"):
            read_page(answer(page(objects)))

    @given(st.binary(max_size=60) | st.text('{}[]",:metaobjcsukn \\1', max_size=60))
    @example("{}")
    @example('{"meta":{},"objects":[]}')
    @example('{"meta":{"status":"ok"}}')
    def test_whatever_comes_is_a_page_or_a_typed_error(self, body):
        body = body.encode() if isinstance(body, str) else body
        for read in (read_page, read_object):
            for status in (200, 404):
                try:
                    read(answer(body, status=status))
                except ButtonError as error:
                    assert error.status == status

    @given(JSON_VALUES, JSON_VALUES, st.sampled_from([200, 400, 401, 403, 418]))
    def test_whatever_an_envelope_holds_is_read_or_refused(self, meta, error, status):
        for held in (meta, {"status": "error"}, {"status": meta}):
            body = json.dumps({"meta": held, "error": error, "objects": []})
            for read in (read_page, read_object):
                try:
                    read(answer(body.encode(), status=status))
                except ButtonError as raised:
                    assert raised.status == status


class TestNext:
    @pytest.mark.parametrize("url", [None, ""])
    def test_no_next_page(self, url):
        assert read_next(url) == Page([], "", "")

    def test_no_word_of_a_next_page(self):
        body = b'{"meta":{"status":"ok"},"objects":[]}'
        assert read_page(answer(body)) == Page([], "", "")

    @pytest.mark.parametrize(
        "url",
        [
            "?cursor=abc%3D",
            "/v1/other?x=1&cursor=abc%3D#part",
            "transactions?cursor=abc%3D&cursor=second",
            "//api.button.example/v1?cursor=abc%3D",
            "https://api.button.example/v1/affiliation/acc?cursor=abc%3D",
            "HTTPS://API.Button.Example:443/?cursor=abc%3D",
            "https://user:word@api.button.example/?cursor=abc%3D",
        ],
    )
    def test_a_next_page_at_home(self, url):
        assert read_next(url) == Page([], "abc=", "")

    @pytest.mark.parametrize(
        ("url", "elsewhere"),
        [
            ("https://evil.example/v1?cursor=c", "evil.example"),
            ("https://evil.example:8443/v1?cursor=c", "evil.example"),
            ("//evil.example?cursor=c", "evil.example"),
            ("https://api.button.example@evil.example/?cursor=c", "evil.example"),
            ("//api.button.example.evil.test?cursor=c", "api.button.example.evil.test"),
            ("https://api.button.example./?cursor=c", "api.button.example."),
            ("https://api.button.example:444/?cursor=c", "api.button.example:444"),
            ("https://api.button.example:0/?cursor=c", "api.button.example:0"),
            ("http://api.button.example/?cursor=c", "http://api.button.example"),
            ("http://api.button.example:443/?cursor=c", "http://api.button.example"),
            ("https://[::1]/?cursor=c", "::1"),
            ("javascript:alert(1)?cursor=c", "javascript:"),
            ("file:///etc/passwd?cursor=c", "file:"),
            ("https://ähnlich.example/?cursor=c", "ähnlich.example"),
            (f"https://{'x' * 5000}.example/?cursor=c", "x" * 255),
        ],
    )
    def test_a_next_page_elsewhere(self, url, elsewhere):
        assert read_next(url) == Page([], "c", elsewhere)

    def test_the_port_of_a_server_of_ones_own_counts(self):
        asked = "http://[::1]:8000/v1"
        assert read_next("http://[::1]:8000/?cursor=c", asked=asked).elsewhere == ""
        assert read_next("http://[::1]:80/?cursor=c", asked=asked).elsewhere == "::1:80"
        assert read_next("http://[::1]/?cursor=c", asked=asked).elsewhere == "::1:80"

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            (True, "no address"),
            ({"cursor": "c"}, "no address"),
            (["?cursor=c"], "no address"),
            ("https://[::1?cursor=c", "no address"),
            ("https://api.button.example:99999/?cursor=c", "no address"),
            ("https://api.button.example:x/?cursor=c", "no address"),
            ("https://a.example/\r\nX: y?cursor=c", "no address"),
            ("https://a.example\x00/?cursor=c", "no address"),
            ("?cursor=\ud800", "no address"),
            (7, "no cursor"),
            ("   ", "no cursor"),
            ("https://api.button.example/v1", "no cursor"),
            ("?cursor=", "no cursor"),
            ("?Cursor=c", "no cursor"),
            ("#?cursor=c", "no cursor"),
            (f"?cursor={'c' * 4001}", "too long: 4001 characters"),
            (f"?cursor={'%41' * 10**4}", "too long"),
            ("?cursor=c%0d%0aX-Evil:%201", "control characters"),
            ("?cursor=%00", "control characters"),
            ("?cursor=%e2%80%8b", "control characters"),
        ],
    )
    def test_a_next_page_that_can_not_be_asked_for(self, url, why):
        with pytest.raises(Broken, match=why):
            read_next(url)

    def test_the_longest_cursor(self):
        assert read_next(f"?cursor={'c' * 4000}").cursor == "c" * 4000


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            ("0", 0),
            (" 120 ", 120),
            ("9" * 400, 86_400),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
            ("Wed, 04 Nov 2026 12:01:30 GMT", 90),
            ("Wed, 04 Nov 2026 14:01:30 +0200", 90),
            ("Wed, 04 Nov 2026 12:01:30 -0000", 90),
            ("Wed, 04 Nov 2026 11:00:00 GMT", 0),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("Wed, 04 Nov 99999 12:00:00 GMT", None),
            ("Wed, 31 Feb 2026 12:00:00 GMT", None),
        ],
    )
    def test_both_forms(self, said, seconds):
        throttled = answer(b"", status=429)
        throttled.headers["Retry-After"] = said
        assert retry_after(throttled, now=NOW) == seconds

    @given(st.text(st.characters(codec="ascii")))
    def test_whatever_is_said_the_pause_is_bearable(self, said):
        throttled = answer(b"", status=429)
        throttled.headers["Retry-After"] = said
        wait = retry_after(throttled, now=NOW)
        assert wait is None or 0 <= wait <= 86_400
