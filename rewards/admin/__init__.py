"""The admin pages of rewards, a module a noun."""

from rewards.admin import (
    accounts,
    apikeys,
    editions,
    ledger,
    members,
    program,
    purchases,
)

__all__ = [
    "accounts",
    "apikeys",
    "editions",
    "ledger",
    "members",
    "program",
    "purchases",
]
