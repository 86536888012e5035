"""Reads the environment; refuses what is missing or malformed in one line."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv

WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "::1", "testserver", "*"}


class Environment:
    """Typed values by name. Blank counts as unset; `NAME_FILE` names a file with it.

    It remembers the names asked for: a test compares them with `.env.example`.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()

    def load(self, path: Path) -> None:
        """Take a file's variables, except those which the environment already has."""
        if path.is_file():
            FileAwareEnv.read_env(path)

    def text(self, name: str, *, default: str = "") -> str:
        self.names.add(name)
        try:
            value = FileAwareEnv.ENVIRON.get(name) or ""
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: {error}.") from error
        return value.strip() or default

    def required(self, name: str, *, mend: str) -> str:
        value = self.text(name)
        if not value:
            raise ImproperlyConfigured(f"{name} is not set. {mend}")
        return value

    def names_in(self, name: str, *, default: str = "") -> list[str]:
        """A comma list."""
        parts = self.text(name, default=default).split(",")
        return [part.strip() for part in parts if part.strip()]

    def flag(self, name: str, *, default: bool) -> bool:
        word = self.text(name, default=str(default)).lower()
        if word not in WORDS:
            raise ImproperlyConfigured(f"{name} is {word!r}: write true or false.")
        return WORDS[word]

    def integer(self, name: str, *, default: int, least: int = 0) -> int:
        word = self.text(name, default=str(default))
        if not (word.isascii() and word.isdigit() and int(word) >= least):
            raise ImproperlyConfigured(
                f"{name} is {word!r}: write a whole number, {least} or more."
            )
        return int(word)

    def https_url(self, name: str, *, default: str) -> str:
        """A URL that may carry secrets: https, or http to this very machine."""
        url = self.text(name, default=default).rstrip("/")
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not host or not (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        ):
            raise ImproperlyConfigured(
                f"{name} is {url!r}: write an https URL (http only for loopback)."
            )
        return url


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def only_local(hosts: list[str]) -> bool:
    return LOCAL_HOSTS.issuperset(hosts)


def refuse_strangers(hosts: list[str], **opened: bool) -> None:
    """Refuse what lets anybody in where a public name leads here."""
    for name in opened:
        anywhere = name == "DEMO" and "*" in hosts
        if opened[name] and (anywhere or not only_local(hosts)):
            raise ImproperlyConfigured(
                f"{name} lets strangers in, and ALLOWED_HOSTS names a public host:"
                f" turn {name} off (`make run` sets it, in run.env of DATA_DIR)."
            )
