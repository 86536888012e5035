"""What one program says that another doesn't, in plain words, for staff."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from rewards.program import reach, vocabulary
from rewards.program.phrases import number
from rewards.program.vocabulary import Program, Rule, Unit
from rewards.program.wording import (
    said_clauses,
    said_limits,
    said_reward,
    said_terms,
    sentence,
)

_NUMBERS = ("points", "percent", "factor")
_TIMES = ("starts_at", "ends_at")
_MOST_NAMED = 3


def differences(
    before: Program | None, after: Program, *, names: Mapping[str, str]
) -> list[str]:
    """A sentence for each thing that changes; none where both say the same.

    ``names`` is what merchants are called, by their id.
    """
    if before is None:
        return [sentence(rule, program=after, names=names) for rule in after.rules]
    said = [*_time_zone(before, after), *_units(before, after)]
    # An instant is the same in any zone; said in one, it is not taken for another.
    before = before.model_copy(update={"time_zone": after.time_zone})
    old = {rule.key: rule for rule in before.rules}
    new = {rule.key: rule for rule in after.rules}
    for key, rule in new.items():
        now = Told(rule, after, names)
        if key not in old:
            said.append(_("New: %s") % now.whole)
        elif old[key] != rule:
            said += _changed(Told(old[key], before, names), now)
    said += [
        _("Gone: %s") % Told(rule, before, names).whole
        for key, rule in old.items()
        if key not in new
    ]
    return [*said, *_moved(before, after)]


@dataclass(frozen=True)
class Told:
    """A rule of one of the programs, and how its parts are said."""

    rule: Rule
    program: Program
    names: Mapping[str, str]

    @property
    def whole(self) -> str:
        return sentence(self.rule, program=self.program, names=self.names)

    @property
    def clauses(self) -> dict[str, str]:
        return said_clauses(self.rule, program=self.program, names=self.names)

    @property
    def reward(self) -> str:
        return said_reward(self.rule, program=self.program)

    @property
    def limits(self) -> str:
        return said_limits(self.rule, program=self.program) or _("no limit")

    @property
    def terms(self) -> str:
        return ", ".join(said_terms(self.rule)) or _("at once and for ever")


def _changed(old: Told, new: Told) -> Iterator[str]:
    """What changed in a rule, part by part."""
    said = [*_reward(old, new), *_conditions(old, new), *_rest(old, new)]
    yield from said or [
        _("“%s” is written otherwise and means the same.") % new.rule.key
    ]


def _reward(old: Told, new: Told) -> Iterator[str]:
    if old.reward == new.reward:
        return
    clauses = new.clauses
    times = [clauses.pop(name) for name in _TIMES if name in clauses]
    clauses.pop("expression", None)
    yield _("%(who)s get %(after)s instead of %(before)s%(times)s. (“%(key)s”)") % {
        "who": capfirst(" ".join([_("members"), *clauses.values()])),
        "after": new.reward,
        "before": _only_number(old.rule, new.rule) or old.reward,
        "times": "".join(f", {time}" for time in times),
        "key": new.rule.key,
    }


def _only_number(old: Rule, new: Rule) -> str:
    """What the number was, where nothing else of the reward and its money changed."""
    was, now = old.reward.model_dump(), new.reward.model_dump()
    changed = [name for name in now if was.get(name) != now[name]]
    same = (old.unit, old.items, old.when.currencies) == (
        new.unit,
        new.items,
        new.when.currencies,
    )
    if not same or len(changed) != 1 or changed[0] not in _NUMBERS:
        return ""
    percent = " %" if changed[0] == "percent" else ""
    return number(was[changed[0]]) + percent


def _conditions(old: Told, new: Told) -> Iterator[str]:
    was, now = old.clauses, new.clauses
    for name in {**was, **now}:
        before, after = was.get(name), now.get(name)
        said = {"key": new.rule.key, "before": before, "after": after}
        if before == after:
            continue
        if not before:
            yield _("“%(key)s” counts only for members %(after)s now.") % said
        elif not after:
            yield _("“%(key)s” counts no longer only for members %(before)s.") % said
        else:
            yield _("“%(key)s” counts for members %(after)s instead of %(before)s.") % (
                said
            )


def _rest(old: Told, new: Told) -> Iterator[str]:
    groups = {"override": _("override"), "base": _("base"), "bonus": _("bonus")}
    pairs = {
        _("group"): (groups[old.rule.group], groups[new.rule.group]),
        _("limits"): (old.limits, new.limits),
        _("hold and expiry"): (old.terms, new.terms),
        _("label"): (_label(old.rule), _label(new.rule)),
    }
    for name, (before, after) in pairs.items():
        if before != after:
            yield _("“%(key)s”, %(what)s: %(after)s instead of %(before)s.") % {
                "key": new.rule.key,
                "what": name,
                "after": after,
                "before": before,
            }


def _label(rule: Rule) -> str:
    if isinstance(rule.label, str):
        return f"“{rule.label}”"
    return ", ".join(f"{language} “{text}”" for language, text in rule.label.items())


def _time_zone(before: Program, after: Program) -> Iterator[str]:
    if before.time_zone != after.time_zone:
        yield _(
            "Days, weeks and months begin by the clocks of %(after)s instead of"
            " %(before)s."
        ) % {"after": after.time_zone, "before": before.time_zone}


def _units(before: Program, after: Program) -> Iterator[str]:
    old = {unit.code: unit for unit in before.units}
    new = {unit.code: unit for unit in after.units}
    for code in {**old, **new}:
        if code not in old:
            yield _("New unit: %s.") % code
        elif code not in new:
            yield _("The unit %s is gone; what members have of it stays.") % code
        else:
            yield from _unit(old[code], new[code])


def _unit(old: Unit, new: Unit) -> Iterator[str]:
    words = {
        "name": _("name of one"),
        "name_plural": _("name of several"),
        "decimals": _("decimals"),
        "rounding": _("rounding"),
        "value": _("worth"),
    }
    for name, said in words.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield _("Unit %(code)s, %(what)s: %(after)s instead of %(before)s.") % {
                "code": new.code,
                "what": said,
                "after": _value(after),
                "before": _value(before),
            }


def _value(value: Any) -> str:
    if isinstance(value, vocabulary.Worth):
        return f"{number(value.amount)} {value.currency}"
    return _("none") if value is None else str(value).replace("_", " ")


def _moved(before: Program, after: Program) -> Iterator[str]:
    """Which rules win now where others won, since they stand above them."""
    old = {rule.key: place for place, rule in enumerate(before.rules)}
    kept = [rule for rule in after.rules if rule.key in old]
    if [rule.key for rule in kept] == sorted(
        (r.key for r in kept), key=old.__getitem__
    ):
        return
    said = []
    for place, winner in enumerate(kept):
        beaten = [
            loser.key
            for loser in kept[place + 1 :]
            if old[loser.key] < old[winner.key]
            and _contend(winner, loser, after.time_zone)
        ]
        if beaten:
            said.append(_wins(winner, beaten))
    yield from said or [
        _("Rules stand in another order; which of them win is the same.")
    ]


def _contend(a: Rule, b: Rule, zone: str) -> bool:
    """Whether the first of the two wins where both hold."""
    stores = not a.when.merchants or not b.when.merchants
    return (
        a.unit == b.unit
        and a.group == b.group != "bonus"
        and (stores or not {*a.when.merchants}.isdisjoint(b.when.merchants))
        and reach.meet(a, b, zone=zone)
    )


def _wins(winner: Rule, beaten: Sequence[str]) -> str:
    named = ", ".join(f"“{key}”" for key in beaten[:_MOST_NAMED])
    if (more := len(beaten) - _MOST_NAMED) > 0:
        named += " " + _("and %d more") % more
    return _("Where both hold, “%(winner)s” now wins over %(beaten)s.") % {
        "winner": winner.key,
        "beaten": named,
    }
