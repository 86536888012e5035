"""What a program would have cost: tried on the real history, against what is live."""

from rewards.backtests.asking import ask, cancel, percent_done

__all__ = ["ask", "cancel", "percent_done"]
