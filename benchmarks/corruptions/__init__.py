"""Seeded corruptions of copies of a database, each of which must be found and named."""
