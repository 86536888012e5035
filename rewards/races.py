"""Losing a race against another worker, which is no error: settle again."""


class Raced(Exception):
    """Another transaction made or renamed a purchase since this one looked."""
