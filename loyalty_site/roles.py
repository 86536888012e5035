"""The roles that are shipped: groups of staff, each with exactly its permissions."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS

ROLES: dict[str, tuple[str, ...]] = {
    "Program manager": (
        *("rewards.view_rule", "rewards.add_rule", "rewards.change_rule"),
        *("rewards.delete_rule", "rewards.view_edition", "rewards.add_edition"),
        *("rewards.change_edition", "rewards.view_unit", "rewards.add_unit"),
        *("rewards.change_unit", "rewards.view_terms", "rewards.add_terms"),
        *("rewards.change_terms", "rewards.view_program", "rewards.change_program"),
        *("rewards.view_backtest", "rewards.add_backtest", "rewards.change_backtest"),
        *("rewards.view_rerun", "rewards.add_rerun", "rewards.change_rerun"),
        *("rewards.view_reward", "rewards.add_reward", "rewards.change_reward"),
        *("rewards.view_networkaccount", "rewards.change_networkaccount"),
        *("rewards.view_member", "rewards.view_account", "rewards.view_transfer"),
        *("rewards.view_purchase", "rewards.view_redemption", "rewards.view_close"),
        *("rewards.view_adjustment", "rewards.approve_adjustment"),
        *("rewards.view_bulk", "rewards.add_bulk", "rewards.approve_bulk"),
        *("merchants.view_merchant", "merchants.change_merchant"),
        *("merchants.view_click", "merchants.view_cataloguesync"),
        *("merchants.view_trackinghost", "ingestion.view_alarm"),
    ),
    "Support": (
        *("rewards.view_member", "rewards.add_member", "rewards.change_member"),
        "rewards.view_as_member",
        *("rewards.view_account", "rewards.view_transfer", "rewards.view_tombstone"),
        *("rewards.view_purchase", "rewards.change_purchase"),
        *("rewards.view_adjustment", "rewards.add_adjustment"),
        *("rewards.view_redemption", "rewards.change_redemption"),
        *("rewards.view_reward", "rewards.view_rule", "rewards.view_edition"),
        *("rewards.view_terms", "rewards.view_unit", "rewards.view_freeze"),
        *("rewards.view_message", "merchants.view_merchant", "merchants.view_click"),
        "ingestion.view_inboundevent",
    ),
    "Finance": (
        *("rewards.view_close", "rewards.sign_close"),
        *("rewards.view_remittance", "rewards.add_remittance"),
        *("rewards.view_member", "rewards.view_account", "rewards.view_transfer"),
        *("rewards.view_purchase", "rewards.view_networkaccount"),
        *("rewards.view_adjustment", "rewards.approve_adjustment"),
        *("rewards.view_bulk", "rewards.add_bulk", "rewards.approve_bulk"),
        *("rewards.view_redemption", "rewards.change_redemption"),
        *("rewards.export_payouts", "rewards.view_reward", "rewards.view_freeze"),
        *("rewards.view_unit", "rewards.view_terms", "rewards.view_edition"),
        *("merchants.view_merchant", "ingestion.view_reconciliation"),
    ),
    "Operator": (
        *("ingestion.view_alarm", "ingestion.change_alarm"),
        *("ingestion.view_inboundevent", "ingestion.change_inboundevent"),
        *("ingestion.view_poll", "ingestion.change_poll"),
        *("ingestion.view_window", "ingestion.add_window", "ingestion.change_window"),
        *("ingestion.view_doubt", "ingestion.view_job"),
        *("ingestion.view_reconciliation", "ingestion.add_reconciliation"),
        *("ingestion.change_reconciliation", "merchants.view_cataloguesync"),
        *("merchants.view_trackinghost", "merchants.add_trackinghost"),
        *("merchants.change_trackinghost", "merchants.view_merchant"),
        *("merchants.view_click", "rewards.view_purchase"),
        *("rewards.view_networkaccount", "rewards.view_freeze"),
        *("rewards.change_freeze", "rewards.view_endpoint", "rewards.add_endpoint"),
        *("rewards.change_endpoint", "rewards.view_message", "rewards.change_message"),
        *("rewards.view_apikey", "rewards.add_apikey", "rewards.change_apikey"),
    ),
}

AUDITOR = "Auditor"
"""Sees everything that staff can see, and changes nothing."""


def install(app_config: AppConfig, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make each role have these permissions and no others, after each migrate."""
    known = {
        f"{app}.{codename}": id
        for id, app, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    everything = tuple(name for name in known if ".view_" in name)
    for name, wanted in {**ROLES, AUDITOR: everything}.items():
        role, _created = Group.objects.using(using).get_or_create(name=name)
        role.permissions.set([known[permission] for permission in wanted])
