"""Closing the books of a day: figures, a journal, a seal, a person who signs."""
