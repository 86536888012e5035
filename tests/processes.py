"""Runs the server's own programs, in an environment of only what is given."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.example import ROOT


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(data_dir),
        "ENV_FILE": os.devnull,
        "DATA_DIR": str(data_dir),
        "PYTHONPATH": str(ROOT),
        **variables,
    }


def run(
    *arguments: str, data_dir: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python program of ours to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(data_dir, **variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_manage(
    *arguments: str, data_dir: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return run("manage.py", *arguments, data_dir=data_dir, **variables)


def lives(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has asked about doesn't."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def find_descendants(pid: int) -> dict[int, str]:
    """Command lines of everything that a process has started, by process id."""
    children = [
        int(child)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for child in file.read_text().split()
    ]
    found = {}
    for child in children:
        line = Path(f"/proc/{child}/cmdline").read_text()
        found[child] = line.replace("\0", " ")
        found |= find_descendants(child)
    return found


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(question: Callable[[], object], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.05)
