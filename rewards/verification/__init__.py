"""The ledger's invariants, each a query that must find nothing."""

from rewards.verification.checking import Check as Check
from rewards.verification.running import checks as checks
