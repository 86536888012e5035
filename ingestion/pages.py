"""The member page that may ask Button: whose is a pasted link?"""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import BoundedSemaphore

import structlog
from ada_url import URL
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ingestion.button.addresses import NETWORK, NotApproved, Unsupported, find_owner
from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError
from merchants import hosts
from merchants.links import LinkRefused, address, destination
from merchants.models import Merchant
from rewards.models import Member
from rewards.pages import limits
from rewards.pages.departures import way_to, with_host_of
from rewards.pages.rates import Shown, in_words, units_by_code
from rewards.pages.views import member_of, private
from rewards.promises import Promises, visible_stores

log = structlog.get_logger(__name__)


PATIENCE = 4  # seconds that a member is kept waiting for Button
ASKS = 10
"""Questions of one member a minute; Button counts them all as ours."""
_ASKING = BoundedSemaphore(1)
"""One thread of each process may wait for Button. Webhooks come in by the others."""


class NoStore(Exception):
    """The link leads to no store where it would earn; the message says why."""


class CannotAsk(Exception):
    """Button is not to be asked now: somebody does, or this member did too often."""


@dataclass(frozen=True, slots=True)
class Found:
    """The store of a link, what it promises, and the address that leads there."""

    store: Merchant
    shown: Shown
    way: str


@private
@require_POST
def pasted_link(request: HttpRequest) -> HttpResponse:
    """Say which store a pasted link belongs to, and offer to go there.

    A page with a button, and no redirect: browsers follow none to another site out of
    a form.
    """
    member = member_of(request)
    if member is None:
        if request.user.is_authenticated:
            return redirect("home")  # which says that this login is no member's
        return redirect_to_login(reverse("stores"))
    pasted = request.POST.get("url", "").strip()
    try:
        found = find(pasted, member=member)
    except (NoStore, LinkRefused) as refusal:
        context = {"pasted": pasted, "refusal": refusal}
        return render(request, "rewards/pasted_link.html", context, status=422)
    return render(
        request, "rewards/pasted_link.html", {"pasted": pasted, "found": found}
    )


def find(pasted: str, *, member: Member) -> Found:
    """The store of a pasted link. Raises NoStore or LinkRefused."""
    url = pasted if "://" in pasted else f"https://{pasted}"
    parsed, name = _address(url)
    store, vouched_for = _known_store(name, parsed.port), ""
    if store is None:
        store = with_host_of(_store_by_button(parsed, name, member), url)
        vouched_for = member.customer_id
    target = destination(url, merchant=store)
    return Found(
        store=store,
        shown=in_words(Promises.load(at=timezone.now()).of(store), units_by_code()),
        way=way_to(store, target, vouched_for=vouched_for),
    )


def _address(url: str) -> tuple[URL, str]:
    """The address as browsers read it, and its host's name.

    Raises NoStore, or LinkRefused where there is no going to such an address: nobody
    else is told of a password in one.
    """
    try:
        parsed = address(url)
    except LinkRefused as refusal:
        if refusal.reason != "url":
            raise
        raise NoStore(_("This is no address of a page.")) from None
    name = hosts.name_of(parsed)
    if name is None:
        raise NoStore(_("This is no address of a page."))
    return parsed, name


def _known_store(name: str, port: str) -> Merchant | None:
    """The listed store whose own host this is; of several, the one nearest to it."""
    nearest = max(
        (
            (len(host), -pk)
            for pk, own in _own_hosts()
            for host in own
            if hosts.covers([host], name, port=port)
        ),
        default=None,
    )
    return visible_stores().get(pk=-nearest[1]) if nearest else None


def _own_hosts() -> Iterator[tuple[int, list[str]]]:
    rows = visible_stores().values_list("pk", "hosts", "homepage_url")
    for pk, own, homepage in rows:
        try:
            home = hosts.name_of(hosts.parse(homepage))
        except ValueError:
            home = None
        yield pk, [*own, home] if home else own


def _store_by_button(url: URL, name: str, member: Member) -> Merchant:
    """The listed store that Button says it is. Raises NoStore."""
    if url.port or not settings.BUTTON_API_KEY:  # links keep to a store's known ports
        raise NoStore(_("None of our stores is at %(host)s.") % {"host": url.host})
    try:
        store_id = _ask(url.href, member)
    except NotApproved as refusal:
        raise NoStore(_not_approved(refusal.store_id, name)) from None
    except Unsupported:
        raise NoStore(
            _("There is no store at %(host)s where an order could earn.")
            % {"host": name}
        ) from None
    except (CannotAsk, ButtonError) as error:
        log.warning("pasted_link_unanswered", error=str(error))
        raise NoStore(
            _(
                "None of our stores is at %(host)s as far as we know, and we could not"
                " ask further just now. Please try again in a while."
            )
            % {"host": name}
        ) from None
    store = visible_stores().filter(network=NETWORK, external_id=store_id).first()
    if store is None:
        raise NoStore(_("The store at %(host)s is none of ours.") % {"host": name})
    return store


def _ask(url: str, member: Member) -> str:
    """The id of the store that Button names.

    Raises CannotAsk, ButtonError, NotApproved, Unsupported.
    """
    if not limits.within(ASKS, what="asks", member=member.pk):
        raise CannotAsk("This member asked too often.")
    if not _ASKING.acquire(blocking=False):
        raise CannotAsk("Somebody else is asking.")
    try:
        with ButtonClient.from_settings(total=PATIENCE) as client:
            return find_owner(client, url, customer_id=member.customer_id)
    finally:
        _ASKING.release()


def _not_approved(store_id: str, name: str) -> str:
    store = Merchant.objects.filter(network=NETWORK, external_id=store_id).first()
    return _("%(store)s does not reward orders made through us.") % {
        "store": store if store and store.slug else name
    }
