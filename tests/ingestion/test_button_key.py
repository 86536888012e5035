"""Where the key to Button goes: to the server in the settings, and nowhere else."""

import json
import logging
import traceback
from base64 import b64encode
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog

from ingestion.button.client import ButtonClient
from ingestion.button.errors import Broken, ButtonError, Unauthorized
from rewards import deadline
from tests.ingestion.asking import (
    ACCOUNTS,
    GOOD,
    KEY,
    client_of,
    error,
    read,
)
from tests.ingestion.listener import http, listening, reset

pytestmark = pytest.mark.once


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_no_redirect_is_followed(status):
    with listening(lambda _: GOOD) as other:
        away = http(b"", status=f"{status} Away", location=f"{other.url}/x")
        with listening(lambda _: away) as server, client_of(server.url) as client:
            for ask in (client.accounts, lambda: read(client)):
                with pytest.raises(Broken, match="none is followed") as caught:
                    ask()
                assert caught.value.status == status
    assert (len(server.requests), other.connections) == (2, 0)


def test_nothing_of_the_environment_is_used(monkeypatch, tmp_path: Path):
    keylog = tmp_path / "keys"
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password other\n")
    with (
        listening(lambda _: GOOD) as proxy,
        listening(lambda _: GOOD) as server,
    ):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("SSLKEYLOGFILE", str(keylog))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        deadline._trusted.cache_clear()
        with client_of(server.url) as client:
            client.accounts()
    assert (proxy.connections, len(server.requests)) == (0, 1)
    assert b64encode(f"{KEY}:".encode()) in server.requests[0]
    assert not keylog.exists()


def test_a_name_in_the_address_does_not_replace_the_key():
    with listening(lambda _: GOOD) as server:
        url = server.url.replace("http://", "http://somebody:other@")
        with client_of(url) as client:
            client.accounts()
    assert b64encode(f"{KEY}:".encode()) in server.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(GOOD, id="good"),
        pytest.param(reset, id="reset"),
        pytest.param(http(b"", status="500 No"), id="500"),
        pytest.param(http(b"", status="302 No", location="/x"), id="302"),
        pytest.param(http(b"<html>", status="403 No"), id="403"),
        pytest.param(http(json.dumps(error("no")).encode(), status="401 No"), id="401"),
        pytest.param(http(b"", status="429 No", retry_after="99"), id="429"),
    ],
)
def test_the_key_is_in_no_log_and_no_traceback(answer, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "stamina"):
        caplog.set_level(logging.DEBUG, logger=name)
    with (
        structlog.testing.capture_logs() as entries,
        listening(lambda _: answer) as server,
        client_of(server.url, attempts=1) as client,
    ):
        told = repr(client) + str(client) + repr(client._http)
        for ask in (client.accounts, lambda: read(client)):
            try:
                ask()
            except ButtonError as raised:
                told += repr(raised) + str(vars(raised))
                told += "".join(traceback.format_exception(raised))
                whole = traceback.TracebackException.from_exception(
                    raised, capture_locals=True
                )
                told += "".join(whole.format())
    told += caplog.text + str(entries)
    assert "httpcore2" in caplog.text
    assert KEY not in told
    assert b64encode(f"{KEY}:".encode()).decode() not in told


def test_a_key_that_button_repeats_is_not_repeated(httpserver):
    basic = b64encode(f"{KEY}:".encode()).decode()
    body = error(
        f"No such key {KEY} ({basic}).", type=KEY, details={"key": [KEY], KEY: 1}
    )
    httpserver.expect_request(ACCOUNTS).respond_with_json(body, 401)
    with (
        client_of(httpserver.url_for("")) as client,
        pytest.raises(Unauthorized) as caught,
    ):
        client.accounts()
    assert str(caught.value) == "No such key [key] ([key])."
    told = "".join(traceback.format_exception(caught.value))
    assert KEY not in told + str(vars(caught.value))


def test_messages_hold_nothing_of_the_query(httpserver):
    httpserver.expect_request("").respond_with_data("no", 404)
    with (
        client_of(httpserver.url_for("")) as client,
        pytest.raises(Broken) as caught,
    ):
        client.transactions(
            None, by="modified", start=None, end=None, cursor="cursor-of-ours"
        )
    assert "cursor-of-ours" not in str(caught.value)


def test_the_settings_name_the_server(settings):
    with listening(lambda _: GOOD) as server:
        settings.BUTTON_API_KEY = KEY
        settings.BUTTON_API_URL = settings.BUTTON_OFFERS_URL = server.url
        with ButtonClient.from_settings(page_size=7) as client:
            read(client)
    query = parse_qs(urlsplit(server.requests[0].split()[1].decode()).query)
    assert query["page_size"] == ["7"]
