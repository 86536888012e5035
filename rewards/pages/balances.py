"""What a member has in each unit: what is available, and what is pending apart."""

from collections.abc import Mapping
from dataclasses import dataclass

from rewards.models import Account, Member, Unit
from rewards.money import unit_amount, unit_name, unit_number


@dataclass(frozen=True, slots=True)
class Balance:
    """One unit's figures, in the unit's smallest step."""

    unit: Unit
    available: int = 0
    pending: int = 0

    @property
    def figure(self) -> str:
        return unit_number(self.available, unit=self.unit)

    @property
    def name(self) -> str:
        return unit_name(self.available, unit=self.unit)

    @property
    def pending_amount(self) -> str:
        return unit_amount(self.pending, unit=self.unit)


def balances(member: Member, units: Mapping[int, Unit]) -> list[Balance]:
    """Every unit of the program, and every other one the member has had."""
    accounts = Account.objects.filter(
        member=member, kind__in=(Account.Kind.AVAILABLE, Account.Kind.PENDING)
    )
    held: dict[int, dict[str, int]] = {}
    for unit_id, kind, amount in accounts.values_list("unit_id", "kind", "balance"):
        held.setdefault(unit_id, {})[kind] = amount or 0
    return [
        Balance(unit, **held.get(id, {}))
        for id, unit in sorted(units.items())
        if unit.in_draft or id in held
    ]
