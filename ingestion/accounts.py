"""Our accounts at Button: found daily, shown at once, and alarmed about."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings

from ingestion.alarms import end_alarm, raise_alarm
from ingestion.button.accounts import Account, read_accounts
from ingestion.button.client import ButtonClient
from ingestion.button.envelope import NETWORK
from ingestion.models import Alarm, Poll
from rewards.models import NetworkAccount
from rewards.program.editions import pays_in

Kind = Alarm.Kind


def discover(client: ButtonClient, *, at: datetime) -> list[Poll]:
    """Ask which accounts there are, and follow each; raises ButtonError."""
    listed = read_accounts(client.accounts())
    polls = [_follow(account, at=at) for account in listed]
    _refuse_foreign(listed, at=at)
    tell_new(at=at)
    return polls


def tell_new(*, at: datetime) -> None:
    """Alarm about accounts that nobody was told of, also those met in an order."""
    told = Alarm.objects.filter(kind=Kind.NEW_ACCOUNT).values("subject")
    accounts = NetworkAccount.objects.filter(network=NETWORK).exclude(external_id="")
    for account in accounts.exclude(external_id__in=told):
        raise_alarm(
            Kind.NEW_ACCOUNT,
            subject=account.external_id,
            text=_welcome(account),
            at=at,
        )
    tell_currencies_without_rule(accounts, at=at)


def tell_currencies_without_rule(
    accounts: Iterable[NetworkAccount], *, at: datetime
) -> None:
    """Alarm about currencies in which orders come and no rule could ever pay."""
    for currency in sorted({account.currency for account in accounts} - {""}):
        if pays_in(currency, at=at):
            end_alarm(Kind.CURRENCY_WITHOUT_RULE, subject=currency, at=at)
            continue
        raise_alarm(
            Kind.CURRENCY_WITHOUT_RULE,
            subject=currency,
            text=f"There is an account in {currency}, and no rule pays for its orders.",
            at=at,
        )


def _follow(account: Account, *, at: datetime) -> Poll:
    row, _ = NetworkAccount.objects.get_or_create(
        network=NETWORK, external_id=account.id, defaults={"first_seen_at": at}
    )
    if (row.name, row.currency) != (account.name, account.currency):
        row.name, row.currency = account.name, account.currency
        row.save(update_fields=["name", "currency"])
    poll, _ = Poll.objects.get_or_create(account=row)
    return poll


def _refuse_foreign(listed: list[Account], *, at: datetime) -> None:
    """A key of another organization would show us somebody else's orders."""
    ours = settings.BUTTON_ORGANIZATION_ID
    theirs = sorted({a.organization for a in listed} - {"", ours}) if ours else []
    if not theirs:
        return end_alarm(Kind.FOREIGN_ORGANIZATION, at=at)
    raise_alarm(
        Kind.FOREIGN_ORGANIZATION,
        text=f"BUTTON_API_KEY belongs to {', '.join(theirs)}, and"
        f" BUTTON_ORGANIZATION_ID is {ours}. Orders of others are refused.",
        at=at,
    )
    return None


def _welcome(account: NetworkAccount) -> str:
    name = account.name or account.currency or "no name yet"
    if settings.REWARD_NEW_ACCOUNTS or account.rewarding is not None:
        return f"{account} ({name}) is new. Its orders are paid by the rules."
    return f"{account} ({name}) is new. Its orders are held until staff confirm it."
