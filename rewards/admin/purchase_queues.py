"""Purchases in review, and nobody's: decided about by the dozen."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from merchants.clicks import number
from merchants.models import Click
from rewards import decisions
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.mixins import by_now
from rewards.admin.together import Planned, Together, TogetherAdmin
from rewards.admin.wording import report_amounts
from rewards.models import Member, Purchase, Report
from rewards.suggestions import suggestions


class PurchaseQueuesAdmin(TogetherAdmin):
    """What may be done to several purchases that wait for staff."""

    @action(
        description=gettext_lazy("Resolve as the newest final report says"),
        permissions=["decide"],
    )
    def resolve_selected(
        self, request: HttpRequest, queryset: QuerySet[Purchase]
    ) -> HttpResponse:
        def act(one: Planned, said: dict[str, Any]) -> str:
            purchase: Purchase = one.obj
            report = Report.objects.get(pk=one.rests_on)
            reason = said["reason"]
            decisions.resolve_newest(
                purchase, report=report, reason=reason, **by_now(request)
            )
            self.log_change(request, purchase, f"Resolved: {reason}")
            return resolved(purchase)

        asked = Together(
            title=_("Resolve these reviews as the newest final report says"),
            explanation=_(
                "Of each purchase the final report that the network dated last holds"
                " from now on, and points move by it at once."
            ),
            submit=_("Resolve all of them"),
            plan=_plan_reviews,
            act=act,
            form=ReasonForm,
        )
        return self.ask_together(request, asked)

    @action(
        description=gettext_lazy("Assign to who is suggested"), permissions=["decide"]
    )
    def assign_selected(
        self, request: HttpRequest, queryset: QuerySet[Purchase]
    ) -> HttpResponse:
        def act(one: Planned, said: dict[str, Any]) -> str:
            purchase: Purchase = one.obj
            click = Click.objects.get(pk=one.rests_on)
            member = Member.objects.get(customer_id=click.customer_id)
            decisions.assign_nobodys(
                purchase, member=member, reason=said["reason"], **by_now(request)
            )
            told = f"Assigned by visit {number(click)}: {said['reason']}"
            self.log_change(request, purchase, told)
            return _("The purchase belongs to %s now.") % purchase.member

        asked = Together(
            title=_("Assign these purchases to who is suggested"),
            explanation=_(
                "Each goes to the member whose visit fits it best, and what it earns to"
                " that member's balance at once. Look at every line."
            ),
            submit=_("Assign all of them"),
            plan=lambda purchases: list(_plan_assignments(purchases)),
            act=act,
            form=ReasonForm,
        )
        return self.ask_together(request, asked)


def resolved(purchase: Purchase) -> str:
    """What a decision about a review has made of it."""
    if purchase.review:
        return _("Decided, and it is still in review: %s") % purchase.review
    return _("The review is resolved; the purchase is %s.") % (
        purchase.get_status_display()
    )


def _plan_reviews(purchases: Sequence[Purchase]) -> list[Planned]:
    newest = decisions.newest_final(purchases)
    return [_plan_review(one, newest.get(one.pk)) for one in purchases]


def _plan_review(purchase: Purchase, report: Report | None) -> Planned:
    if not purchase.review:
        return Planned(purchase, _("It is not in review."), idle=True)
    if report is None:
        said = _("No report of it is final: look at it alone.")
        return Planned(purchase, said, idle=True)
    total, commission = report_amounts(report)
    words = {"status": report.get_status_display(), "review": purchase.review}
    words |= {"total": total, "commission": commission}
    said = _(
        "becomes %(status)s, order %(total)s, commission %(commission)s. (%(review)s)"
    )
    return Planned(purchase, said % words, rests_on=str(report.pk))


def _plan_assignments(purchases: Sequence[Purchase]) -> Iterator[Planned]:
    for purchase in purchases:
        if purchase.member:
            said = _("It belongs to %s already.") % purchase.member
            yield Planned(purchase, said, idle=True)
        elif found := suggestions(purchase):
            words = {"member": found[0].member, "why": " ".join(found[0].reasons)}
            said = _("goes to %(member)s. %(why)s") % words
            yield Planned(purchase, said, rests_on=str(found[0].click.pk))
        else:
            said = _("No member visited this store in the week before the order.")
            yield Planned(purchase, said, idle=True)
