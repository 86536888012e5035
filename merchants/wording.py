"""The catalogue's changes in words, for staff."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from merchants.models import Merchant

MOST = 120


def in_words(change: Mapping[str, Any]) -> str:
    """One change of a sync, in one line: the store's id, what, from what to what."""
    return f"{change['merchant']}: {what_happened(change)}"


def what_happened(change: Mapping[str, Any]) -> str:
    """The same without the store."""
    match change["field"], change["before"], change["after"]:
        case "created", _before, after:
            return _("new, %s") % (after or _("without a name"))
        case "gone_at", None, _after:
            return _("gone from the network")
        case "gone_at", _before, None:
            return _("back at the network")
        case "rate", None, after:
            return _("new rate, %s") % after
        case "rate", before, None:
            return _("rate ended, %s") % before
        case field, before, after:
            return _("%(what)s: %(before)s → %(after)s") % {
                "what": _label(field),
                "before": _short(before),
                "after": _short(after),
            }


def _label(field: str) -> str:
    try:
        return str(getattr(Merchant._meta.get_field(field), "verbose_name", field))
    except FieldDoesNotExist:
        return _("rate") if field == "rate" else field


def _short(value: Any) -> str:
    if value is None or value == "" or value == []:
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Truncator(text).chars(MOST)
