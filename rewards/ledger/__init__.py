"""The ledger: balances, the transfers between them, and the lots they are made of."""

from rewards.ledger.book import difference, post, posted

__all__ = ["difference", "post", "posted"]
