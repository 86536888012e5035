"""A second person's yes to the draft, before it is published.

It is given to what the draft says: an edit makes it void.
"""

from datetime import datetime

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AbstractBaseUser, User
from django.db.models import QuerySet

from rewards.models import Approval, Edition
from rewards.program import draft, vocabulary
from rewards.refusals import Refused

PERMISSION = "rewards.add_edition"
DRAFTED = ("program", "unit", "rule")


def ask(*, by: User, note: str, at: datetime) -> Approval:
    """Ask for the draft as it stands to be approved. Raises Refused, ProgramError."""
    _refuse_without_permission(by)
    digest = vocabulary.digest(draft.export())
    if Approval.objects.filter(digest=digest).exists():
        raise Refused("Somebody has asked for this draft to be approved already.")
    return Approval.objects.create(
        digest=digest, note=note.strip(), asked_by=by, asked_at=at
    )


def approve(approval: Approval, *, by: User, at: datetime) -> None:
    """Approve the draft. Raises Refused, ProgramError.

    Never by who asked or edited the draft since the newest edition, nor for a draft
    that has changed since it was asked for.
    """
    _refuse_without_permission(by)
    if by.pk == approval.asked_by_id:
        raise Refused("You asked for it: a second person approves.")
    if by.pk in editors().values_list("user_id", flat=True):
        raise Refused("You edited the draft: somebody who did not approves.")
    if approval.digest != vocabulary.digest(draft.export()):
        raise Refused("The draft was edited since: ask for it to be approved anew.")
    waiting = Approval.objects.filter(pk=approval.pk, approved_at=None)
    if not waiting.update(approved_by=by, approved_at=at):
        raise Refused("It was approved before.")
    approval.refresh_from_db()


def newest(digest: str) -> Approval | None:
    """The request or approval for the program of this digest."""
    asked = Approval.objects.select_related("asked_by", "approved_by")
    return asked.filter(digest=digest).order_by("-pk").first()


def editors() -> QuerySet[LogEntry]:
    """Who changed the draft in the admin since it was last published, change by change.

    An edition that ended the program was not made from the draft.
    """
    published = Edition.objects.standing().exclude(content__rules=[])
    edits = LogEntry.objects.filter(
        content_type__app_label="rewards", content_type__model__in=DRAFTED
    )
    if last := published.order_by("-number").first():
        edits = edits.filter(action_time__gt=last.published_at)
    return edits


def _refuse_without_permission(by: AbstractBaseUser) -> None:
    if not isinstance(by, User) or not by.has_perm(PERMISSION):
        raise Refused("Only who may publish the draft takes part in approving it.")
