"""Tests of the sandbox as a process of its own."""

import signal
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ingestion.button.sandbox import Sandbox
from tests.example import ROOT
from tests.ingestion.sandbox.callers import Caller
from tests.processes import environment, find_free_port, run_manage, wait_until

pytestmark = [pytest.mark.once, pytest.mark.slow]

GIVEN = {
    "SECRET_KEY": "x",
    "DEMO": "true",
    "BUTTON_API_KEY": "sk-sandbox",
    "BUTTON_ORGANIZATION_ID": "org-02f4c8e96b1d7a50",
    "BUTTON_WEBHOOK_SECRETS": "sandbox-webhook-secret",
}


class Process:
    """One running `manage.py sandbox`, with what a Caller wants to know of it."""

    api_key = GIVEN["BUTTON_API_KEY"]

    def __init__(self, data_dir, *options, **variables):
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", *options],
            env=environment(data_dir, **(GIVEN | variables)),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.server = self
        self.port = int(line.partition("127.0.0.1:")[2].partition("/")[0])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


def test_it_serves_reports_and_ends_on_a_signal(tmp_path, receiver):
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    options = ("--traffic=40", "--month=0.1", f"--receiver={receiver.url}")
    process = Process(tmp_path, *options, BUTTON_API_URL=url)
    try:
        assert process.port == port
        wait_until(lambda: "tx-validated" in {event for event, _ in receiver.events})
        assert Caller(process).get("/sandbox/truth")[1]["objects"]
    finally:
        assert process.stop() == 0
    # Its own file, and no other database.
    names = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert names == {"sandbox.sqlite3", "static"}
    with Sandbox(data=tmp_path / "sandbox.sqlite3") as sandbox:
        assert sandbox.state.count()


@pytest.mark.parametrize(
    ("option", "changed"),
    [
        ("--host=0.0.0.0", {}),
        ("--receiver=https://rewards.example.com/webhooks/button/", {}),
        ("--receiver=http://rewards.example.com/webhooks/button/", {}),
        ("--traffic=0", {"DEMO": False, "DEBUG": False}),
        ("--traffic=0", {"BUTTON_API_KEY": ""}),
        ("--traffic=0", {"BUTTON_ORGANIZATION_ID": ""}),
        ("--traffic=0", {"BUTTON_WEBHOOK_SECRETS": []}),
    ],
)
def test_it_refuses_anything_but_this_machine(settings, tmp_path, option, changed):
    given = GIVEN | {"DEMO": True, "DATA_DIR": tmp_path} | changed
    for name, value in given.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError) as refused:
        call_command("sandbox", option)
    assert refused.value.returncode == 2
    assert not list(tmp_path.iterdir())


LIVE = {"DEMO": False, "DEBUG": False}


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (["--data"], {}),
        (["--receiver"], {}),
        (["--data", "--receiver"], {"ALLOWED_HOSTS": ["rewards.example.com"]}),
        (["--data", "--receiver"], {"ALLOWED_HOSTS": ["localhost", "*"]}),
    ],
)
def test_beside_a_live_server_it_needs_a_file_and_a_receiver_of_its_own(
    settings, tmp_path, receiver, options, changed
):
    for name, value in {**GIVEN, **LIVE, "DATA_DIR": tmp_path, **changed}.items():
        setattr(settings, name, value)
    own = {"--data": tmp_path / "own.sqlite3", "--receiver": receiver.url}
    with pytest.raises(CommandError, match="DEMO or DEBUG has to be on") as refused:
        call_command("sandbox", *(f"{name}={own[name]}" for name in options))
    assert refused.value.returncode == 2
    assert not list(tmp_path.iterdir())


def test_apart_from_a_server_it_runs(tmp_path, receiver):
    options = (f"--data={tmp_path / 'own.sqlite3'}", f"--receiver={receiver.url}")
    port = f"--port={find_free_port()}"
    process = Process(tmp_path, port, *options, DEMO="false", DEBUG="false")
    try:
        assert Caller(process).get("/sandbox/webhooks")[1]["object"]["receiver"] == (
            receiver.url
        )
    finally:
        assert process.stop() == 0


def test_a_taken_port_is_said_in_a_line(tmp_path):
    with Sandbox() as sandbox:
        done = run_manage(
            *("sandbox", f"--port={sandbox.server.port}"), data_dir=tmp_path, **GIVEN
        )
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
