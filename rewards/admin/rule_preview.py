"""What a rule that is being written does to one order, beside the rules in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from rewards.admin.rule_fields import CHANNELS, DAYS, SHOPPERS
from rewards.admin.wording import NOTHING, merchant_names, text_of
from rewards.models import Edition
from rewards.money import unit_amount
from rewards.program import editions, vocabulary, wording
from rewards.program.conditions import Condition
from rewards.program.evaluation import CompiledProgram, CompiledRule, Granted, Matched
from rewards.program.facts import Facts
from rewards.program.phrases import moment


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one rule. ``own`` is the rule that is being written."""

    label: str
    amount: str
    because: str
    own: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What the draft gives for an order, rule by rule, and what is given today.

    ``today`` is None while no edition is in force; ``failed`` says which expression
    could not be worked out, and then nothing is given.
    """

    today: str | None
    then: str
    lines: Sequence[Line]
    failed: str = ""
    uncounted: bool = False


def preview(
    program: vocabulary.Program, facts: Facts, *, own: str, now: datetime
) -> Preview:
    """The draft on one order; ``own`` is the key of the rule being written."""
    compiled = CompiledProgram(vocabulary.dump(program))
    matched = compiled.match(facts)
    return Preview(
        today=_today(facts, now=now),
        then=_total(compiled, facts),
        lines=() if matched.failed else _lines(program, compiled, matched, facts, own),
        failed=matched.failed,
        uncounted=any(_over_time(rule.spec.limits) for rule in matched.limited),
    )


def _today(facts: Facts, *, now: datetime) -> str | None:
    live: Edition | None = editions.live(now=now)
    return _total(editions.compiled(live.pk), facts) if live else None


def _total(program: CompiledProgram, facts: Facts) -> str:
    """Everything that a program gives for an order: "91 points + $2.27"."""
    sums: dict[str, int] = {}
    for award in program.evaluate(facts):
        sums[award.unit] = sums.get(award.unit, 0) + award.granted
    said = [unit_amount(sums[code], unit=program.units[code]) for code in sums]
    return " + ".join(said) or _("nothing")


def _over_time(limits: vocabulary.Limits) -> bool:
    """Whether a limit depends on other orders, which a trial knows nothing of."""
    return bool(limits.per_member or limits.per_member_count or limits.budget)


def _lines(
    program: vocabulary.Program,
    compiled: CompiledProgram,
    matched: Matched,
    facts: Facts,
    own: str,
) -> list[Line]:
    awards = {award.rule: award for award in compiled.grant(matched)}
    ids = {id for rule in program.rules for id in rule.when.merchants}
    names = merchant_names(ids | {facts.report.merchant})
    explain = _Explaining(program, compiled, matched, facts, names)
    lines = []
    for rule in compiled.rules:
        spec, award = rule.spec, awards.get(rule.spec.key)
        amount = NOTHING
        if award:
            amount = unit_amount(award.granted, unit=compiled.units[spec.unit])
        because = explain.rule(rule, award)
        lines.append(Line(text_of(spec.label), amount, because, spec.key == own))
    return lines


@dataclass(frozen=True, slots=True)
class _Explaining:
    """Why rules give what they give for one order, or why not."""

    program: vocabulary.Program
    compiled: CompiledProgram
    matched: Matched
    facts: Facts
    names: Mapping[str, str]

    def rule(self, rule: CompiledRule, award: Granted | None) -> str:
        """How its award came, or what it lacked, in words."""
        claims = self.matched.claims.get(rule.spec.unit, [])
        if award:
            return self._arithmetic(award)
        if any(claim.rule is rule for claim in claims):
            return _("It comes to nothing for this order.")
        for condition in rule.conditions:
            if not condition.holds(self.facts):
                return self._missed(rule, condition)
        if rule.matches(self.facts) is None:
            return _("Nothing that it counts is in this order.")
        first = next(c.rule for c in claims if c.rule.spec.group != "bonus")
        return _("“%s” comes first.") % text_of(first.spec.label)

    def _arithmetic(self, award: Granted) -> str:
        if award.granted >= award.wanted:
            return award.why
        wanted = unit_amount(award.wanted, unit=self.compiled.units[award.unit])
        cut = _("%(why)s; its limit leaves less than the %(wanted)s it asks for")
        return cut % {"why": award.why, "wanted": wanted}

    def _missed(self, rule: CompiledRule, condition: Condition) -> str:
        clauses = wording.said_clauses(
            rule.spec, program=self.program, names=self.names
        )
        return _("Only %(wanted)s; this order: %(found)s") % {
            "wanted": clauses[condition.name],
            "found": self._found(condition),
        }

    def _found(self, condition: Condition) -> str:
        found = condition.found(self.facts)
        if condition.name in ("starts_at", "ends_at"):
            zone = ZoneInfo(self.program.time_zone)
            return moment(self.facts.report.attributed_at, zone=zone)
        if condition.name == "merchants":
            return self.names.get(found, found)
        words: dict[str, object] = {**dict(DAYS), **dict(SHOPPERS), **dict(CHANNELS)}
        words |= {"none": _("none"), "an earlier order": _("an earlier order")}
        return str(words.get(found, found))
