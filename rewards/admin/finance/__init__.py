"""The pages of the finance reports."""
