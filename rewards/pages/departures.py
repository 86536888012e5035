"""Leaving for a store: the click is recorded, then the browser is sent on."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import structlog
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from merchants import hosts
from merchants.clicks import leave
from merchants.links import LinkRefused
from merchants.models import Merchant
from rewards.pages.views import member_of, private
from rewards.promises import Promises, snapshot, visible_stores

VOUCHED_FOR = 60 * 60
"""Seconds for which a network's word about a page holds, left open in a browser."""
_SIGNER = signing.TimestampSigner(salt="rewards.pages.departures")

log = structlog.get_logger(__name__)


def ahead_of_time(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer what only looks ahead without doing anything: HEAD, and a prefetch.

    Refused, a browser throws its prefetch away and asks again once somebody clicks.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "HEAD":
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        if _prefetched(request):
            return HttpResponse(status=HTTPStatus.TOO_EARLY)
        return view(request, *args, **kwargs)

    return guarded


def _prefetched(request: HttpRequest) -> bool:
    purposes = (request.headers.get(n, "") for n in ("Sec-Purpose", "Purpose", "X-Moz"))
    return any("prefetch" in purpose.lower() for purpose in purposes)


@private
@require_safe
@ahead_of_time
def go(request: HttpRequest, slug: str) -> HttpResponse:
    """Record that a member leaves for a store, and send it there.

    Whoever has to sign in comes back to the store's page, not here: browsers follow no
    redirect to another site out of a form.
    """
    merchant = get_object_or_404(visible_stores(), slug=slug)
    member = member_of(request)
    if member is None:
        return _not_yet(request, merchant)
    at, url = timezone.now(), request.GET.get("to", "").strip()
    try:
        departure = leave(
            _as_vouched(merchant, url, seal=request.GET.get("vouched", "")),
            customer_id=member.customer_id,
            url=url,
            shown=snapshot(merchant, Promises.load(at=at).of(merchant)),
            at=at,
        )
    except LinkRefused as refusal:
        return _refused(request, merchant, refusal)
    return redirect(departure.url)


def _not_yet(request: HttpRequest, merchant: Merchant) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("home")  # which says that this login is no member's
    page = reverse("store", args=[merchant.slug])
    query = there(request)
    return redirect_to_login(f"{page}?{query}" if query else page)


def there(request: HttpRequest) -> str:
    """Where in the store a visitor wants to go, as a query for ``go``."""
    names = ("to", "vouched")
    return urlencode({n: request.GET[n] for n in names if request.GET.get(n)})


def _refused(
    request: HttpRequest, merchant: Merchant, refusal: LinkRefused
) -> HttpResponse:
    if unset := refusal.reason == "unset":
        log.error("cannot_leave", reason=str(refusal), merchant=merchant.external_id)
    context = {"store": merchant, "refusal": refusal, "unset": unset}
    return render(
        request, "rewards/refused.html", context, status=503 if unset else 422
    )


def way_to(merchant: Merchant, url: str, *, vouched: bool = False) -> str:
    """The address at which a member leaves for one page of a store.

    ``vouched``: the network says that this page is the store's, whatever we know of
    the store's hosts, which can be older. That holds for a while, for this page alone.
    """
    query = {"to": url}
    if vouched:
        words = _words(merchant, url)
        query["vouched"] = _SIGNER.sign(words).removeprefix(f"{words}:")
    return f"{reverse('go', args=[merchant.slug])}?{urlencode(query)}"


def with_host_of(merchant: Merchant, url: str) -> Merchant:
    """The store, and the host of this address for one of its own; it is not saved."""
    name = hosts.name_of(hosts.parse(url))
    merchant.hosts = [*merchant.hosts, name] if name else merchant.hosts
    return merchant


def _as_vouched(merchant: Merchant, url: str, *, seal: str) -> Merchant:
    try:
        _SIGNER.unsign(f"{_words(merchant, url)}:{seal}", max_age=VOUCHED_FOR)
    except signing.BadSignature:
        return merchant
    return with_host_of(merchant, url)


def _words(merchant: Merchant, url: str) -> str:
    return f"{merchant.pk} {url}"
