"""Gift codes: a sealed pool for each reward, and showing a member theirs, once."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards import bulk, restrictions, vault
from rewards.models import GiftCode, Member, Redemption, Reward
from rewards.redemptions import staff, steps
from rewards.redemptions.catalogue import usable_codes
from rewards.redemptions.refusals import NotRedeemable, sold_out
from rewards.refusals import Refused

LONGEST = 255
AGAIN = timedelta(minutes=1)
_COLUMNS = (
    *("reward_id", "sealed", "digest", "hint", "usable_until"),
    *("added_by_id", "added_at"),
)


class Added(NamedTuple):
    """How many codes were new, and how many of those given were there before."""

    new: int
    known: int


def add(
    reward: Reward,
    codes: Iterable[str],
    *,
    usable_until: date | None = None,
    by: AbstractBaseUser | None,
    at: datetime,
) -> Added:
    """Add codes to a reward's pool, each once, blank ones never.

    A code in another reward's pool would be given to two members: then none of these
    are added. Raises Refused.
    """
    if reward.kind != Reward.Kind.GIFT_CODE:
        raise Refused(_("This reward has no codes."))
    given = [code for code in map(str.strip, codes) if code]
    if any(len(code) > LONGEST for code in given):
        raise Refused(_("A code has at most %s characters.") % LONGEST)
    digests = {vault.fingerprint(code): code for code in given}
    rest = usable_until, by and by.pk, at
    rows = [
        (reward.pk, vault.seal(code), digest, vault.ending(code), *rest)
        for digest, code in sorted(digests.items())
    ]
    with transaction.atomic():
        others = _other_pools(reward)
        newest = GiftCode.objects.aggregate(pk=Max("pk"))["pk"] or 0
        new = bulk.insert_missing(GiftCode, _COLUMNS, rows)
        _refuse_known(reward.codes.filter(pk__gt=newest), others)
    return Added(new, len(given) - new)


def _other_pools(reward: Reward) -> list[int]:
    """The other rewards with codes. Locks all: codes are added by one at a time."""
    pools = Reward.objects.filter(kind=Reward.Kind.GIFT_CODE).order_by("pk")
    locked = pools.select_for_update(no_key=True).values_list("pk", flat=True)
    return [pk for pk in locked if pk != reward.pk]


def _refuse_known(new: QuerySet[GiftCode], others: list[int]) -> None:
    same = GiftCode.objects.filter(reward__in=others, digest=OuterRef("digest"))
    known = new.annotate(elsewhere=Subquery(same.values("reward__name")[:1]))
    known = known.filter(elsewhere__isnull=False)
    if count := known.count():
        first = known[0]
        said = ngettext(
            "One of these codes is another reward's already: %(code)s of %(reward)s.",
            "%(count)d of these codes are another reward's already, such as"
            " %(code)s of %(reward)s.",
            count,
        )
        names = {"count": count, "code": first, "reward": first.elsewhere}
        raise Refused(said % names)


def assign(redemption: Redemption, *, at: datetime) -> None:
    """Take a code from the pool for this redemption. Raises NotRedeemable.

    Who redeems at the same time gets another one, without waiting.
    """
    free = usable_codes(today=at.date()).filter(reward=redemption.reward)
    code = free.select_for_update(skip_locked=True).order_by("id").first()
    if code is None:
        raise sold_out()
    code.redemption = redemption
    code.save(update_fields=["redemption"])


def give_back(redemption: Redemption) -> None:
    """Put a code back that nobody has seen: it is seen once the redemption is done."""
    GiftCode.objects.filter(redemption=redemption).update(redemption=None)


def reveal(redemption: Redemption, *, at: datetime) -> str:
    """The code of a redemption, shown once. Raises NotRedeemable.

    And again for a moment: a double click, or an answer that got lost, loses no code.
    """
    member = Member.objects.get(pk=redemption.member_id)
    restrictions.refuse_spending(member, at=at)
    own = Redemption.objects.filter(pk=redemption.pk)
    with transaction.atomic():
        code = _code(redemption)
        first = own.filter(revealed_at=None).update(revealed_at=at)
        if not first and not own.filter(revealed_at__gt=at - AGAIN).exists():
            said = _("The code was shown already. Staff can show it again.")
            raise NotRedeemable("shown_already", said)
    redemption.refresh_from_db(fields=["revealed_at"])
    return code


def show_again(redemption: Redemption, *, by: AbstractBaseUser, at: datetime) -> str:
    """The code once more, for staff who help; noted in the history. Raises Refused."""
    staff.refuse_unentitled(by, redemption.member)
    with transaction.atomic():
        steps.note(redemption, reason=_("The code was shown to staff."), by=by, at=at)
        return _code(redemption)


def _code(redemption: Redemption) -> str:
    """Raises NotRedeemable where the member has none."""
    found = GiftCode.objects.filter(
        redemption=redemption, redemption__status=Redemption.Status.FULFILLED
    ).first()
    if found is None or not found.sealed:  # emptied with an erased member
        raise NotRedeemable("no_code", _("There is no code to show."))
    return vault.unseal(found.sealed)
