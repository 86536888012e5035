"""One locked purchase in a batch: how it stood, what is new, how it stands now."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from json import dumps
from typing import Any

from rewards.models import Decision, NetworkAccount, Settlement
from rewards.parties import Left, Parties, Store
from rewards.privacy import tombstones
from rewards.reports import DECLINED, Arrival, Outcome, PurchaseReport
from rewards.settling.history import History, decided
from rewards.settling.reviews import FROZEN, Frozen, why_held
from rewards.settling.standing import Standing, advance, flags, leaves_doubt

ROW = (
    "id",
    "order_key",
    "status",
    "category",
    "merchant_id",
    "member_id",
    "customer_id",
    "click_id",
    "order_number",
    "order_total",
    "order_currency",
    "commission",
    "currency",
    "attributed_at",
    "created_at",
    "modified_at",
    "validated_at",
    "report_id",
    "review",
    "flags",
    "pinned_id",
)
"""The columns of a purchase that follow from its standing, in the order of row()."""


@dataclass(slots=True)
class New:
    """A report that this purchase has not seen, on its way to the database."""

    arrival: Arrival
    index: int
    changed: bool
    contradicts: bool
    doubtful: bool
    id: int = 0


@dataclass(slots=True)
class Case:
    """One purchase, from the moment it is locked until its settling is written."""

    id: int
    account: NetworkAccount
    order_key: str
    member_before: int | None
    merchant_before: int | None
    review_before: str
    settlement_before: int | None
    due_before: datetime | None
    pinned_id: int | None
    elder: NetworkAccount | None
    twin: bool
    history: History
    recheck: bool
    standing: Standing = field(init=False)
    standing_before: Standing | None = field(init=False)
    report_ids: dict[bytes, int] = field(init=False)
    heard: list[PurchaseReport] = field(init=False)
    new: list[New] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    kept_out: list[int] = field(default_factory=list)
    decision: Decision | None = None
    settlement_id: int = 0
    member_id: int | None = None
    holder: str = ""
    store: Store | None = None
    click: Left | None = None
    customer_id: str = ""
    failed: str = ""
    member_erased: bool = False
    books_frozen: bool = False

    def __post_init__(self) -> None:
        standing = self.history.standing()
        self.standing = standing  # type: ignore[assignment]  # until the first report
        self.standing_before = standing
        self.report_ids = {r.digest: id for id, r in self.history.reports.items()}
        self.heard = list(self.history.reports.values())

    @property
    def report(self) -> PurchaseReport:
        """The report whose state holds."""
        return self.standing.report

    @property
    def state_before(self) -> PurchaseReport | None:
        return self.standing_before.report if self.standing_before else None

    @property
    def evaluation_before(self) -> Settlement | None:
        """The evaluation whose awards are current."""
        evaluations = self.history.evaluations
        return evaluations[-1] if evaluations else None

    @property
    def is_new(self) -> bool:
        """Whether nothing of it has been settled before."""
        return self.standing_before is None

    @property
    def touched(self) -> bool:
        return (self.recheck or bool(self.new)) and not self.closed

    @property
    def closed(self) -> bool:
        """Whether it stays as it is for ever, since its member was erased."""
        return self.history.erased or self.member_erased

    @property
    def erases(self) -> bool:
        """Whether its member is being erased just now: nothing moves because of it."""
        return bool(self.decision and self.decision.kind == Decision.Kind.ERASE)

    def _asks(self, confirming: PurchaseReport) -> bool:
        """Whether a confirming read may settle something here.

        Of two transactions that one read told of one order, the second counts too.
        """
        if not self.heard:
            return False
        return self.standing.doubtful or self.report.confirmed == confirming.confirmed

    @property
    def earns(self) -> bool:
        """Whether this state may be worth anything to anybody."""
        report = self.report
        return (
            report.status != DECLINED
            and report.rewarded
            and self.member_id is not None
            and self.account.rewarding is not False
        )

    @property
    def about_somebody(self) -> bool:
        """Whether it is a member's order, of which facts are kept."""
        return self.member_id is not None and self.report.rewarded

    @property
    def merchant_id(self) -> int | None:
        return self.store.id if self.store else None

    @property
    def review(self) -> str:
        """Why staff must look; while they haven't, nothing moves.

        What has failed is tried again whenever the purchase is touched.
        """
        return "" if self.erases else self._frozen or self.failed

    @property
    def _held(self) -> str:
        if self.books_frozen:
            return FROZEN
        return why_held(self.standing, self.account, self.elder, self.clicked_by)

    @property
    def _frozen(self) -> str:
        return self.standing.contradiction or self._held

    @property
    def evaluates(self) -> bool:
        """Whether the worth is worked out anew: only where something has changed.

        A contradiction freezes what stood before it, so a final state that came in
        the same batch is still paid, as if the two had come apart.
        """
        if self.erases or (self.review_before and self._frozen) or self._held:
            return False
        return (
            self.recheck
            or bool(self.review_before)
            or self.state_before is not self.report
            or self.member_before != self.member_id
            or self.standing.places_differently(self.standing_before)
        )

    def add(self, arrival: Arrival, index: int) -> None:
        """Fold one more report in, or see that it is known.

        A confirming read is read like any other where there is no doubt: it shows
        everything that the network has of that second.
        """
        if self.closed:
            self.kept_out.append(index)
            return
        if arrival.report.confirmed and not self._asks(arrival.report):
            arrival = replace(arrival, report=replace(arrival.report, confirmed=0))
        report = arrival.report
        known = any(heard.covers(report) for heard in self.heard)
        if known and (not report.confirmed or report.digest in self.report_ids):
            self.repeated.append(index)
            return
        self.heard.append(report)
        before = self.standing
        self.standing = advance(before, report)
        self.report_ids[report.digest] = 0
        after = self.standing
        self.new.append(
            New(
                arrival,
                index,
                changed=after.differs_from(before),
                contradicts=bool(after.contradiction),
                doubtful=leaves_doubt(after, report),
            )
        )

    def decide(self, decision: Decision) -> None:
        """Take in what staff decided about this purchase alone, or about many."""
        self.decision = decision
        if decision.purchase_id:
            self.standing = advance(self.standing, decided(decision, self.history))
        if decision.rerun is None:
            return
        if decision.kind == Decision.Kind.RERUN:
            self.pinned_id = decision.rerun.edition_id
        else:
            self.pinned_id = self.history.pin_without(decision.rerun)

    def meet(self, parties: Parties) -> None:
        """Learn who the customer id, the click and the merchant are."""
        standing, report = self.standing, self.report
        self.click = parties.clicks.get(standing.click_reference)
        self.customer_id = standing.customer_id or self.clicked_by
        self.member_id = standing.assigned_to or parties.members.get(self.customer_id)
        self.holder = parties.names.get(self.member_id or 0, "")
        self.store = parties.merchants.get((report.network, report.merchant))
        self.member_erased = self.member_id in parties.erased

    def freeze(self, frozen: Frozen) -> None:
        """Learn whether its books, or those of a member concerned, are frozen."""
        self.books_frozen = (
            self.id in frozen.purchases
            or self.member_id in frozen.members
            or self.member_before in frozen.members
        )

    @property
    def clicked_by(self) -> str:
        return self.click.customer_id if self.click else ""

    def number(self, settlement_id: int, report_ids: Iterable[int]) -> None:
        """Take the numbers that this settling was given."""
        self.settlement_id = settlement_id
        for new, id in zip(self.new, report_ids, strict=False):
            new.id = self.report_ids[new.arrival.report.digest] = id

    def outcomes(self) -> dict[int, Outcome]:
        """What became of each arrival, by its index in the batch."""
        if self.closed:
            told = (*self.kept_out, *self.repeated, *(new.index for new in self.new))
            return dict.fromkeys(told, tombstones.KEPT_OUT)
        known = Outcome("unchanged", "This report is known already.", self.id)
        return dict.fromkeys(self.repeated, known) | {
            new.index: self._outcome(new) for new in self.new
        }

    def happened_at(self, at: datetime) -> datetime:
        """When what is settled now, ``at``, took place in the world."""
        if self.decision:
            return at
        if self.new:
            return min(self.report.modified_at, at)
        return min(self.due_before, at) if self.due_before else at

    @property
    def report_id(self) -> int:
        return self.report_ids[self.report.digest]

    def row(self) -> tuple[Any, ...]:
        """The purchase as it now stands, in the order of ROW."""
        report = self.report
        return (
            self.id,
            self._told("order_id") or self.order_key,
            report.status,
            report.category,
            self.merchant_id,
            self.member_id,
            self.customer_id,
            self.click.id if self.click else None,
            report.order_number or self._told("order_number"),
            report.order_total or 0,
            report.order_currency,
            report.commission or 0,
            report.currency,
            report.attributed_at,
            report.created_at,
            report.modified_at,
            report.validated_at,
            self.report_id,
            self.review,
            dumps(found) if (found := flags(self.standing)) else "[]",
            self.pinned_id,
        )

    def _told(self, name: str) -> str:
        """What any report told that others may leave out."""
        return next((told for r in self.heard if (told := getattr(r, name))), "")

    def _outcome(self, new: New) -> Outcome:
        outcome = self._became(new)
        if not new.doubtful:
            return outcome
        second = new.arrival.report.modified_at.replace(microsecond=0)
        return replace(outcome, doubt=second)

    def _became(self, new: New) -> Outcome:
        if not new.arrival.report.rewarded:
            return Outcome("ignored", "App installs are never rewarded.", self.id)
        if new.contradicts or self._held or self.failed:
            return Outcome("review", self.review, self.id)
        if not new.changed:
            return Outcome("unchanged", "A newer state is known already.", self.id)
        return Outcome("settled", "", self.id)
