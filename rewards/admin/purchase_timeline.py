"""One list of everything that happened to a purchase, oldest first, a line for each.

A settlement stands in the line of what caused it, so that one line says both what the
store changed and what became of the points.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from merchants.clicks import number
from merchants.models import Click
from rewards.admin.mixins import link, linked
from rewards.admin.purchase_past import Heard, Past, past_of
from rewards.admin.wording import NOTHING, account_name, report_amounts, when
from rewards.models import Decision, Purchase, Report, Settlement, Transfer
from rewards.money import unit_amount
from rewards.pages.rates import figures
from rewards.pages.visits import promised

AFTER = 2**63
"""A place after everything that happened at the same instant."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. ``change`` is what became of the awards by it, and
    ``place`` the order among things of one instant."""

    at: datetime
    title: Any
    said: Sequence[Any] = ()
    change: str = ""
    place: int = 0

    @property
    def when(self) -> str:
        return when(self.at)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The lines; ``cut`` says that there is more than a page can hold."""

    lines: Sequence[Line]
    cut: bool


def timeline(purchase: Purchase, *, by: User) -> Timeline:
    """Everything that happened to a purchase, as far as this person may see it."""
    past = past_of(purchase, by=by)
    lines = _Teller(purchase, by, past).lines()
    in_order = sorted(lines, key=lambda line: (line.at, line.place))
    return Timeline(in_order, cut=past.cut)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Words what happened."""

    purchase: Purchase
    by: User
    past: Past

    def lines(self) -> Iterator[Line]:
        if self.purchase.click:
            yield self._visit(self.purchase.click)
        before: Settlement | None = None
        for settlement in self.past.settlements:
            yield from self._settled(settlement, before)
            before = settlement
        settled = {one.decision_id for one in self.past.settlements}
        alone = (one for one in self.past.decisions if one.pk not in settled)
        yield from map(_decided, alone)
        yield from (_moved_alone(one) for one in self.past.transfers.get(None, ()))
        yield from self._heard_beside()

    def _visit(self, click: Click) -> Line:
        """The member leaving for the store, and what was promised then."""
        visit = number(click)
        if self.by.has_perm("merchants.view_click"):
            visit = link(click, visit)
        left = format_html("{} {}", _("%s left: visit") % click.customer_id, visit)
        said: list[Any] = [left]
        units = {unit.code: unit for unit in self.past.units.values()}
        if rates := figures(promised(click, units), units):
            told = "; ".join(f"{rate.earned} {rate.basis}" for rate in rates)
            words = _("Promised: %s")
            if click.shown.get("up_to"):
                words = _("Promised: up to %s")
            said.append(words % told)
        return Line(click.clicked_at, _("Visit to the store"), said)

    def _settled(
        self, settlement: Settlement, before: Settlement | None
    ) -> Iterator[Line]:
        """What caused it, a line for each; the last of them carries what it did."""
        causes = self._causes(settlement)
        did = [*_new_terms(settlement, before), *self._moves(settlement)]
        last = causes[-1]
        change = self.past.changes.get(settlement.pk, "")
        yield from causes[:-1]
        yield replace(last, said=[*last.said, *did], change=change)

    def _causes(self, settlement: Settlement) -> list[Line]:
        at, place = settlement.settled_at, settlement.pk
        causes = [
            Line(at, self._title(report), self._told(report), place=place)
            for report in self._in_order(settlement)
        ]
        if decision := settlement.decision:
            causes.append(replace(_decided(decision), at=at, place=place))
        elif not causes:
            said = [_("No report and no decision: time, a member or an edition did.")]
            causes.append(Line(at, _("Settled again"), said, place=place))
        return causes

    def _in_order(self, settlement: Settlement) -> list[Report]:
        """The reports that it settled, the one that holds from then on last."""
        own = self.past.reports.get(settlement.pk, ())
        return sorted(
            own, key=lambda report: (report.pk == settlement.report_id, report.pk)
        )

    def _title(self, report: Report) -> str:
        title = _("Reported: %s") % report.get_status_display()
        return _("%s (this holds)") % title if self._holds(report) else title

    def _holds(self, report: Report) -> bool:
        return report.pk == self.purchase.report_id

    def _told(self, report: Report) -> list[Any]:
        total, commission = report_amounts(report)
        amounts = {"total": total, "commission": commission}
        amounts["transaction"] = report.transaction_id
        return [
            _("%(transaction)s: order %(total)s, commission %(commission)s") % amounts,
            _("Changed at the network %s") % when(report.modified_at),
            self._learned(report),
        ]

    def _learned(self, report: Report) -> SafeString:
        """By which routes it came, and when."""
        heard = next((one for one in self.past.heard if _is_of(one, report)), None)
        source, at = report.get_source_display(), when(report.received_at)
        first = _("Learned by %(source)s, %(at)s") % {"source": source, "at": at}
        return _together("; ", [first, *(_shown(heard) if heard else ())])

    def _heard_beside(self) -> Iterator[Line]:
        """What came in and is no report of its own: it said nothing new, or failed."""
        for one in self.past.heard:
            if not any(_is_of(one, report) for report in self.past.all_reports):
                title = _("Received by %s") % Report.Source(one.source).label
                became = {"at": when(one.at), "became": one.became}
                told = _("Received %(at)s: %(became)s") % became
                said = [_together("; ", [told, *_shown(one)])]
                yield Line(one.handled_at or one.at, title, said, place=AFTER)

    def _moves(self, settlement: Settlement) -> Iterator[Any]:
        for transfer in self.past.transfers.get(settlement.pk, ()):
            yield _move(transfer)


def _is_of(heard: Heard, report: Report) -> bool:
    return (heard.source, heard.at) == (report.source, report.received_at)


def _shown(heard: Heard) -> Iterator[Any]:
    yield from heard.again
    if heard.url:
        yield linked(heard.url, heard.name)


def _decided(decision: Decision) -> Line:
    by = decision.decided_by or NOTHING
    said = [
        _("“%s”") % decision.reason,
        _("Decided by %(by)s, %(at)s") % {"by": by, "at": when(decision.decided_at)},
    ]
    if decision.rerun:
        said.append(link(decision.rerun))
    return Line(decision.decided_at, capfirst(decision_said(decision)), said)


def decision_said(decision: Decision) -> str:
    """What was decided, about whom or what."""
    about = decision.member or decision.report or decision.account
    if decision.kind == Decision.Kind.ASSIGN and not about:
        return _("given back to what the reports say")
    kind = decision.get_kind_display()
    return f"{kind}: {about}" if about else str(kind)


def _new_terms(settlement: Settlement, before: Settlement | None) -> Iterator[str]:
    """Whose it is and which edition holds, where that is new."""
    if settlement.member_id != (before.member_id if before else None):
        owner = {"member": settlement.member or _("nobody"), "before": NOTHING}
        words = _("It belongs to %(member)s.")
        if before and before.member:
            owner["before"] = before.member
            words = _("It belongs to %(member)s, no longer to %(before)s.")
        yield words % owner
    elif before is None and settlement.member_id is None:
        yield _("It is nobody's.")
    edition = settlement.edition_id
    if edition and edition != (before.edition_id if before else None):
        yield _("%s holds.") % settlement.edition
    if settlement.in_review and not (before and before.in_review):
        yield _("It went into review.")
    if before and before.in_review and not settlement.in_review:
        yield _("The review ended.")


def _move(transfer: Transfer) -> SafeString:
    amount = unit_amount(transfer.amount, unit=transfer.from_account.unit)
    accounts = account_name(transfer.from_account), account_name(transfer.to_account)
    number = link(transfer, _("Transfer %d") % transfer.pk)
    return format_html("{}: {}, {} → {}", number, amount, *accounts)


def _moved_alone(transfer: Transfer) -> Line:
    title = capfirst(transfer.get_source_display())
    return Line(transfer.recorded_at, title, [_move(transfer)])


def _together(between: str, parts: Iterable[Any]) -> SafeString:
    return format_html_join(between, "{}", ((part,) for part in parts))
