"""Publishing the draft, with all that follows from it."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser

from rewards.due import settle_without_edition
from rewards.models import Edition
from rewards.program.editions import publish


def publish_draft(
    *,
    now: datetime,
    at: datetime | None = None,
    note: str = "",
    by: AbstractBaseUser | None = None,
) -> tuple[Edition, int]:
    """Publish the draft; the edition, and how many orders had waited for a first one.

    Raises ProgramError.
    """
    edition = publish(now=now, at=at, note=note, by=by)
    earlier = Edition.objects.standing().exclude(pk=edition.pk)
    return edition, 0 if earlier.exists() else settle_without_edition(at=now)
