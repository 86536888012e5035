"""Reading the history: each purchase's last known state, as little of it as will do.

One row a purchase, streamed. Line items, the bulk of what is stored, are read only
where a program asks for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Count, F, Q, QuerySet, TextField
from django.db.models.functions import Cast
from pydantic_core import from_json

from rewards import reruns
from rewards.backtests.simulation import Known
from rewards.models import Award, Backtest, BacktestPart, Purchase
from rewards.program import vocabulary
from rewards.program.evaluation import Granted
from rewards.program.facts import About, Facts
from rewards.reports import DECLINED, REWARDED_CATEGORIES, PurchaseReport

CHUNK = 5_000
"""Purchases between two looks at whether to go on."""

COLUMNS = (
    "report_id",
    "settlement__report_id",
    "id",
    "member_id",
    "merchant_id",
    "settlement_id",
    "status",
    "category",
    "order_total",
    "order_currency",
    "commission",
    "currency",
    "attributed_at",
    "account__network",
    "account__external_id",
    "merchant__external_id",
    "member__customer_id",
    "facts_text",
)


def scope(backtest: Backtest) -> QuerySet[Purchase]:
    """Every order that it is about, whatever became of it."""
    if backtest.rerun:
        return reruns.purchases(backtest.rerun)
    found = Purchase.objects.filter(category__in=REWARDED_CATEGORIES)
    if backtest.start:
        found = found.filter(attributed_at__gte=backtest.start)
    if backtest.end:
        found = found.filter(attributed_at__lt=backtest.end)
    return found


def considered(backtest: Backtest) -> QuerySet[Purchase]:
    """Of these, the ones that a program may decide: a member's, in an account that
    rewards, and not held back for staff since its state changed."""
    return scope(backtest).filter(_OWNED, _REWARDING, _SETTLED)


def left_out(backtest: Backtest) -> dict[str, int]:
    """How many are not considered, by why."""
    return scope(backtest).aggregate(
        unattributed=Count("pk", filter=~_OWNED),
        excluded=Count("pk", filter=_OWNED & ~_REWARDING),
        in_review=Count("pk", filter=_OWNED & _REWARDING & ~_SETTLED),
    )


def read(part: BacktestPart, *, lines: bool) -> Iterator[Sequence[Known]]:
    """One part's purchases, member by member in the order of attribution, in chunks.

    ``lines`` says whether the programs look at line items.
    """
    known = _known_in_full if lines else _known
    stream = rows(part, lines=lines).iterator(chunk_size=CHUNK)
    # Which are settled is told here: as a condition of the join, on two columns that
    # belong together, it makes PostgreSQL expect one row and plan for that.
    return _chunks(known(row) for row in stream if row[0] == row[1])


def rows(part: BacktestPart, *, lines: bool) -> QuerySet[Purchase, tuple[Any, ...]]:
    """What is read of one part; unsettled ones too."""
    ordered = (
        scope(part.backtest)
        .filter(_REWARDING)
        .filter(member_id__gte=part.first_member, member_id__lte=part.last_member)
        .annotate(
            facts_text=Cast("settlement__facts", TextField()),
            content_text=Cast("report__content", TextField()),
        )
        .order_by("member_id", "attributed_at", "pk")
    )
    if lines:
        return ordered.values_list(*COLUMNS, "content_text", "report__modified_at")
    return ordered.values_list(*COLUMNS)


def asks_for_lines(program: vocabulary.Program) -> bool:
    """Whether any rule can see more of an order than its totals."""
    return any(
        rule.items != vocabulary.Items() or rule.when.expression
        for rule in program.rules
    )


def current_awards(purchases: Iterable[Known]) -> dict[int, list[Granted]]:
    """What is granted now, by purchase."""
    of = {known.settlement_id: known.id for known in purchases}
    found: dict[int, list[Granted]] = {}
    awards = Award.objects.filter(settlement__in=list(of)).order_by("pk")
    columns = ("settlement_id", "rule", "unit__code", "wanted", "granted", "why")
    for settlement_id, *award in awards.values_list(*columns):
        found.setdefault(of[settlement_id], []).append(Granted(*award))
    return found


def _chunks(purchases: Iterator[Known]) -> Iterator[Sequence[Known]]:
    chunk: list[Known] = []
    for known in purchases:
        chunk.append(known)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _known(row: tuple[Any, ...]) -> Known:
    """From the purchase's own columns; its lines and ids at the network are unset."""
    _, _, id, member_id, merchant_id, settlement_id, status, category, *others = row
    order_total, order_currency, commission, currency, attributed_at, *others = others
    network, account, merchant, customer_id, facts = others
    report = object.__new__(PurchaseReport)
    # Its own __init__ sets each of two dozen frozen fields, and takes as long as all
    # the rules do. What is not set here has the class's default.
    vars(report).update(
        network=network,
        account=account,
        status=status,
        category=category,
        attributed_at=attributed_at,
        merchant=merchant or "",
        currency=currency,
        commission=commission,
        order_currency=order_currency,
        order_total=order_total,
    )
    return Known(
        id,
        member_id,
        merchant_id,
        settlement_id,
        status == DECLINED,
        currency,
        commission,
        Facts(report, About.restore(from_json(facts), customer_id=customer_id)),
    )


def _known_in_full(row: tuple[Any, ...]) -> Known:
    *first, content, modified_at = row
    known = _known(tuple(first))
    report = PurchaseReport.restore(
        from_json(content), customer_id="", modified_at=modified_at
    )
    return known._replace(facts=Facts(report, known.facts.about))


_OWNED = Q(member__isnull=False)
_REWARDING = Q(account__rewarding__isnull=True) | Q(account__rewarding=True)
_SETTLED = Q(settlement__report__isnull=False) & Q(settlement__report=F("report"))
