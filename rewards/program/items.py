"""Which line items of an order count for a rule, and what they amount to."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from rewards.program import vocabulary
from rewards.reports import LineItem

Filter = Callable[[LineItem], bool]


def line_filter(items: vocabulary.Items) -> Filter | None:
    """What a line must be to count; None where the whole order does."""
    tests = list(_tests(items))
    if not tests:
        return None
    return lambda line: all(test(line) for test in tests)


def matching(lines: Iterable[LineItem], counts: Filter) -> Sequence[LineItem]:
    return [line for line in lines if counts(line)]


def left(lines: Iterable[LineItem]) -> bool:
    """Whether any of these lines is still something to reward."""
    return any(line.quantity > 0 and line.total > 0 for line in lines)


def _tests(items: vocabulary.Items) -> Iterator[Filter]:
    if items.categories:
        wanted = frozenset(name.casefold() for name in items.categories)
        yield lambda line: any(
            name.casefold() in wanted
            for name in (*line.categories, *line.subcategories)
        )
    if items.skus:
        skus = frozenset(items.skus)
        yield lambda line: line.sku in skus
    if items.gtins:
        gtins = frozenset(items.gtins)
        yield lambda line: line.gtin in gtins
    if items.attributes:
        pairs = frozenset(_pair(text) for text in items.attributes)
        yield lambda line: not pairs.isdisjoint(line.attributes)


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value
