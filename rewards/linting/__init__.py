"""What is probably not meant in a program that can be read: findings, with a remedy."""

from rewards.linting.finding import NOTICE, WARNING, Finding
from rewards.linting.lint import findings

__all__ = ["NOTICE", "WARNING", "Finding", "findings"]
