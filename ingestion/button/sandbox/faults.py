"""Switches for what goes wrong. Each strikes by chance, or the next so many times.

Every switch has a chance of its own from one seed, so that one can't change another.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from threading import Lock
from typing import Any

API = {
    "slow": "The answer comes late",
    "reset": "The connection is reset",
    "truncated": "The answer breaks off halfway",
    "html": "A page of HTML, with status 200",
    "unauthorized": "401: the key is not accepted",
    "forbidden": "403",
    "throttled": "429, with Retry-After",
    "broken": "500",
    "elsewhere": "“next” leads to another host",
    "repeated": "“next” leads to the same page again",
    "expired": "400: the cursor has expired",
}
WEBHOOKS = {
    "wrong_signature": "Signed with another secret",
    "reordered": "Sent late, so that later events overtake it",
    "duplicated": "Sent twice",
    "dropped": "Never sent",
}
KINDS = {**API, **WEBHOOKS}
ANSWERS = ("slow", "reset", "truncated", "html")
STATUSES = ("unauthorized", "forbidden", "throttled", "broken")


class UnknownFault(ValueError):
    """There is no such switch, or its setting makes no sense."""


@dataclass(slots=True)
class Switch:
    """Strikes the ``next`` times for certain, and after that with ``probability``.

    ``only`` narrows it to paths that start with it; ``seconds`` is how late, or for
    how long a throttled client shall wait. ``struck`` counts.
    """

    probability: float = 0.0
    next: int = 0
    only: str = ""
    seconds: float = 2.0
    struck: int = 0

    @property
    def in_range(self) -> bool:
        chance, late = self.probability, self.seconds
        return 0 <= chance <= 1 and self.next >= 0 and 0 <= late <= 600


class Faults:
    """All switches, for all threads."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self._lock = Lock()
        self._switches = {kind: Switch() for kind in KINDS}
        self._chances = {kind: Random(f"{seed}:{kind}") for kind in KINDS}

    def set(
        self,
        kind: str,
        *,
        probability: float = 0.0,
        next: int = 0,
        only: str = "",
        seconds: float = 2.0,
    ) -> None:
        """Set one switch anew. Raises UnknownFault."""
        if kind not in KINDS:
            raise UnknownFault(f"There is no fault named {kind!r}.")
        switch = Switch(probability, next, only, seconds)
        if not switch.in_range:
            raise UnknownFault(f"{kind}: that is out of range.")
        with self._lock:
            self._switches[kind] = switch

    def clear(self) -> None:
        with self._lock:
            self._switches = {kind: Switch() for kind in KINDS}

    def strikes(self, kind: str, *, path: str = "") -> bool:
        """Whether it strikes now; one of the ``next`` is used up."""
        with self._lock:
            switch = self._switches[kind]
            if not path.startswith(switch.only):
                return False
            if switch.next:
                switch.next -= 1
            elif not self._chances[kind].random() < switch.probability:
                return False
            switch.struck += 1
            return True

    def seconds(self, kind: str) -> float:
        return self._switches[kind].seconds

    def settings(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            return {kind: asdict(s) for kind, s in self._switches.items()}

    def put(self, settings: Mapping[str, Any]) -> None:
        """Set what is named, as JSON says it. Raises UnknownFault."""
        wanted = []
        for kind, given in settings.items():
            if not isinstance(given, dict):
                raise UnknownFault(f"{kind}: write an object.")
            options = {name: v for name, v in given.items() if name != "struck"}
            _check(kind, options)
            wanted.append((kind, options))
        for kind, options in wanted:
            self.set(kind, **options)


TYPES: dict[str, tuple[type, ...]] = {
    "probability": (int, float),
    "next": (int,),
    "only": (str,),
    "seconds": (int, float),
}


def _check(kind: str, options: Mapping[str, Any]) -> None:
    if kind not in KINDS:
        raise UnknownFault(f"There is no fault named {kind!r}.")
    for name, value in options.items():
        if not isinstance(value, TYPES.get(name, ())) or isinstance(value, bool):
            raise UnknownFault(f"{kind}: {name!r} makes no sense.")
    if not Switch(**options).in_range:
        raise UnknownFault(f"{kind}: that is out of range.")
