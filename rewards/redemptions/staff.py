"""Who among staff may decide about redemptions and see what is sealed with them."""

from django.contrib.auth.models import AbstractBaseUser, User
from django.utils.translation import gettext as _

from rewards.models import Member
from rewards.refusals import Refused

PERMISSION = "rewards.change_redemption"
PAYING = "rewards.export_payouts"


def refuse_unentitled(by: AbstractBaseUser, member: Member) -> None:
    """Refuse who may not change redemptions, and everybody about their own."""
    if not isinstance(by, User) or not by.has_perm(PERMISSION):
        raise Refused(_("Only who may change redemptions can do this."))
    refuse_own(by, member)


def refuse_unpaying(by: AbstractBaseUser) -> None:
    """Refuse who isn't among those that pay, and so sees nothing of where to."""
    if not isinstance(by, User) or not by.has_perm(PAYING):
        raise Refused(_("Only who may export payouts can do this."))


def refuse_own(by: AbstractBaseUser | None, member: Member) -> None:
    """Refuse staff whose own redemption it would be. Raises Refused."""
    if by and member.user_id == by.pk:
        raise Refused(_("Nobody decides about a redemption of their own."))
