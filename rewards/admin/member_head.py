"""The head of a member's page: the balances, and what stands in their way."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from rewards.admin.mixins import link
from rewards.admin.wording import when
from rewards.models import Freeze, Member, Unit
from rewards.pages.balances import Balance, balances


@dataclass(frozen=True)
class Head:
    """``balances`` is one card a unit: units are never added up."""

    notices: list[SafeString | str]
    balances: list[Balance]
    statement: bool


def head(request: HttpRequest, member: Member, *, at: datetime) -> Head:
    """As much of it as this person may see."""
    may = request.user.has_perm
    held: list[Balance] = []
    if may("rewards.view_account"):
        held = balances(member, Unit.objects.in_bulk(), at=at)
    return Head(
        notices=list(_notices(request, member, at=at)),
        balances=held,
        statement=may("rewards.view_transfer"),
    )


def _notices(
    request: HttpRequest, member: Member, *, at: datetime
) -> Iterator[SafeString | str]:
    if member.status == Member.Status.ERASED:
        yield _("The member was erased. Orders and sums stay, as nobody's.")
    if said := _restriction(member, at=at):
        yield f"{said} {member.why_restricted}"
    if request.user.has_perm("rewards.view_freeze"):
        for freeze in Freeze.objects.filter(member=member, lifted_at=None):
            yield link(freeze, _("The balance is frozen: %s") % freeze.check_name)


def _restriction(member: Member, *, at: datetime) -> str:
    match member.status_at(at):
        case Member.Status.BLOCKED:
            return _("Blocked until it is lifted.")
        case Member.Status.HELD if member.held_until:
            return _("On hold until %s.") % when(member.held_until)
        case Member.Status.HELD:
            return _("On hold until it is lifted.")
    return ""
