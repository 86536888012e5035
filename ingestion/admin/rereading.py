"""Asking the network again from a purchase's page."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from ingestion.models import Poll
from ingestion.rereading import ask_again
from rewards.admin.mixins import DecidingAdmin, Question, by_now, staff
from rewards.models import Purchase
from rewards.refusals import Refused

MAY_ASK = "rewards.change_purchase"
"""Whoever decides about purchases may ask what the network says of one."""


class RereadingAdmin(DecidingAdmin):
    """Windows, one of which staff may open for one purchase."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.ask_network)
        name = "ingestion_window_ask_network"
        return [path("ask/<int:purchase_id>/", view, name=name), *super().get_urls()]

    def ask_network(self, request: HttpRequest, purchase_id: int) -> HttpResponse:
        """Ask Button again about a purchase."""
        if not staff(request).has_perm(MAY_ASK):
            raise PermissionDenied
        purchase = get_object_or_404(Purchase, pk=purchase_id)

        def act(_said: dict[str, Any]) -> str:
            window = ask_again(purchase, at=by_now(request)["at"])
            self.log_change(request, purchase, f"Asked Button again: {window}")
            return _(
                "Button is asked within half a minute. Look here again then: the answer"
                " stands in the list of what happened, also where nothing has changed."
            )

        question = Question(
            title=_("Ask Button about %s again?") % purchase,
            explanation=_explanation(purchase),
            submit=_("Ask Button"),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, purchase, question)


def _explanation(purchase: Purchase) -> str:
    said = _(
        "A worker reads from Button what this order is now, and settles it like any"
        " other report. An answer that says nothing new is listed too."
    )
    poll = Poll.objects.filter(account=purchase.account_id).first()
    if poll and poll.error:
        trouble = _("Reading this account failed last time, so it may take longer: %s")
        said = f"{said}\n\n{trouble % poll.error}"
    return said
