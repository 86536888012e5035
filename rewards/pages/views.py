"""What members see: their balance, their activity, one purchase and why."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from rewards import demo, restrictions
from rewards.models import Member, Unit
from rewards.pages.activity import Cursor, in_rows, latest, page, rewarded_purchases
from rewards.pages.balances import balances, debts
from rewards.pages.forbidden import forbidden
from rewards.pages.reasons import explain
from rewards.pages.timeline import timeline
from rewards.refusals import Refused

Page = Callable[..., HttpResponse]

private = cache_control(private=True, no_store=True)


class SignInForm(AuthenticationForm):
    """A member's name and password; who is blocked stays outside."""

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if member := getattr(user, "member", None):
            try:
                restrictions.refuse_blocked(member)
            except Refused as refused:
                raise ValidationError(str(refused)) from None


@method_decorator(private, name="dispatch")
class SignIn(LoginView):
    authentication_form = SignInForm
    template_name = "rewards/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(demo=settings.DEMO, **kwargs)


def members_only(view: Page) -> Page:
    """Sign in first; a login that is no member's has only the start page."""
    return require_safe(members_form(view))


def members_form(view: Page) -> Page:
    """The same, for what may be posted too."""

    @private
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        member = member_of(request)
        if member is None:
            return redirect("home")
        return view(request, member, *args, **kwargs)

    return guarded


def member_of(request: HttpRequest) -> Member | None:
    """Whose pages these are. Raises PermissionDenied where the member is blocked."""
    member: Member | None = getattr(request.user, "member", None)
    if member:
        try:
            restrictions.refuse_blocked(member)
        except Refused as refused:
            raise forbidden(request, str(refused)) from None
    return member


@private
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    if member is None:
        context = {"demo": settings.DEMO, "sandbox": demo.sandbox_url()}
        return render(request, "rewards/start.html", context)
    units, at = Unit.objects.in_bulk(), timezone.now()
    context = {
        "balances": balances(member, units, at=at),
        "debts": debts(member),
        "rows": latest(member, units, at=at),
        "demo": settings.DEMO,
    }
    return render(request, "rewards/balance.html", context)


@private
@require_POST
def sign_in_as_demo(request: HttpRequest) -> HttpResponse:
    """Sign in as the demo member, without a password; only where DEMO is on."""
    if not settings.DEMO:
        raise Http404
    member = get_object_or_404(
        Member.objects.select_related("user"),
        customer_id=demo.CUSTOMER_ID,
        user__is_active=True,
        user__is_staff=False,
    )
    login(request, member.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect("home")


@members_only
def activity(request: HttpRequest, member: Member) -> HttpResponse:
    cursor = Cursor.parse(request.GET.get("before", ""))
    rows, following = page(
        member, Unit.objects.in_bulk(), before=cursor, at=timezone.now()
    )
    context = {
        "rows": rows,
        "following": following,
        "newest": cursor is None,
        "demo": settings.DEMO,
    }
    return render(request, "rewards/activity.html", context)


@members_only
def purchase(request: HttpRequest, member: Member, pk: int) -> HttpResponse:
    found = get_object_or_404(rewarded_purchases(member), pk=pk)
    units = Unit.objects.in_bulk()
    [row] = in_rows([found], units, at=timezone.now())
    context = {
        "row": row,
        "entries": timeline(found, row.evaluations, units),
        "explanation": explain(found, units),
        "debts": debts(member, found),
    }
    return render(request, "rewards/purchase.html", context)
