"""The two programs of a backtest, side by side over one part of the history."""

from collections.abc import Sequence
from typing import Any

from rewards.backtests import history
from rewards.backtests.budgets import Burn, Burns
from rewards.backtests.simulation import Known, Simulation, Worth
from rewards.backtests.tally import BASELINE, DRAFT, Tally
from rewards.models import Backtest
from rewards.program import vocabulary
from rewards.program.evaluation import Granted

NO_PROGRAM: dict[str, Any] = {"format": 1}


def baseline_of(backtest: Backtest) -> dict[str, Any]:
    """The program that it is compared with; an empty one where there is none."""
    return backtest.baseline.content if backtest.baseline else NO_PROGRAM


def burns_of(backtest: Backtest, side: str) -> Burns:
    """Where the budgets of one side end, as far as that is known by now."""
    found = backtest.burns.get(side, {})
    return {rule: Burn(*values) for rule, values in found.items()}


class Comparison:
    """What is granted by the one and by the other, purchase after purchase.

    As the preview of a re-run, what is granted now takes the place of the baseline.
    """

    def __init__(self, backtest: Backtest) -> None:
        contents = {DRAFT: backtest.content, BASELINE: baseline_of(backtest)}
        self.tally = Tally()
        self._previews = backtest.rerun_id is not None
        self._current: dict[int, list[Granted]] = {}
        self._draft = self._baseline = _simulation(backtest, DRAFT, contents)
        if contents[BASELINE] != contents[DRAFT]:  # the same is worked out once
            self._baseline = _simulation(backtest, BASELINE, contents)
        self.asks_for_lines = any(
            history.asks_for_lines(vocabulary.parse(content))
            for content in contents.values()
        )

    def compare(self, chunk: Sequence[Known]) -> None:
        """Count these purchases, the next ones of the part."""
        if self._previews:
            self._current = history.current_awards(chunk)
        for known in chunk:
            if known.declined:
                self._decline(known)
            else:
                after = self._draft.worth(known)
                self.tally.earning(known, self._before(known, after), after)

    def stored(self) -> dict[str, Any]:
        """What was found, as plain data, once the part is at its end."""
        self.tally.finish()
        sides = {BASELINE: self._baseline, DRAFT: self._draft}
        spending = {
            side: {rule: spent.packed() for rule, spent in simulation.spending.items()}
            for side, simulation in sides.items()
        }
        return {"tally": self.tally.stored(), "spending": spending}

    def _before(self, known: Known, after: Worth) -> Worth:
        if self._previews:
            return Worth(self._current.get(known.id, ()))
        if self._baseline is self._draft:
            return after
        return self._baseline.worth(known)

    def _decline(self, known: Known) -> None:
        after = self._draft.unlimited(known)
        before = after
        if self._baseline is not self._draft:
            before = self._baseline.unlimited(known)
        self.tally.declined(before, after)


def _simulation(
    backtest: Backtest, side: str, contents: dict[str, dict[str, Any]]
) -> Simulation:
    return Simulation(contents[side], burns_of(backtest, side))
