"""What finds something in the copy, and whether it names what was corrupted."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from benchmarks.corruptions.corrupting import Corruption
from ingestion.replaying import replay
from ingestion.verification import checks
from rewards.program.editions import compiled
from rewards.program.reproduction import differences, settled_purchases
from rewards.verification import Check

Names = Callable[[Corruption], bool]


def found() -> Iterator[tuple[str, Names]]:
    """Every check that finds something, by name, one after another."""
    compiled.cache_clear()
    try:
        yield from _verified()
        yield from _reproduced()
        yield from _replayed()
    except Exception as error:
        # What can't even be read is found, and the row is where reading stops.
        said = f"{type(error).__name__}: {error}"
        yield f"can't be read: {said[:60]}", lambda corruption: True


def _verified() -> Iterator[tuple[str, Names]]:
    for check in checks(at=datetime.now(UTC)):
        if check.violations:
            yield f"verify_ledger: {check.name}", _names(check)


def _reproduced() -> Iterator[tuple[str, Names]]:
    differing = {found.purchase.pk for found in differences(settled_purchases())}
    if differing:
        # Of an edition, whoever was rewarded by it.
        yield (
            "verify_receipts",
            lambda c: bool(c.purchases & differing) or c.table == "Edition",
        )


def _replayed() -> Iterator[tuple[str, Names]]:
    found = replay()
    if found.differences:
        lines = [str(difference) for difference in found.differences]
        yield "replay", _names(found.check, lines)


def _names(check: Check, lines: Sequence[str] = ()) -> Names:
    """Whether a check names a row, its purchase or its member.

    A replay, with ``lines``, names nobody for what is nobody's.
    """

    def names(corruption: Corruption) -> bool:
        told = {line.partition(" (")[0] for line in check.examples}
        whose = corruption.purchases or corruption.members
        return bool(
            corruption.purchases & check.purchases
            or corruption.members & check.members
            or corruption.names & told
            or (lines and not whose)
        )

    return names
