"""The API that host applications call."""
