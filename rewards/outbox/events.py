"""The types of events that host applications can be told."""

from django.utils.translation import gettext_lazy as _

EVENTS = {
    "redemption.reserved": _("A member redeemed: the amount is set aside"),
    "redemption.review": _("A redemption waits for staff"),
    "redemption.fulfilled": _("A member has what was redeemed for"),
    "redemption.cancelled": _("A redemption was given back"),
    "adjustment.posted": _("Staff gave or took"),
    "adjustment.undone": _("What staff gave or took was undone"),
    "points.expiring": _("Some of a balance expires soon"),
    "points.expired": _("Some of a balance has expired"),
    "debt.opened": _("A member owes for what was taken back"),
    "member.erased": _("A member was erased"),
}
