"""Asking Button which store an address belongs to, and what its refusals mean."""

from ingestion.button.catalogue import ID
from ingestion.button.client import ButtonClient
from ingestion.button.errors import Broken, ButtonError
from merchants.clicks import new_reference

NETWORK = "button"


class NotApproved(Exception):
    """The store is there, and does not pay us. ``store_id`` is empty where unsaid."""

    def __init__(self, store_id: str) -> None:
        super().__init__(store_id)
        self.store_id = store_id


class Unsupported(Exception):
    """Button has no store at this address."""


def find_owner(client: ButtonClient, url: str, *, customer_id: str) -> str:
    """The id of the store that this address belongs to.

    The link that Button makes along with it goes unused: ours is made, and its click
    recorded, when the member goes. Raises NotApproved, Unsupported, ButtonError.
    """
    try:
        found = client.link(url, customer_id=customer_id, reference=new_reference())
    except ButtonError as error:
        if error.kind == "NoMerchantApproval":
            store_id = error.details.get("merchant_id") or ""
            raise NotApproved(_checked(store_id) if store_id else "") from None
        if error.kind == "NoMerchantLinkSupport":
            raise Unsupported from None
        raise
    return _checked(found.get("merchant_id"))


def _checked(store_id: object) -> str:
    if not isinstance(store_id, str) or not ID.fullmatch(store_id):
        raise Broken("The answer of /v1/links names no store.")
    return store_id
