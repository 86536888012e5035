"""Everything that rewards stores."""

from rewards.models.adjustments import Adjustment, Bulk, Reason, Terms
from rewards.models.api import ApiKey
from rewards.models.backtests import Approval, Backtest, BacktestPart
from rewards.models.closes import Close, Remittance
from rewards.models.leases import Leased
from rewards.models.ledger import Account, Draw, Lot, Transfer
from rewards.models.limits import Budget
from rewards.models.members import Member
from rewards.models.outbox import Attempt, Endpoint, Message
from rewards.models.program import Edition, Program, Rule, Unit
from rewards.models.purchases import (
    Award,
    Decision,
    NetworkAccount,
    Purchase,
    Report,
    Settlement,
)
from rewards.models.redemptions import (
    GiftCode,
    PayoutDetails,
    Redemption,
    RedemptionStep,
    Reward,
)
from rewards.models.reruns import Rerun
from rewards.models.safeguards import Freeze, Tombstone

__all__ = [
    "Account",
    "Adjustment",
    "ApiKey",
    "Approval",
    "Attempt",
    "Award",
    "Backtest",
    "BacktestPart",
    "Budget",
    "Bulk",
    "Close",
    "Decision",
    "Draw",
    "Edition",
    "Endpoint",
    "Freeze",
    "GiftCode",
    "Leased",
    "Lot",
    "Member",
    "Message",
    "NetworkAccount",
    "PayoutDetails",
    "Program",
    "Purchase",
    "Reason",
    "Redemption",
    "RedemptionStep",
    "Remittance",
    "Report",
    "Rerun",
    "Reward",
    "Rule",
    "Settlement",
    "Terms",
    "Tombstone",
    "Transfer",
    "Unit",
]
