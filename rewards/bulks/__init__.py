"""Adjustments by a file: checked, approved, applied once, undone by one action."""
