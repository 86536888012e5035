"""One thing that a reader of the program should look at."""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

MOST_NAMED = 3
WARNING, NOTICE = "warning", "notice"


class Finding(NamedTuple):
    """What is probably wrong, in plain words, and what to do about it.

    A warning is hardly ever meant; a notice often is. ``rule`` is the key of the rule
    concerned, empty where it is the program's. ``code`` names the check.
    """

    code: str
    severity: str
    rule: str
    message: str
    remedy: str


def warning(code: str, rule: str, message: str, remedy: str) -> Finding:
    return Finding(code, WARNING, rule, message, remedy)


def notice(code: str, rule: str, message: str, remedy: str) -> Finding:
    return Finding(code, NOTICE, rule, message, remedy)


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    named, more = ", ".join(names[:MOST_NAMED]), len(names) - MOST_NAMED
    if more <= 0:
        return named
    return _("%(some)s and %(n)d more") % {"some": named, "n": more}
