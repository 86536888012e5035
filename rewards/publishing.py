"""Publishing the draft, with all that follows from it, and saying what that changes."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser

from merchants.models import Merchant
from rewards.models import Edition
from rewards.program import vocabulary
from rewards.program.differences import differences
from rewards.program.editions import publish
from rewards.program.vocabulary import Program
from rewards.settling.due import settle_without_edition


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


def changes(program: Program, *, since: Edition | None) -> list[str]:
    """What the program says that an edition doesn't, in sentences for staff."""
    before = vocabulary.parse(since.content) if since else None
    named = [*program.rules, *(before.rules if before else ())]
    return differences(
        before, program, names=store_names(id for r in named for id in r.when.merchants)
    )


def edition_before(edition: Edition | None = None) -> Edition | None:
    """The newest edition that stands, or the one that stood before this one."""
    standing = Edition.objects.standing().order_by("-number")
    if edition:
        standing = standing.filter(number__lt=edition.number)
    return standing.first()


def store_names(ids: Iterable[str]) -> dict[str, str]:
    """What members see stores called, by their id at the network."""
    known = Merchant.objects.filter(external_id__in=set(ids))
    return {merchant.external_id: str(merchant) for merchant in known}
