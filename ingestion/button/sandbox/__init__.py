"""A stand-in for Button to play with, and to run tests against."""

from ingestion.button.sandbox.button import Sandbox

__all__ = ["Sandbox"]
