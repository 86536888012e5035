"""From a member's page to the pages that this member sees, and back."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import action

from rewards.admin.mixins import DecidingAdmin, Question, by_now, change_url
from rewards.admin.wording import when
from rewards.models import Member
from rewards.pages import viewing
from rewards.refusals import Refused


class ViewingAdmin(DecidingAdmin):
    """A member's page, from where staff see what the member sees."""

    def get_urls(self) -> list[URLPattern]:
        leave = path(
            "<int:object_id>/leave/",
            self.admin_site.admin_view(self.leave),
            name="rewards_member_leave",
        )
        return [leave, *super().get_urls()]

    def has_see_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(viewing.PERMISSION)

    @action(
        description=gettext_lazy("See their pages"),
        permissions=["see"],
        url_path="see-pages",
        icon="visibility",
    )
    def see_pages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member: Member = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            until = viewing.begin(request, member, at=by_now(request)["at"])
            self.log_change(request, member, f"Saw their pages, until {when(until)}")
            return ""

        question = Question(
            title=_("See the pages of %s?") % member,
            submit=_("See their pages"),
            explanation=_(
                "You see what the member sees, for %d minutes. It stands in the audit"
                " log."
            )
            % (viewing.LASTS.seconds // 60),
            lines=[
                _("Nothing can be sent, redeemed or changed, and no store opened."),
                _("The member stays signed in where they are, and notices nothing."),
            ],
            act=act,
            refusals=(Refused,),
            onward=reverse("home"),
        )
        return self.ask(request, member, question)

    @method_decorator(require_POST)
    def leave(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Back to the member's page in the admin."""
        if not self.has_see_permission(request):
            raise PermissionDenied
        viewing.end(request)
        return redirect(change_url(self.find(request, str(object_id))))
