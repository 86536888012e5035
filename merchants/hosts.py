"""Host names as browsers write them, and which of them a list of hosts covers."""

import re
from collections.abc import Iterable

from ada_url import URL, HostType

LONGEST = 253
_NO_BARE_HOST = re.compile(r"[\s/\\?#@]")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


def normalised(text: str) -> str:
    """A bare host name in lower-case punycode; its port stays unless it is 443.

    Raises ValueError for anything else: an address of digits, a scheme, a path.
    """
    if _NO_BARE_HOST.search(text.strip()):
        raise ValueError(text)
    found = in_address(f"https://{text.strip()}")
    if not found:
        raise ValueError(text)
    return found[0]


def in_address(url: str) -> list[str]:
    """The host that an address leads to, with its port unless that is 443; or none."""
    try:
        parsed = parse(url)
    except ValueError:
        return []
    name = name_of(parsed)
    if name is None:
        return []
    return [f"{name}:{parsed.port}" if parsed.port else name]


def parse(text: str) -> URL:
    """The address as a browser reads it. Raises ValueError where it reads none."""
    # Half of a surrogate pair is a character that got lost.
    return URL(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def name_of(url: URL) -> str | None:
    """The host's name without a final dot; None where no store could be there."""
    name = url.hostname.removesuffix(".")
    if url.host_type != HostType.DEFAULT or len(name) > LONGEST:
        return None
    return name if _NAME.fullmatch(name) else None


def covers(hosts: Iterable[str], name: str, *, port: str = "") -> bool:
    """Whether one of these hosts is this one, or one above it, on the same port.

    ``www.`` in front makes no other store: where a list names only that, the name
    without it is covered too.
    """
    return any(_covers(*host.partition(":")[::2], name, port) for host in hosts)


def _covers(host: str, its_port: str, name: str, port: str) -> bool:
    alike = name == host or f"www.{name}" == host or name.endswith(f".{host}")
    return alike and its_port == port
