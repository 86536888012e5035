"""Everything that rewards stores."""

from rewards.models.api import ApiKey
from rewards.models.ledger import Account, Transfer
from rewards.models.members import Member
from rewards.models.program import Edition, Program, Rule, Unit
from rewards.models.purchases import (
    Award,
    Decision,
    NetworkAccount,
    Purchase,
    Report,
    Settlement,
)

__all__ = [
    "Account",
    "ApiKey",
    "Award",
    "Decision",
    "Edition",
    "Member",
    "NetworkAccount",
    "Program",
    "Purchase",
    "Report",
    "Rule",
    "Settlement",
    "Transfer",
    "Unit",
]
