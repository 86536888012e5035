"""Tests of the supervisor, on real processes that do nothing."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.example import ROOT
from tests.processes import lives, wait_until

pytestmark = pytest.mark.once

# A supervisor of two services, each of which has a child and notes the ids of both.
PROGRAM = """
import sys
from pathlib import Path
from loyalty_site.supervisor import Service, StartFailed, Supervisor

here = Path(sys.argv[1])
nap = "import subprocess, os, sys, signal, time; {before};" \\
    " child = subprocess.Popen(['sleep', '60']);" \\
    " open(sys.argv[1], 'a').write(f'{{os.getpid()}} {{child.pid}}\\\\n');" \\
    " time.sleep(60)"

def service(name, before="pass"):
    notes = here / name
    command = [sys.executable, "-c", nap.format(before=before), str(notes)]
    return Service(name, command, ready=notes.exists)

try:
    services = [service("first"), service("second", sys.argv[2])]
    Supervisor(services, patience=2).run(announce=(here / "ready").touch)
except StartFailed as error:
    sys.exit(f"failed: {error}")
"""


class Group:
    """One running supervisor."""

    def __init__(self, here, before):
        self.here = here
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), str(here), before],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pids(self, name):
        """The process and the child of each run of a service, the latest last."""
        notes = self.here / name
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [tuple(map(int, line.split())) for line in lines]

    def all_pids(self):
        runs = self.pids("first") + self.pids("second")
        return [pid for run in runs for pid in run]

    def wait_ready(self):
        wait_until((self.here / "ready").exists)


@pytest.fixture
def start(tmp_path):
    groups = []

    def start_group(before="pass"):
        groups.append(Group(tmp_path, before))
        return groups[-1]

    yield start_group
    for group in groups:
        group.process.kill()
        group.process.wait()
        group.process.stderr.close()
        for pid in group.all_pids():
            if lives(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(start, number):
    group = start()
    group.wait_ready()
    began = time.monotonic()
    group.process.send_signal(number)
    assert group.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert not any(map(lives, group.all_pids()))


def test_services_start_in_order(start):
    group = start()
    group.wait_ready()
    assert (group.here / "first").stat().st_mtime <= (
        group.here / "second"
    ).stat().st_mtime


def test_a_killed_service_starts_again_without_its_orphans(start):
    group = start()
    group.wait_ready()
    [(pid, child)] = group.pids("second")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(group.pids("second")) == 2)
    assert not lives(child)
    [(first, _)] = group.pids("first")
    assert lives(first)


def test_the_pause_before_a_restart_grows(start):
    group = start()
    group.wait_ready()
    began = time.monotonic()
    for count in (2, 3):
        os.kill(group.pids("second")[-1][0], signal.SIGKILL)
        wait_until(lambda count=count: len(group.pids("second")) == count)
    assert time.monotonic() - began > 1.5  # 0.5 s, then 1 s


def test_killing_the_supervisor_leaves_no_service(start):
    group = start()
    group.wait_ready()
    services = [run[0] for name in ("first", "second") for run in group.pids(name)]
    group.process.kill()
    group.process.wait()
    wait_until(lambda: not any(map(lives, services)), seconds=5)


def test_a_service_that_cannot_start_stops_the_others(start):
    group = start(before="sys.exit(3)")
    assert group.process.wait(20) == 1
    assert "second ended with 3" in group.process.stderr.read()
    assert not any(map(lives, group.all_pids()))


def test_a_service_that_will_not_stop_is_killed(start):
    group = start(before="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    group.wait_ready()
    group.process.send_signal(signal.SIGTERM)
    assert group.process.wait(10) == 0
    assert not any(map(lives, group.all_pids()))
