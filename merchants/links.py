"""Links that leave for a store: where they may lead, and their form at Button.

An address is read as browsers read it, since a browser will follow it; what hides in
it who it leads to is refused. Whatever comes out is ASCII, percent-encoded exactly
once: what was encoded already stays as it is, and a fragment is kept. ``http`` becomes
``https``, which Button asks for. A port other than 443 is refused unless the store's
hosts name it.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from ada_url import URL
from django.conf import settings
from django.utils.translation import gettext as _

from merchants import hosts
from merchants.models import Merchant, TrackingHost

LONGEST = 4_000
"""Characters of a destination as it goes out, where a letter outside of ASCII takes six
or more: 440 Chinese characters fill it."""
LONGEST_LINK = 12_000
"""Characters of a whole link, where a destination is encoded once more, which can make
it three times as long. Browsers take more; it only ever stands in a Location."""

# What RFC 3986 lets nowhere stand as it is; browsers let some of it through.
_TO_ENCODE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\w.~!$&'()*+,;=:@/?%-]", re.ASCII)
_CUSTOMER_ID = re.compile(r"[!-~]{1,255}")
_REFERENCE = re.compile(r"[!-~]{1,100}")


class LinkRefused(Exception):
    """There can be no such link; the message says why, for people.

    ``reason`` is one of empty, url, scheme, credentials, host, port, long, customer,
    reference, nowhere and unset.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def destination(url: str, *, merchant: Merchant) -> str:
    """The address as an absolute https URL in ASCII, if it is one of this store.

    Its host has to be one of the store's, or a tracking host that staff added, or one
    below them. Doing it again changes nothing. Raises LinkRefused.
    """
    parsed = address(url)
    name = _checked_host(parsed, merchant)
    port = f":{parsed.port}" if parsed.port else ""
    path = _encoded(parsed.pathname + parsed.search)
    fragment = f"#{_encoded(parsed.hash[1:])}" if parsed.hash else ""
    return _short_enough(f"https://{name}{port}{path}{fragment}", most=LONGEST)


def front_door(merchant: Merchant) -> str:
    """The address of the store itself. Raises LinkRefused where none is known."""
    if url := merchant.homepage_url:
        return destination(url, merchant=merchant)
    if merchant.hosts:
        return destination(f"https://{merchant.hosts[0]}/", merchant=merchant)
    raise LinkRefused("nowhere", _("The address of this store is not known."))


def button_link(destination: str, *, customer_id: str, reference: str) -> str:
    """The Button Link by which one customer leaves for a checked destination.

    Each value is encoded once, so that decoding the query gives back exactly these.
    Raises LinkRefused.
    """
    if not settings.BUTTON_ORGANIZATION_ID:
        raise LinkRefused("unset", _("BUTTON_ORGANIZATION_ID is not set."))
    if not _CUSTOMER_ID.fullmatch(customer_id):
        raise LinkRefused(
            "customer",
            _("A customer id has 1 to 255 characters of ASCII, and no spaces."),
        )
    if not _REFERENCE.fullmatch(reference):
        raise LinkRefused(
            "reference", _("A reference has 1 to 100 characters of ASCII, no spaces.")
        )
    query = {
        "btn_url": destination,
        "btn_pub_user": customer_id,
        "btn_pub_ref": reference,
        "btn_ref": settings.BUTTON_ORGANIZATION_ID,
    }
    encoded = urlencode(query, quote_via=quote, safe="")
    link = f"{settings.BUTTON_LINK_URL}?{encoded}"
    return _short_enough(link, most=LONGEST_LINK)


def address(url: str) -> URL:
    """The address as browsers read it, if a link may lead to one of its kind.

    Whose it is, is not asked. Raises LinkRefused.
    """
    if not url.strip():
        raise LinkRefused("empty", _("There is no address."))
    _short_enough(url.strip(), most=LONGEST)
    try:
        parsed = hosts.parse(url)
    except ValueError:
        raise LinkRefused(
            "url", _("This is no whole address: it has to begin with https://.")
        ) from None
    if parsed.protocol not in {"https:", "http:"}:
        raise LinkRefused("scheme", _("The address has to begin with https://."))
    parsed.protocol = "https:"  # a port of 80 or 443 goes as the scheme's own
    if parsed.username or parsed.password:
        raise LinkRefused(
            "credentials", _("The address has a user name before its host.")
        )
    return parsed


def _checked_host(url: URL, merchant: Merchant) -> str:
    name = hosts.name_of(url)
    if name is None:
        raise LinkRefused("host", _("The address has no host name of a store."))
    if any(hosts.covers(some, name, port=url.port) for some in _allowed(merchant)):
        return name
    if url.port:
        raise LinkRefused(
            "port",
            _("The address has the port %(port)s, which is not one of %(store)s.")
            % {"port": url.port, "store": merchant},
        )
    raise LinkRefused(
        "host",
        _("%(host)s does not belong to %(store)s.") % {"host": name, "store": merchant},
    )


def _allowed(merchant: Merchant) -> Iterator[list[str]]:
    """The store's own hosts; only where those don't do, the tracking hosts."""
    yield merchant.hosts
    yield hosts.in_address(merchant.homepage_url)
    yield list(TrackingHost.objects.values_list("host", flat=True))


def _encoded(text: str) -> str:
    return _TO_ENCODE.sub(lambda found: quote(found[0], safe=""), text)


def _short_enough(url: str, *, most: int) -> str:
    if len(url) > most:
        raise LinkRefused(
            "long", _("The address is too long: %d characters at most.") % most
        )
    return url
