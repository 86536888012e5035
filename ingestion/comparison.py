"""Weighing one week of one account: what the network lists against what we have.

Nothing is asked and nothing is written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ingestion.models import Difference, InboundEvent
from rewards.models import Member, NetworkAccount, Purchase
from rewards.privacy import tombstones
from rewards.reports import PurchaseReport

COMPARED = (
    "status",
    "customer_id",
    "order_total",
    "order_currency",
    "commission",
    "currency",
)
State = dict[str, Any]


@dataclass
class Comparison:
    """What a comparison has found so far, one account and one week after another."""

    differences: list[Difference] = field(default_factory=list)
    sums: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict)
    orders: int = 0
    errors: list[str] = field(default_factory=list)

    def count(self, side: str, account: NetworkAccount, state: State) -> None:
        """Add one order's commission to one side's sum."""
        key = (account.external_id, state["currency"], state["status"])
        sums = self.sums.setdefault(
            key, dict.fromkeys(("our_count", "ours", "their_count", "theirs"), 0)
        )
        sums[side] += state["commission"]
        sums["our_count" if side == "ours" else "their_count"] += 1

    def sum_rows(self) -> list[dict[str, Any]]:
        """The sums as rows, to be stored."""
        names = ("account", "currency", "status")
        return [
            {**dict(zip(names, key, strict=True)), **sums}
            for key, sums in sorted(self.sums.items())
        ]


@dataclass(frozen=True, slots=True)
class Week:
    """One account's stretch that is compared; the network was asked at ``began_at``."""

    account: NetworkAccount
    start: datetime
    end: datetime
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Theirs:
    """One order as the network has it, and the row that says so."""

    report: PurchaseReport
    digest: bytes


def weigh(week: Week, theirs: dict[str, Theirs], *, into: Comparison) -> None:
    """Add to a comparison how the orders of one week differ, and their sums."""
    ours, created = _ours(week, theirs)
    into.orders += len(ours.keys() | theirs.keys())
    gone = tombstones.tokens({told.report.customer_id for told in theirs.values()})
    for own in created.values():
        into.count("ours", week.account, _our_state(own))
    unheld = _unheld(theirs, ours)
    for key, told in theirs.items():
        purchase = ours.get(key)
        if purchase is not None and _is_newer(purchase, told.report, week):
            if key in created:
                into.count("theirs", week.account, _our_state(purchase))
            continue
        state = _their_state(told.report, gone)
        into.count("theirs", week.account, state)
        reason = unheld.get(told.digest)
        if found := _difference(week.account, key, purchase, state, reason):
            into.differences.append(found)
    into.differences += [
        _one_sided(week.account, own)
        for key, own in created.items()
        if key not in theirs
    ]


def is_kept_out(difference: Difference) -> bool:
    """Whether it is one on purpose: the member was erased, and nobody need look."""
    return difference.ours.get("reason") == tombstones.KEPT_OUT.reason


def _ours(
    week: Week, theirs: dict[str, Theirs]
) -> tuple[dict[str, Purchase], dict[str, Purchase]]:
    """Our purchases by order: all that concern this week, and those created in it.

    One whose creation nobody told counts where the network lists it.
    """
    known = Purchase.objects.filter(account=week.account)
    known = known.select_related("report", "member")
    known = known.defer("report__content", "report__digest")
    named = {p.order_key: p for p in known.filter(order_key__among=theirs)}
    undated = {key: p for key, p in named.items() if p.created_at is None}
    stretch = known.filter(created_at__gte=week.start, created_at__lt=week.end)
    created = {p.order_key: p for p in stretch} | undated
    return named | created, created


def _difference(
    account: NetworkAccount,
    key: str,
    purchase: Purchase | None,
    theirs: State,
    reason: str | None,
) -> Difference | None:
    """How one order differs; ``reason`` tells why what we have of it isn't settled."""
    row = Difference(account=account, order_key=key, purchase=purchase)
    row.theirs = theirs
    if purchase is None and reason is not None:
        row.kind, row.ours = Difference.Kind.NOT_SETTLED, {"reason": reason}
        return row
    if purchase is None:
        row.kind = Difference.Kind.MISSING_HERE
        return row
    ours = _our_state(purchase)
    erased = _is_erased(purchase)
    if erased or not theirs["customer_id"]:
        ours["customer_id"] = theirs["customer_id"]
    names = [name for name in COMPARED if ours[name] != theirs[name]]
    if names and erased:
        row.kind = Difference.Kind.NOT_SETTLED
        row.ours = {"reason": tombstones.KEPT_OUT.reason}
        return row
    row.kind, row.ours = Difference.Kind.DIFFERENT, {n: ours[n] for n in names}
    return row if names else None


def _one_sided(account: NetworkAccount, purchase: Purchase) -> Difference:
    return Difference(
        kind=Difference.Kind.MISSING_THERE,
        account=account,
        order_key=purchase.order_key,
        purchase=purchase,
        ours=_our_state(purchase),
    )


def _is_newer(purchase: Purchase, told: PurchaseReport, week: Week) -> bool:
    """Whether we know a later state, told since the page came or by a transaction
    of the order that is listed elsewhere."""
    known = purchase.report
    if known is None or purchase.modified_at <= told.modified_at + timedelta(seconds=1):
        return False
    since = known.received_at >= week.began_at
    return since or known.transaction_id != told.transaction_id


def _our_state(purchase: Purchase) -> State:
    return {name: getattr(purchase, name) for name in COMPARED}


def _is_erased(purchase: Purchase) -> bool:
    """Whether its member was: then it stays as it is, whatever the network says."""
    member = purchase.member
    return member is not None and member.status == Member.Status.ERASED


def _their_state(report: PurchaseReport, gone: Mapping[str, str]) -> State:
    """What they say; of somebody erased, with the token that stands for them."""
    state = {name: getattr(report, name) for name in COMPARED}
    created = report.created_at or report.attributed_at
    return {
        **state,
        "customer_id": gone.get(report.customer_id, report.customer_id),
        "order_total": report.order_total or 0,
        "commission": report.commission or 0,
        "created_at": created.isoformat(),
    }


def _unheld(theirs: dict[str, Theirs], ours: dict[str, Purchase]) -> dict[bytes, str]:
    """Rows that are in our inbox and became no purchase, with the reason."""
    digests = [told.digest for key, told in theirs.items() if key not in ours]
    found = InboundEvent.objects.filter(digest__in=digests, purchase=None)
    return {
        bytes(digest): reason or "It waits in the inbox."
        for digest, reason in found.values_list("digest", "reason")
    }
