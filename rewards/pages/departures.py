"""Leaving for a store: the click is recorded, then the browser is sent on."""

import json
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
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
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from merchants import hosts
from merchants.links import LinkRefused
from merchants.models import Merchant
from rewards.departures import NotAMember, leave
from rewards.pages import limits
from rewards.pages.views import member_of, private
from rewards.promises import visible_stores
from rewards.refusals import Refused

VOUCHED_FOR = 60 * 60
"""Seconds for which a network's word about a page holds, left open in a browser."""
VISITS = 30
"""Departures of one member a minute; each is a row that is kept."""
LONGEST_WAY = 8_000
"""Characters of an address of ours: servers take 8,190 for a request's first line."""
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
    if _led_here(request):
        return redirect(_page_of(request, merchant))
    if not limits.within(VISITS, what="visits", member=member.pk):
        return _too_many(request, merchant)
    url = request.GET.get("to", "").strip()
    try:
        departure = leave(
            _as_vouched(
                merchant, url, member.customer_id, seal=request.GET.get("vouched", "")
            ),
            customer_id=member.customer_id,
            url=url,
            at=timezone.now(),
        )
    except (NotAMember, Refused):
        return redirect("home")  # erased or blocked at this moment
    except LinkRefused as refusal:
        return _refused(request, merchant, refusal)
    return redirect(departure.url)


def _not_yet(request: HttpRequest, merchant: Merchant) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("home")  # which says that this login is no member's
    return redirect_to_login(_page_of(request, merchant))


def _led_here(request: HttpRequest) -> bool:
    """Whether another site sent the browser here, which a member may know nothing of.

    On the store's page there is a button to press.
    """
    return request.headers.get("Sec-Fetch-Site") == "cross-site"


def _page_of(request: HttpRequest, merchant: Merchant) -> str:
    """The store's page, from which the same departure is one press away."""
    page, query = reverse("store", args=[merchant.slug]), there(request)
    return f"{page}?{query}" if query else page


def there(request: HttpRequest) -> str:
    """Where in the store a visitor wants to go, as a query for ``go``."""
    names = ("to", "vouched")
    return urlencode({n: request.GET[n] for n in names if request.GET.get(n)})


def _too_many(request: HttpRequest, merchant: Merchant) -> HttpResponse:
    refusal = _("You left for stores too often just now. Please wait a minute.")
    answer = render(
        request,
        "rewards/refused.html",
        {"store": merchant, "refusal": refusal},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    answer["Retry-After"] = str(limits.MINUTE)
    return answer


def _refused(
    request: HttpRequest, merchant: Merchant, refusal: LinkRefused
) -> HttpResponse:
    if unset := refusal.reason == "unset":
        log.error("cannot_leave", reason=str(refusal), merchant=merchant.external_id)
    context = {"store": merchant, "refusal": refusal, "unset": unset}
    return render(
        request, "rewards/refused.html", context, status=503 if unset else 422
    )


def way_to(merchant: Merchant, url: str, *, vouched_for: str = "") -> str:
    """The address at which a member leaves for one page of a store.

    ``vouched_for`` is the customer whom the network told that this page is the
    store's, whatever we know of the store's hosts, which can be older. That holds for
    a while, for this customer and page alone. Raises LinkRefused where it gets longer
    than servers take.
    """
    query = {"to": url}
    if vouched_for:
        words = _words(merchant, url, vouched_for)
        query["vouched"] = _SIGNER.sign(words).removeprefix(f"{words}:")
    way = f"{reverse('go', args=[merchant.slug])}?{urlencode(query)}"
    if len(way) > LONGEST_WAY:
        raise LinkRefused("long", _("The address is too long."))
    return way


def with_host_of(merchant: Merchant, url: str) -> Merchant:
    """The store, and the host of this address for one of its own; it is not saved."""
    name = hosts.name_of(hosts.parse(url))
    merchant.hosts = [*merchant.hosts, name] if name else merchant.hosts
    return merchant


def _as_vouched(
    merchant: Merchant, url: str, customer_id: str, *, seal: str
) -> Merchant:
    words = _words(merchant, url, customer_id)
    try:
        sealed = _SIGNER.unsign(f"{words}:{seal}", max_age=VOUCHED_FOR)
    except signing.BadSignature:
        return merchant
    return with_host_of(merchant, url) if sealed == words else merchant


def _words(merchant: Merchant, url: str, customer_id: str) -> str:
    """What is sealed; a digest, since an address may have a seal's own colons."""
    said = json.dumps([merchant.pk, url, customer_id])
    return sha256(said.encode()).hexdigest()
