"""How one purchase came to be what it is: everything the store told us, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rewards.models import Purchase, Report, Unit
from rewards.pages.evaluations import Evaluation, amounts
from rewards.pages.states import (
    AVAILABLE,
    DECLINED,
    PENDING,
    UPDATED,
    change,
)
from rewards.reports import PENDING as STILL_PENDING
from rewards.reports import VALIDATED, PurchaseReport
from rewards.settling.history import histories
from rewards.settling.standing import Fact, Standing, advance


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``code`` chooses its icon, as a state's does."""

    at: datetime
    code: str
    title: str | Promise
    sentence: str


def timeline(
    purchase: Purchase, known: Sequence[Evaluation], units: Mapping[int, Unit]
) -> list[Entry]:
    """Oldest first, by when we learned it."""
    received = dict(
        Report.objects.filter(purchase=purchase).values_list("id", "received_at")
    )
    facts: list[tuple[int, int, Fact | None]] = [
        *histories([purchase.pk])[purchase.pk].facts
    ]
    told = {fact[0] for fact in facts}
    facts += [(e.settlement_id, 0, None) for e in known if e.settlement_id not in told]
    facts.sort(key=lambda fact: fact[:2])
    return list(_Teller(known, received, units).tell(facts))


class _Teller:
    """Folds the facts as settling did, and says what each of them changed."""

    def __init__(
        self,
        known: Sequence[Evaluation],
        received: Mapping[int, datetime],
        units: Mapping[int, Unit],
    ) -> None:
        self.worth = {e.settlement_id: e for e in known}
        self.received = received
        self.units = units
        self.standing: Standing | None = None
        self.grants: Mapping[int, int] = {}
        self.settled_at: datetime | None = None

    def tell(self, facts: Sequence[tuple[int, int, Fact | None]]) -> Iterator[Entry]:
        for number, report_id, fact in facts:
            worth = self.worth.get(number)
            if isinstance(fact, PurchaseReport):
                own = worth if worth and worth.report_id == report_id else None
                yield self._reported(fact, own, at=self.received[report_id])
                continue
            if fact is not None:
                self.standing = advance(self.standing, fact)
            if worth:
                yield self._decided(worth, by_staff=fact is not None)

    def _reported(
        self, report: PurchaseReport, worth: Evaluation | None, *, at: datetime
    ) -> Entry:
        before = self.standing
        now = self.standing = advance(before, report)
        if now.report is not report:
            return self._unheeded(before, now, at=at)
        changed = self._take(worth)
        if report.status == VALIDATED:
            return _confirmed(worth, changed, at=at)
        if report.status != STILL_PENDING:
            said = _("The store did not accept this order.")
            return Entry(at, DECLINED.code, DECLINED.word, f"{said} {changed}")
        if before is None:
            said = _("The store told us about your order.")
            return Entry(at, PENDING.code, PENDING.word, f"{said} {changed}")
        said = _what_changed(before.report, report)
        return Entry(at, UPDATED.code, UPDATED.word, f"{said} {changed}")

    def _unheeded(
        self, before: Standing | None, now: Standing, *, at: datetime
    ) -> Entry:
        """A report that is not the state: it contradicts a final one, or is older."""
        if before and now.contradiction and not before.contradiction:
            said = _("The store sent a second, different final report.")
            return Entry(at, "checking", _("Being checked"), said)
        said = _("An earlier report arrived late. It changes nothing.")
        return Entry(at, "unchanged", _("No change"), said)

    def _decided(self, worth: Evaluation, *, by_staff: bool) -> Entry:
        title, said = _("Reward"), _("We worked it out.")
        if by_staff:
            title, said = _("Checked"), _("We looked at this order.")
        elif self.grants == worth.grants and worth.releases_since(self.settled_at):
            self.settled_at = worth.settled_at
            return _released(worth)
        elif self.grants:
            said = _("We worked it out again.")
        changed = self._take(worth)
        return Entry(worth.settled_at, "checking", title, f"{said} {changed}")

    def _take(self, worth: Evaluation | None) -> str:
        """What became of the reward; nothing is known where it was not worked out."""
        if worth is None:
            return ""
        self.settled_at = worth.settled_at
        before, self.grants = self.grants, worth.grants
        if not before:
            earned = _(" and ").join(amounts(worth.grants, self.units))
            return _("Your reward: %(amount)s.") % {"amount": earned} if earned else ""
        if before == worth.grants:
            return _("Your reward stays the same.")
        return change(before, worth.grants, self.units)


def _confirmed(worth: Evaluation | None, changed: str, *, at: datetime) -> Entry:
    """The order is final; what it earned may still be held."""
    said = f"{_('The store confirmed your order.')} {changed}"
    if worth is None or worth.last is None:
        return Entry(at, AVAILABLE.code, AVAILABLE.word, said)
    day = date_format(localtime(worth.last))
    said = f"{said} {_('All of it is available from %s on.') % day}"
    if worth.first and worth.first > worth.settled_at:
        return Entry(at, PENDING.code, _("Confirmed"), said)
    return Entry(at, AVAILABLE.code, AVAILABLE.word, said)


def _released(worth: Evaluation) -> Entry:
    """A hold has ended; nothing else has changed."""
    said = _("All of your reward is available now.")
    if worth.last and worth.last > worth.settled_at:
        said = _("A part of your reward is available now.")
    return Entry(worth.settled_at, AVAILABLE.code, AVAILABLE.word, said)


def _what_changed(before: PurchaseReport, after: PurchaseReport) -> str:
    """Names the goods that are gone, where the store named them."""
    kept = {line.description for line in after.lines}
    gone = [
        line.description
        for line in before.lines
        if line.description and line.description not in kept
    ]
    if not gone:
        return _("The store changed your order.")
    return _("The store changed your order: %(items)s removed.") % {
        "items": ", ".join(gone)
    }
