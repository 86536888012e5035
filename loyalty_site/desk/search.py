"""One box that finds a member, an order, a visit or a redemption by any name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from merchants.models import Click, Merchant
from rewards import finding
from rewards.admin.mixins import change_url, staff
from rewards.admin.wording import order_total, when
from rewards.models import Member, Purchase, Redemption
from rewards.money import unit_amount

MOST = 20
LONGEST = 255


@dataclass(frozen=True)
class Found:
    """One thing that bears the name, and a line that tells it from the others."""

    title: str
    line: str
    url: str


@dataclass(frozen=True)
class Group:
    """All of one kind. ``more``: there are others beyond these."""

    title: Any
    icon: str
    found: list[Found]
    more: bool


@dataclass(frozen=True)
class Kind:
    """A kind of thing: whoever may view it finds it."""

    title: Any
    icon: str
    permission: str
    named: Callable[[str], QuerySet[Any]]
    line: Callable[[Any], str]


def _member(member: Member) -> str:
    joined = _("joined %s") % when(member.joined_at)
    status = Member.Status(member.status_at(timezone.now())).label
    return " · ".join(filter(None, [member.email, str(status), joined]))


def _purchase(purchase: Purchase) -> str:
    said = (
        purchase.get_status_display(),
        str(purchase.merchant or _("an unknown store")),
        order_total(purchase),
        str(purchase.member or _("nobody's")),
        when(purchase.attributed_at),
    )
    return " · ".join(map(str, said))


def _redemption(redemption: Redemption) -> str:
    amount = unit_amount(redemption.amount, unit=redemption.reward.unit)
    said = (redemption.get_status_display(), redemption.reward.name, amount)
    return " · ".join(map(str, [*said, redemption.member, when(redemption.asked_at)]))


def _click(click: Click) -> str:
    return " · ".join([str(click.merchant), click.customer_id, when(click.clicked_at)])


def _merchant(merchant: Merchant) -> str:
    return merchant.external_id


def _clicks(term: str) -> QuerySet[Click]:
    return Click.objects.filter(reference=term).select_related("merchant")


KINDS = (
    Kind(
        gettext_lazy("Members"),
        "group",
        "rewards.view_member",
        finding.members,
        _member,
    ),
    Kind(
        gettext_lazy("Purchases"),
        "shopping_bag",
        "rewards.view_purchase",
        lambda term: finding.purchases(term).select_related("merchant", "member"),
        _purchase,
    ),
    Kind(
        gettext_lazy("Redemptions"),
        "redeem",
        "rewards.view_redemption",
        lambda term: finding.redemptions(term).select_related("reward__unit", "member"),
        _redemption,
    ),
    Kind(gettext_lazy("Visits"), "ads_click", "merchants.view_click", _clicks, _click),
    Kind(
        gettext_lazy("Stores"),
        "storefront",
        "merchants.view_merchant",
        lambda term: Merchant.objects.filter(name__icontains=term),
        _merchant,
    ),
)


def find(term: str, *, by: User) -> list[Group]:
    """Everything of that name which this person may see, by kind."""
    allowed = [kind for kind in KINDS if by.has_perm(kind.permission)]
    groups = (_group(kind, term) for kind in allowed)
    return [group for group in groups if group.found]


def _group(kind: Kind, term: str) -> Group:
    rows = list(kind.named(term)[: MOST + 1])
    found = [Found(str(row), kind.line(row), change_url(row)) for row in rows[:MOST]]
    return Group(kind.title, kind.icon, found, more=len(rows) > MOST)


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """What was found; the one thing itself, if it is the only one."""
    term = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    groups = find(term, by=staff(request)) if term else []
    found = [one for group in groups for one in group.found]
    if len(found) == 1:
        return redirect(found[0].url)
    context = {
        **admin.site.each_context(request),
        "title": _("Search"),
        "term": term,
        "groups": groups,
    }
    return TemplateResponse(request, "admin/search.html", context)
