"""Everything that rewards stores."""

from rewards.models.api import ApiKey
from rewards.models.backtests import Approval, Backtest, BacktestPart
from rewards.models.leases import Leased
from rewards.models.ledger import Account, Transfer
from rewards.models.limits import Budget
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
from rewards.models.reruns import Rerun

__all__ = [
    "Account",
    "ApiKey",
    "Approval",
    "Award",
    "Backtest",
    "BacktestPart",
    "Budget",
    "Decision",
    "Edition",
    "Leased",
    "Member",
    "NetworkAccount",
    "Program",
    "Purchase",
    "Report",
    "Rerun",
    "Rule",
    "Settlement",
    "Transfer",
    "Unit",
]
