"""What a network says, made fit to be stored and shown; and when not to believe it."""

import re
from collections.abc import Iterable

from merchants import hosts

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
LONGEST_ADDRESS = 500


def text(value: str, *, most: int | None = None) -> str:
    """The text without what no database stores and no page shows, cut to ``most``."""
    return _CONTROLS.sub("", value).strip()[:most].rstrip()


def web_address(value: str, *, schemes: tuple[str, ...] = ("https:",)) -> str:
    """The address in ASCII; nothing stays nothing.

    Raises ValueError for anything that is no whole address of these schemes.
    """
    if not value.strip():
        return ""
    url = hosts.parse(value)
    if (
        url.protocol not in schemes
        or hosts.name_of(url) is None
        or url.username
        or url.password
        or len(url.href) > LONGEST_ADDRESS
    ):
        raise ValueError(value)
    return str(url.href)


def host_names(values: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that are host names, normalised, each once; and those that are none."""
    good: dict[str, None] = {}
    bad = []
    for value in values:
        try:
            good[hosts.normalised(value.strip().removeprefix("*."))] = None
        except ValueError:
            bad.append(value)
    return list(good), bad


def is_believable(vanished: int, *, of: int) -> bool:
    """Whether so many may have vanished at once: up to half of what there was."""
    return vanished * 2 <= of
