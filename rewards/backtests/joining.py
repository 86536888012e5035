"""Joining the parts of a backtest: its second round, or its result."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Min

from rewards.backtests import history
from rewards.backtests.budgets import Burns, Spending, burn, caps
from rewards.backtests.comparison import baseline_of, burns_of
from rewards.backtests.figures import figures
from rewards.backtests.tally import BASELINE, DRAFT, Tally
from rewards.leases import Busy, LeaseLost, hold
from rewards.models import Backtest, Edition
from rewards.program import vocabulary

Results = Sequence[Mapping[str, Any]]


def join(backtest: Backtest) -> bool:
    """Join the parts, if all of them are finished; whether anything was done."""
    try:
        with hold(backtest) as lease:
            backtest.refresh_from_db()
            if backtest.finished_at or backtest.parts.filter(finished_at=None).exists():
                return False
            results = [part.result or {} for part in backtest.parts.all()]
            burns = {
                side: _burns(content, side, results)
                for side, content in _contents(backtest).items()
            }
            with transaction.atomic():
                lease.renew()
                if not backtest.burns and any(burns.values()):
                    _begin_again(backtest, burns)
                else:
                    _finish(backtest, results)
    except (Busy, LeaseLost):
        return False
    return True


def _contents(backtest: Backtest) -> dict[str, dict[str, Any]]:
    return {BASELINE: baseline_of(backtest), DRAFT: backtest.content}


def _burns(content: dict[str, Any], side: str, results: Results) -> Burns:
    """Where the budgets of a program end; those that last are left out."""
    found = {}
    for rule, cap in caps(vocabulary.parse(content).rules).items():
        parts = [Spending(result["spending"][side][rule]) for result in results]
        if ended := burn(cap, parts):
            found[rule] = ended
    return found


def _begin_again(backtest: Backtest, burns: Mapping[str, Burns]) -> None:
    """The second round, now that it is known where budgets end."""
    Backtest.objects.filter(pk=backtest.pk).update(burns=burns)
    backtest.parts.update(done=0, result=None, finished_at=None)


def _finish(backtest: Backtest, results: Results) -> None:
    tally = Tally()
    for result in results:
        tally.add(Tally.restore(result["tally"]))
    programs = {
        side: vocabulary.parse(content) for side, content in _contents(backtest).items()
    }
    if backtest.rerun_id:
        programs[BASELINE] = _ever_published()
    result = figures(
        tally,
        programs,
        burns={side: burns_of(backtest, side) for side in programs},
        stretch=_stretch(backtest),
    )
    result["left_out"] = history.left_out(backtest)
    Backtest.objects.filter(pk=backtest.pk, cancelled_at=None).update(
        result=result, finished_at=datetime.now(UTC)
    )
    backtest.parts.update(result=None)  # all of it is in the whole


def _stretch(backtest: Backtest) -> tuple[datetime | None, datetime | None]:
    """Its beginning and end; where they were left open, those of the orders."""
    found = history.scope(backtest).aggregate(
        first=Min("attributed_at"), last=Max("attributed_at")
    )
    return backtest.start or found["first"], backtest.end or found["last"]


def _ever_published() -> vocabulary.Program:
    """Every unit of any edition: awards that are current may be counted in it."""
    units: dict[str, Any] = {}
    for content in Edition.objects.order_by("number").values_list("content", flat=True):
        units |= {unit["code"]: unit for unit in content["units"]}
    return vocabulary.parse({"format": 1, "units": list(units.values())})
