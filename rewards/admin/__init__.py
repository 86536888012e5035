"""The admin pages of rewards, a module a noun."""

from rewards.admin import (
    accounts,
    apikeys,
    backtests,
    editions,
    ledger,
    members,
    program,
    purchases,
    reruns,
)

__all__ = [
    "accounts",
    "apikeys",
    "backtests",
    "editions",
    "ledger",
    "members",
    "program",
    "purchases",
    "reruns",
]
