"""Spending a balance: what is offered, reserving it, and how that ends."""
