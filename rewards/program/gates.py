"""What a draft must have passed before it is published: a backtest, an approval.

Both belong to what the draft says, by its digest, so that an edit shuts a gate and
undoing the edit opens it again.
"""

from typing import NamedTuple

from django.conf import settings

from rewards.models import Approval, Backtest


class Evidence(NamedTuple):
    """What speaks for a program: its newest finished backtest, and an approval."""

    backtest: Backtest | None
    approval: Approval | None


NONE = Evidence(backtest=None, approval=None)


def evidence(digest: str) -> Evidence:
    """What there is for the program of this digest, whatever the gates ask for."""
    tried = Backtest.objects.filter(digest=digest, rerun=None, error="")
    approved = Approval.objects.filter(digest=digest, approved_at__isnull=False)
    finished = tried.filter(finished_at__isnull=False, cancelled_at=None)
    return Evidence(
        backtest=finished.defer("content", "result").order_by("-pk").first(),
        approval=approved.order_by("-pk").first(),
    )


def shut(found: Evidence) -> list[str]:
    """A sentence for each gate that is on and not passed."""
    said = []
    if settings.REQUIRE_BACKTEST and found.backtest is None:
        said.append(
            "REQUIRE_BACKTEST is on, and the draft as it stands has no finished"
            " backtest: start one, and publish when it is done"
        )
    if settings.REQUIRE_APPROVAL and found.approval is None:
        said.append(
            "REQUIRE_APPROVAL is on, and nobody has approved the draft as it stands:"
            " ask for approval, and let a second person approve it"
        )
    return said
