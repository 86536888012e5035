"""Findings of the linter, as lines on a terminal."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards.linting import WARNING, Finding


def lines(found: Sequence[Finding]) -> Iterator[str]:
    """Warnings, then notices, each with what to do; and how many there are."""
    titles = {True: _("Warnings"), False: _("Notices")}
    for warn, group in groupby(found, key=lambda one: one.severity == WARNING):
        yield titles[warn]
        for one in group:
            where = _('rule "%s": ') % one.rule if one.rule else ""
            yield f"  {where}{one.message}"
            yield f"    {one.remedy}"
    yield _counted(found)


def _counted(found: Sequence[Finding]) -> str:
    warnings = sum(one.severity == WARNING for one in found)
    notices = len(found) - warnings
    return ", ".join(
        [
            ngettext("%d warning", "%d warnings", warnings) % warnings,
            ngettext("%d notice", "%d notices", notices) % notices,
        ]
    )
