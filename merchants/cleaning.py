"""What a network says, made fit to be stored and shown; and when not to believe it."""

import re
from collections.abc import Iterable
from typing import Any

from merchants import hosts

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
LONGEST_ADDRESS = 500
LONGEST_REMARK = 500
MOST_REMARKS = 1_000


def text(value: str, *, most: int | None = None) -> str:
    """The text without what no database stores and no page shows, cut to ``most``."""
    return _CONTROLS.sub("", value).strip()[:most].rstrip()


def storable(value: Any) -> Any:
    """The same with a mark instead of each such character, in lists and objects too.

    For what staff read: where text was odd, that is to be seen.
    """
    if isinstance(value, str):
        return _CONTROLS.sub("\ufffd", value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return value


def remarks(values: list[str]) -> list[str]:
    """Remarks ready to be kept, short, and no more of them than anybody reads."""
    kept = [storable(value[:LONGEST_REMARK]) for value in values[:MOST_REMARKS]]
    more = len(values) - len(kept)
    return [*kept, f"And {more} more."] if more else kept


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
