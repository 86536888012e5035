"""The admin site's look, and its menu in the words of the domain."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _may_see(app: str, model: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        names = (f"{app}.view_{model}", f"{app}.change_{model}")
        return any(request.user.has_perm(name) for name in names)

    return allowed


def _item(title: Any, icon: str, name: str) -> dict[str, Any]:
    """A link to a model's list, for whoever may see that list."""
    app, model = name.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_see(app, model),
    }


REPORTS = {
    "liability": (_("Liability"), "account_balance"),
    "breakage": (_("Breakage"), "hourglass_bottom"),
    "margins": (_("Margin per store"), "percent"),
    "unpaid": (_("Commission not yet paid"), "pending_actions"),
}
"""Their addresses lie below that of the closes, and each has an item of its own."""


def _is_close(request: HttpRequest) -> bool:
    _before, found, rest = request.path.partition("/rewards/close/")
    return bool(found) and rest.partition("/")[0] not in REPORTS


MENU = [
    {
        "title": _("Orders"),
        "items": [
            _item(_("Purchases"), "shopping_bag", "rewards.purchase"),
            _item(_("Events"), "inbox", "ingestion.inboundevent"),
            _item(_("Network accounts"), "hub", "rewards.networkaccount"),
        ],
    },
    {
        "title": _("Health"),
        "items": [
            {
                "title": _("Health"),
                "icon": "monitor_heart",
                "link": reverse_lazy("health"),
                "permission": _may_see("ingestion", "alarm"),
                "badge": "ingestion.admin.alarms.open_count",
            },
            _item(_("Alarms"), "notifications", "ingestion.alarm"),
            _item(_("Polling"), "sync", "ingestion.poll"),
            _item(_("Polling windows"), "date_range", "ingestion.window"),
            _item(_("Doubts"), "help", "ingestion.doubt"),
            _item(_("Reconciliation"), "balance", "ingestion.reconciliation"),
            _item(_("Jobs"), "task_alt", "ingestion.job"),
        ],
    },
    {
        "title": _("Members"),
        "items": [
            _item(_("Members"), "group", "rewards.member"),
            _item(_("Accounts"), "account_balance_wallet", "rewards.account"),
            _item(_("Transfers"), "sync_alt", "rewards.transfer"),
            _item(_("Adjustments"), "exposure", "rewards.adjustment"),
            _item(_("Bulk adjustments"), "upload_file", "rewards.bulk"),
            _item(_("Freezes"), "ac_unit", "rewards.freeze"),
            _item(_("Erasures"), "person_remove", "rewards.tombstone"),
        ],
    },
    {
        "title": _("Redemptions"),
        "items": [
            _item(_("Redemptions"), "redeem", "rewards.redemption"),
            _item(_("Rewards"), "card_giftcard", "rewards.reward"),
        ],
    },
    {
        "title": _("Finance"),
        "items": [
            _item(_("Daily closes"), "event_available", "rewards.close")
            | {"active": _is_close},
            *(
                {
                    "title": title,
                    "icon": icon,
                    "link": reverse_lazy(f"admin:rewards_close_{name}"),
                    "permission": _may_see("rewards", "close"),
                }
                for name, (title, icon) in REPORTS.items()
            ),
            _item(_("Remittances"), "payments", "rewards.remittance"),
        ],
    },
    {
        "title": _("Program"),
        "items": [
            _item(_("Rules"), "rule", "rewards.rule"),
            _item(_("Units"), "toll", "rewards.unit"),
            _item(_("Terms"), "handshake", "rewards.terms"),
            _item(_("Backtests"), "science", "rewards.backtest"),
            _item(_("Editions"), "menu_book", "rewards.edition"),
            _item(_("Re-runs"), "history", "rewards.rerun"),
            _item(_("Time zone"), "schedule", "rewards.program"),
        ],
    },
    {
        "title": _("Stores"),
        "items": [
            _item(_("Merchants"), "storefront", "merchants.merchant"),
            _item(_("Clicks"), "ads_click", "merchants.click"),
            _item(_("Catalogue syncs"), "cloud_sync", "merchants.cataloguesync"),
            _item(_("Tracking hosts"), "alt_route", "merchants.trackinghost"),
        ],
    },
    {
        "title": _("Host application"),
        "items": [
            _item(_("Endpoints"), "webhook", "rewards.endpoint"),
            _item(_("Outbox"), "outbox", "rewards.message"),
        ],
    },
    {
        "title": _("Access"),
        "items": [
            _item(_("API keys"), "key", "rewards.apikey"),
            _item(_("Staff and logins"), "badge", "auth.user"),
            _item(_("Roles and groups"), "groups", "auth.group"),
            _item(_("Audit log"), "history_edu", "admin.logentry"),
        ],
    },
]

UNFOLD = {
    "SITE_TITLE": _("Loyalty"),
    "SITE_HEADER": _("Loyalty"),
    "SITE_SYMBOL": "loyalty",
    "SITE_URL": "/",
    "DASHBOARD_CALLBACK": "loyalty_site.desk.home.dashboard",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("rewards/admin.css")],
    "SCRIPTS": [lambda request: static("rewards/admin.js")],
    "SIDEBAR": {"show_search": False, "navigation": MENU},
}
