"""What must be true after the storm of redemptions, counted from the rows alone."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from benchmarks.redeemers import Attempt


def faults(
    answers: Mapping[int, str],
    earned: Mapping[str, int],
    *,
    attempts: int,
    attempt: Callable[[int], Attempt],
    stock: int,
    times: int,
) -> list[str]:
    """Everything that is not as it must be."""
    return [
        *_answered(answers, attempts, attempt),
        *_balanced(earned),
        *_moved_once(),
        *_handed_out_once(stock, times),
        *_verified(),
    ]


def summary() -> dict[str, int]:
    """How many redemptions ended how."""
    from rewards.models import Redemption

    statuses = Redemption.objects.values_list("status", flat=True)
    return dict(Counter(statuses))


def _answered(
    answers: Mapping[int, str], attempts: int, attempt: Callable[[int], Attempt]
) -> Iterator[str]:
    """Every attempt has an answer, and every key one redemption."""
    if len(answers) != attempts:
        yield f"{attempts - len(answers)} attempts have no answer"
    told: dict[tuple[str, str], set[str]] = {}
    for number, said in answers.items():
        if said.startswith("rdm-"):
            asked = attempt(number)
            told.setdefault((asked.member, asked.key), set()).add(said)
    for name, ids in told.items():
        if len(ids) > 1:
            yield f"{name} got {ids}"


def _balanced(earned: Mapping[str, int]) -> Iterator[str]:
    """Nobody spent more than they had, and what is left is theirs."""
    from rewards.models import Account, Redemption

    spent: Counter[str] = Counter()
    for member, amount in Redemption.objects.filter(status="fulfilled").values_list(
        "member__customer_id", "amount"
    ):
        spent[member] += amount
    held = Account.objects.exclude(member=None).values_list(
        "member__customer_id", "kind", "balance"
    )
    left = {(member, kind): balance for member, kind, balance in held}
    for member, had in earned.items():
        if spent[member] > had:
            yield f"{member} overspent: {spent[member]} of {had}"
        if left.get((member, "available"), 0) != had - spent[member]:
            yield f"{member} has not {had - spent[member]}"
        if left.get((member, "reserved"), 0) or left.get((member, "debt"), 0):
            yield f"{member} has something reserved or owes"


def _moved_once() -> Iterator[str]:
    """Each was reserved once, and then either spent or given back, once."""
    from rewards.models import Redemption, Transfer

    moved: dict[int, list[tuple[str, int]]] = {}
    for id, kind, amount in Transfer.objects.filter(
        redemption__isnull=False
    ).values_list("redemption_id", "to_account__kind", "amount"):
        moved.setdefault(id, []).append((kind, amount))
    ends = {"fulfilled": "redeemed", "cancelled": "available"}
    for redemption in Redemption.objects.all():
        expected = [
            ("reserved", redemption.amount),
            (ends[redemption.status], redemption.amount),
        ]
        if sorted(moved.pop(redemption.pk, [])) != sorted(expected):
            yield f"{redemption} moved otherwise than once"
    yield from (f"redemption {id} is unknown" for id in moved)


def _handed_out_once(stock: int, times: int) -> Iterator[str]:
    """Stock, codes and limits held."""
    from django.db.models import Count

    from rewards.models import GiftCode, Redemption, Reward

    standing = Redemption.objects.exclude(status="cancelled")
    tickets = standing.filter(reward__key="ticket").count()
    if Reward.objects.get(key="ticket").stock != stock - tickets:
        yield f"{tickets} tickets and the stock don't add up"
    cards = set(standing.filter(reward__key="card").values_list("pk", flat=True))
    given = list(
        GiftCode.objects.exclude(redemption=None).values_list("redemption", flat=True)
    )
    if sorted(given) != sorted(cards):
        yield f"{len(given)} codes for {len(cards)} cards"
    often = standing.filter(reward__key="voucher").order_by().values("member")
    for row in often.annotate(n=Count("pk")).filter(n__gt=times):
        yield f"member {row['member']} has {row['n']} vouchers"


def _verified() -> Iterator[str]:
    from rewards.verification import checks

    for check in checks():
        if check.violations:
            yield f"{check.name}: {check.violations}"
