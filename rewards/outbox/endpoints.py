"""The host application's addresses, and the secrets that we sign with."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from rewards import vault
from rewards.models import Endpoint, Message
from rewards.outbox import signing
from rewards.refusals import Refused

TEST = "test"


def create(
    *, name: str, url: str, events: Sequence[str] = (), at: datetime
) -> tuple[Endpoint, str]:
    """A new endpoint, and its secret, shown this once. Raises Refused."""
    refuse_address(url)
    secret = signing.new_secret()
    endpoint = Endpoint.objects.create(
        name=name,
        url=url,
        events=list(events),
        sealed=vault.seal(secret),
        created_at=at,
    )
    return endpoint, secret


def rotate(endpoint: Endpoint, *, at: datetime) -> str:
    """A new secret; the one before signs too for a day. Raises CannotOpen."""
    secret = signing.new_secret()
    before = vault.unseal(endpoint.sealed).split()[0]
    endpoint.sealed, endpoint.rotated_at = vault.seal(f"{secret} {before}"), at
    endpoint.save(update_fields=["sealed", "rotated_at"])
    return secret


def switch(endpoint: Endpoint, *, on: bool) -> None:
    """Off, new events are not written for it, and what waits goes on waiting."""
    endpoint.active = on
    endpoint.save(update_fields=["active"])


def test(endpoint: Endpoint, *, at: datetime) -> Message:
    """Write an event of type ``test`` for this endpoint, whatever types it wants."""
    data = {"endpoint": endpoint.name}
    timestamp = at.isoformat().replace("+00:00", "Z")
    return Message.objects.create(
        kind=Message.Kind.EVENT,
        type=TEST,
        key=f"{TEST} {endpoint.pk} {timestamp}",
        endpoint=endpoint,
        payload={"type": TEST, "timestamp": timestamp, "data": data},
        due_at=at,
        created_at=at,
    )


def refuse_address(url: str) -> None:
    """Refuse an address that would carry members' data in the clear. Raises Refused.

    Addresses of a private network are welcome: the host application often is there,
    and only staff with the permission to change endpoints name any.
    """
    try:
        if " " in url or not url.isprintable():  # some of which urlsplit passes over
            raise ValueError
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused(_("This is not an address.")) from None
    if "@" in parts.netloc:
        raise Refused(_("An address with a name or password in it is not taken."))
    if parts.scheme == "https" and host:
        return
    trying_out = settings.DEBUG or settings.DEMO
    if not (trying_out and parts.scheme == "http" and _is_loopback(host)):
        raise Refused(_("Write an address that begins with https://."))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
