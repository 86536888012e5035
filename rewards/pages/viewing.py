"""Staff looking at a member's own pages: read-only, for a while, and in the audit log.

Nobody is signed in as the member. The session of whoever looks notes at whom; on each
request outside the admin, as long as they may, a Viewer stands where their login would.
It may ask for pages and send nothing, and the database takes nothing but questions.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from rewards.models import Member
from rewards.pages.forbidden import forbidden
from rewards.refusals import Refused

PERMISSION = "rewards.view_as_member"
LASTS = timedelta(minutes=15)
DEPARTURES = frozenset({"go"})
"""Names of addresses that record something though a browser only asks for them."""

_NOTED = "viewing"
_ASKING = ("GET", "HEAD")
_READS = ("SELECT", "DECLARE")  # PostgreSQL's, for a list that is read in parts

log = structlog.get_logger(__name__)


class Viewer:
    """Stands where a user would: what the member sees, and nothing of the staff's."""

    is_authenticated = True
    is_active = True
    is_staff = False

    def __init__(self, member: Member, *, by: int, until: datetime) -> None:
        self.member = member
        self.until = until
        self.pk = f"staff-{by}-as-member-{member.pk}"  # for the log

    def __str__(self) -> str:
        return str(self.member)


def begin(request: HttpRequest, member: Member, *, at: datetime) -> datetime:
    """Show this member's pages to who is signed in, until when. Raises Refused."""
    if not request.user.has_perm(PERMISSION):
        raise Refused(_("You may not see the pages of members."))
    if member.status == Member.Status.ERASED:
        raise Refused(_("The member was erased."))
    until = at + LASTS
    request.session[_NOTED] = {
        "member": member.pk,
        "by": request.user.pk,
        "until": until.timestamp(),
    }
    log.info("viewing_began", member=member.pk, by=request.user.pk)
    return until


def end(request: HttpRequest) -> None:
    """Let whoever looked have their own pages again."""
    request.session.pop(_NOTED, None)


class ViewAsMember:
    """Middleware that puts a Viewer in the place of staff who look at a member."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _concerns(request):
            return self.get_response(request)
        viewer = _viewer(request)
        if viewer is None:
            # Never just go on: a form of the member's pages would be their own now.
            end(request)
            messages.warning(request, _("You no longer see the pages of a member."))
            return redirect("admin:index")
        request.user = viewer  # type: ignore[assignment]
        request.viewer = viewer  # type: ignore[attr-defined]
        with connection.execute_wrapper(partial(_only_read, request)):
            response = self.get_response(request)
        patch_cache_control(response, private=True, no_store=True)
        return response

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> None:
        if not hasattr(request, "viewer"):  # asking for the user would load a session
            return
        match = request.resolver_match
        departs = match is not None and match.url_name in DEPARTURES
        if departs or request.method not in _ASKING:
            raise _refused(request)


def _viewer(request: HttpRequest) -> Viewer | None:
    """None where it is over, or who looks may no longer."""
    noted, by = request.session[_NOTED], request.user
    until = datetime.fromtimestamp(noted["until"], UTC)
    if by.pk != noted["by"] or not by.is_staff or not by.has_perm(PERMISSION):
        return None
    if until <= timezone.now():
        return None
    known = Member.objects.exclude(status=Member.Status.ERASED)
    member = known.filter(pk=noted["member"]).first()
    return Viewer(member, by=by.pk, until=until) if member else None


def _concerns(request: HttpRequest) -> bool:
    """Whether somebody looks, and not at the admin. Strangers' sessions stay unread."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    in_admin = request.path.startswith(reverse("admin:index"))
    return not in_admin and _NOTED in request.session


def _only_read(
    request: HttpRequest,
    execute: Callable[..., Any],
    sql: str,
    params: Any,
    many: bool,
    context: dict[str, Any],
) -> Any:
    """Refuse every statement that isn't a question, whichever page would send it."""
    if not str(sql).lstrip("( ").upper().startswith(_READS):
        raise _refused(request)
    return execute(sql, params, many, context)


def _refused(request: HttpRequest) -> Exception:
    said = _("You see the pages of %s. Nothing can be sent or opened in their name.")
    return forbidden(request, said % request.user)
