"""Tests that logs are one line of JSON an event, and keep no secret."""

import json

import pytest

from loyalty_site.logs import redact
from tests.processes import run

pytestmark = pytest.mark.once

SET_UP = "import django, logging, structlog; django.setup()\n"


def log(statements, *, data_dir):
    """Log in a process with the shipped settings; return the lines as written."""
    done = run(
        "-c",
        SET_UP + statements,
        data_dir=data_dir,
        SECRET_KEY="x",
        DJANGO_SETTINGS_MODULE="loyalty_site.settings",
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_is_one_line_of_json(tmp_path):
    call = r"structlog.get_logger('here').warning('stored\nit', event_id=7)"
    [line] = log(call, data_dir=tmp_path)
    assert (line["event"], line["event_id"]) == ("stored\nit", 7)
    assert (line["level"], line["logger"]) == ("warning", "here")
    assert line["timestamp"].endswith("Z")


def test_a_library_logs_in_the_same_way(tmp_path):
    call = "logging.getLogger('library').error('asked with %s', 'Bearer abc.def')"
    [line] = log(call, data_dir=tmp_path)
    assert line["event"] == "asked with [removed]"


def test_a_traceback_is_kept_without_its_secrets(tmp_path):
    statements = r"""
try:
    raise ValueError("key sk-live_123 refused\nDETAIL:  Failing row contains (x).")
except ValueError:
    structlog.get_logger("here").exception("failed")
"""
    [line] = log(statements, data_dir=tmp_path)
    # The source line is in the traceback too, and is no secret of the running server.
    message = line["exception"].rpartition("ValueError: ")[2]
    assert message == "key [removed] refused\n[removed]"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("DELETE /api/v1/members/alice/", "DELETE /api/v1/members/[removed]"),
        (
            "Not Found: /api/v1/members/a b/c/links/",
            "Not Found: /api/v1/members/[removed]",
        ),
        ("GET /admin/rewards/member/?q=alice", "GET /admin/rewards/member/?[removed]"),
        ("GET /api/v1/merchants/org-1/", "GET /api/v1/merchants/org-1/"),
    ],
)
def test_addresses_keep_no_customer_id(said, kept):
    assert redact(None, "info", {"request": said}) == {"request": kept}


@pytest.mark.parametrize(
    "name", ["Authorization", "api_key", "password", "X-Button-Signature", "cookie"]
)
def test_named_secrets_are_removed_at_any_depth(name):
    event = redact(None, "info", {"headers": [{name: "s3cret"}], "code": 200})
    assert event == {"headers": [{name: "[removed]"}], "code": 200}


def test_a_password_in_a_url_is_removed():
    event = redact(None, "info", {"event": "using redis://me:s3cret@host:6379/0"})
    assert event == {"event": "using redis[removed]host:6379/0"}
