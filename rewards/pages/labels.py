"""Rules and goods by the names that members know them by."""

from collections.abc import Mapping, Sequence

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from rewards.reports import LineItem

MOST_NAMED = 4


def in_language(label: str | Mapping[str, str]) -> str:
    """A text, or the one of a map that the reader understands best."""
    if isinstance(label, str):
        return label
    language = get_language() or "en"
    for code in (language, language.partition("-")[0], "en"):
        if code in label:
            return label[code]
    return next(iter(label.values()))


def goods(line: LineItem) -> str:
    return line.description or line.sku or _("Item")


def listed(names: Sequence[str]) -> str:
    """The first few of them, and whether there are more."""
    some = ", ".join(names[:MOST_NAMED])
    return _("%(names)s and others") % {"names": some} if names[MOST_NAMED:] else some
