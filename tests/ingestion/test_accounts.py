"""Accounts: found, shown, alarmed at once, and paid as the settings say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.accounts import discover, tell_new
from ingestion.button.accounts import read_accounts
from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox
from ingestion.models import Alarm, Poll
from rewards.models import NetworkAccount
from tests.builders import (
    balances,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)


def alarms(kind: str) -> dict[str, str]:
    return dict(
        Alarm.objects.filter(kind=kind, ended_at=None).values_list("subject", "text")
    )


@pytest.mark.once
def test_names_are_what_databases_store() -> None:
    [account] = read_accounts([{"id": "acc-1", "name": "a\0\ud800", "currency": "\0"}])
    assert (account.name, account.currency) == ("a\ufffd\ufffd", "\ufffd")


def test_every_account_is_found_and_alarmed_once(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    button.place(customer="alice")
    button.place(customer="alice", currency="GBP")
    polls = discover(client_of_button, at=NOW)
    found = {poll.account.external_id: poll.account.currency for poll in polls}
    assert {"USD", "GBP"} <= set(found.values())
    told = alarms("new_account")
    assert set(told) == set(found)
    assert all("paid by the rules" in text for text in told.values())
    Alarm.objects.update(ended_at=NOW)
    discover(client_of_button, at=NOW)
    assert not alarms("new_account")
    assert Poll.objects.count() == len(polls)


def test_an_account_met_in_an_order_is_alarmed_too(settings: Any) -> None:
    settings.REWARD_NEW_ACCOUNTS = False
    settle_reports(report(account="acc-unheard-of"))
    tell_new(at=NOW)
    assert "held until staff confirm it" in alarms("new_account")["acc-unheard-of"]


def test_its_orders_wait_for_staff_where_the_settings_say_so(
    settings: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    settings.REWARD_NEW_ACCOUNTS = False
    publish_program()
    discover(client_of_button, at=NOW)
    account = NetworkAccount.objects.get(currency="USD")
    settle_reports(report(account=account.external_id))
    assert balances() == {}


def test_a_currency_without_any_rule_is_named(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program(
        rule(when={"currencies": ["USD"]}),
        rule("half", unit="USD", reward=share("50")),  # pays no other currency
    )
    button.place(customer="alice")
    button.place(customer="alice", currency="GBP")
    discover(client_of_button, at=NOW)
    told = alarms("currency_without_rule")
    assert "GBP" in told
    assert "USD" not in told


def test_a_key_of_another_organization_is_alarmed(
    settings: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    settings.BUTTON_ORGANIZATION_ID = "org-ours"
    discover(client_of_button, at=NOW)
    assert button.organization in alarms("foreign_organization")[""]
    settings.BUTTON_ORGANIZATION_ID = button.organization
    discover(client_of_button, at=NOW)
    assert not alarms("foreign_organization")
