"""Tests of the whole server as `make run` starts it, with some of it killed."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from celery import Celery
from django.core.management.base import CommandError
from redis import RedisError

from loyalty_site import broker
from loyalty_site.management.commands import serve
from tests.example import ROOT
from tests.processes import (
    environment,
    find_descendants,
    find_free_port,
    lives,
    run_manage,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.once]  # it brings its own database
# The suite's PostgreSQL has a database beside the one that tests use.
GIVEN = {"SECRET_KEY": "x", "DATABASE_URL": os.environ.get("DATABASE_URL", "")}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("migrated")
    done = run_manage("migrate", "--verbosity=0", data_dir=data_dir, **GIVEN)
    assert done.returncode == 0, done.stderr
    return data_dir


@pytest.fixture
def data_dir(migrated, tmp_path):
    return shutil.copytree(migrated, tmp_path / "data")


class Server:
    """One running `manage.py serve`."""

    def __init__(self, data_dir, **variables):
        self.data_dir = data_dir
        self.port = find_free_port()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", f"--port={self.port}"],
            env=environment(data_dir, **GIVEN, **variables),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seen = {}
        self.said = ""

    def wait_ready(self):
        for line in self.process.stdout:
            self.said += line
            if "Ready on" in line:
                break
        wait_until(self.worker_answers)
        self.look()

    def look(self):
        self.seen |= find_descendants(self.process.pid)

    def find(self, words):
        """The process with these words in its command line that has no such parent."""
        found = [
            pid
            for pid, line in find_descendants(self.process.pid).items()
            if words in line
        ]
        return min(found, default=None)

    def worker_answers(self):
        url = broker.url(self.data_dir)
        with Celery(broker=url) as app, suppress(OSError, RedisError):
            return app.control.ping(timeout=1)

    def status(self, path):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            client.request("GET", path)
            return client.getresponse().status
        except OSError:
            return None
        finally:
            client.close()

    def close(self):
        self.look()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for pid in filter(lives, self.seen):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def server(data_dir):
    server = Server(data_dir)
    yield server
    server.close()


def test_everything_runs_and_one_signal_stops_it(server):
    server.wait_ready()
    for path in ("/healthz", "/readyz", "/admin/login/"):
        assert server.status(path) == 200
    assert server.find("celery -A loyalty_site -q beat")

    second = run_manage("serve", "--port=1", data_dir=server.data_dir, **GIVEN)
    assert second.returncode == 1
    assert "running already" in second.stderr

    began = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(15) == 0
    assert time.monotonic() - began < 10
    assert not any(map(lives, server.seen))


def test_killed_parts_come_back_and_a_killed_whole_leaves_nothing(server):
    server.wait_ready()
    parts = ("unixsocket", "gunicorn", "celery -A loyalty_site -q worker", "-q beat")
    killed = {part: server.find(part) for part in parts}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    for part, pid in killed.items():
        wait_until(lambda part=part, pid=pid: server.find(part) not in {None, pid})
    wait_until(server.worker_answers)
    wait_until(lambda: server.status("/readyz") == 200)

    server.look()
    server.process.kill()
    wait_until(lambda: not any(map(lives, server.seen)), seconds=15)

    again = Server(server.data_dir)
    try:
        again.wait_ready()
        assert again.status("/readyz") == 200
    finally:
        again.close()


def sandbox_settings(port):
    return {
        "DEMO": "true",
        "BUTTON_API_URL": f"http://127.0.0.1:{port}",
        "BUTTON_API_KEY": "sk-made-up",
        "BUTTON_ORGANIZATION_ID": "org-02f4c8e96b1d7a50",
        "BUTTON_WEBHOOK_SECRETS": "made-up",
    }


def test_a_demo_has_its_sandbox_which_reports_to_it(data_dir):
    port = find_free_port()
    server = Server(data_dir, **sandbox_settings(port))
    try:
        server.wait_ready()
        assert f"http://127.0.0.1:{port}/" in server.said
        assert place_order(port) == 303
        wait_until(lambda: "delivered" in deliveries(port))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 0
        assert not any(map(lives, server.seen))
    finally:
        server.close()


def place_order(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("POST", "/orders", "customer=alice")
        return client.getresponse().status
    finally:
        client.close()


def deliveries(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", "/")
        return client.getresponse().read().decode()
    finally:
        client.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"DEMO": False},
        {"BUTTON_API_KEY": ""},
        {"BUTTON_ORGANIZATION_ID": ""},
        {"BUTTON_WEBHOOK_SECRETS": []},
        {"BUTTON_API_URL": "https://api.usebutton.com"},
        {"BUTTON_API_URL": "https://api.usebutton.com:8010"},
    ],
)
def test_without_a_demo_there_is_no_sandbox(settings, changed):
    for name, value in (sandbox_settings(8010) | changed).items():
        setattr(settings, name, value)
    assert serve.sandbox_port() is None


def test_a_sandbox_beside_this_one_is_left_alone(monkeypatch, settings, capsys):
    monkeypatch.setattr(serve, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for name, value in sandbox_settings(port).items():
            setattr(settings, name, value)
        assert serve.Command().free_sandbox_port() is None
    assert f"Port {port} is taken" in capsys.readouterr().err


def test_a_taken_port_is_refused(monkeypatch):
    monkeypatch.setattr(serve, "PATIENCE", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CommandError, match="WEB_PORT"),
    ):
        serve.refuse_taken(taken.getsockname()[1])


def test_a_database_without_its_migrations_is_refused(tmp_path):
    done = run_manage("serve", data_dir=tmp_path, SECRET_KEY="x")
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
