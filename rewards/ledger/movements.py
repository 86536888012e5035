"""A transfer in words, as its member and staff read it in a statement."""

from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rewards.models import Purchase, Redemption, Reward, Transfer

_TITLES: dict[tuple[str, str], tuple[str, str | Promise]] = {
    ("issued", "pending"): ("pending", gettext_lazy("Pending")),
    ("pending", "issued"): ("updated", gettext_lazy("No longer pending")),
    ("issued", "available"): ("available", gettext_lazy("Available")),
    ("pending", "available"): ("available", gettext_lazy("Available")),
    ("available", "pending"): ("pending", gettext_lazy("Pending again")),
    ("debt", "pending"): ("pending", gettext_lazy("Pending again")),
    ("available", "issued"): ("declined", gettext_lazy("Taken back")),
    ("debt", "issued"): ("declined", gettext_lazy("Taken back, still open")),
    ("available", "debt"): ("updated", gettext_lazy("Paid back")),
    ("written_off", "debt"): ("updated", gettext_lazy("Forgiven")),
    ("available", "reserved"): ("on-its-way", gettext_lazy("On its way")),
    ("reserved", "redeemed"): ("available", gettext_lazy("Done")),
    ("reserved", "available"): ("updated", gettext_lazy("Given back")),
    ("adjusted", "available"): ("available", gettext_lazy("Given by us")),
    ("available", "adjusted"): ("declined", gettext_lazy("Taken back by us")),
    ("debt", "adjusted"): ("declined", gettext_lazy("Taken back by us, still open")),
    ("available", "expired"): ("no-reward", gettext_lazy("Expired on %s")),
    ("expired", "available"): ("updated", gettext_lazy("Expiry undone")),
}
_OTHER = ("unchanged", gettext_lazy("Moved"))


@dataclass(frozen=True, slots=True)
class Movement:
    """``code`` chooses icon and colour, ``about`` says what it belongs to."""

    code: str
    title: str | Promise
    about: str


def movement(transfer: Transfer) -> Movement:
    """What happened, and because of what."""
    kinds = transfer.from_account.kind, transfer.to_account.kind
    code, title = _TITLES.get(kinds, _OTHER)
    if kinds == ("reserved", "redeemed") and transfer.redemption:
        title = done_word(transfer.redemption)
    if transfer.source == Transfer.Source.EXPIRY:
        title = title % date_format(localtime(transfer.effective_at))
    return Movement(code, title, _about(transfer))


def done_word(redemption: Redemption) -> str:
    """What a redemption is called once it is fulfilled."""
    paid = redemption.reward.kind == Reward.Kind.PAYOUT
    return _("Paid") if paid else _("Done")


def order(purchase: Purchase) -> str:
    """A purchase as its member remembers it."""
    return _("Order of %(date)s at %(store)s") % {
        "date": date_format(localtime(purchase.attributed_at)),
        "store": purchase.merchant or _("an unknown store"),
    }


def _about(transfer: Transfer) -> str:
    if transfer.redemption:
        return transfer.redemption.reward.name
    if transfer.purchase:
        return order(transfer.purchase)
    return transfer.adjustment.member_note if transfer.adjustment else ""
