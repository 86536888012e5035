"""Rules that meet: which is never reached, which gives way, and what has no base."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from rewards.linting.finding import MOST_NAMED, Finding, notice, warning
from rewards.linting.world import World
from rewards.program import reach
from rewards.program.phrases import moment
from rewards.program.reach import Places
from rewards.program.vocabulary import Multiplier, Program, Rule


def check(program: Program, world: World) -> Iterator[Finding]:
    zone = program.time_zone
    for unit in program.units:
        rules = [rule for rule in program.rules if rule.unit == unit.code]
        for rule in rules:
            stronger = _stronger(rule, rules, world)
            blocking = [a for a in stronger if _blocks(a, rule, zone)]
            if _all_taken(rule, blocking, world):
                yield _unreachable(rule, blocking)
            else:
                yield from _gives_way(rule, stronger, world, zone)
            yield from _multiplier(rule, rules, world, zone)


def _stronger(rule: Rule, rules: Sequence[Rule], world: World) -> list[Rule]:
    """The rules of its unit that win where both hold, and are not over."""
    before = rules[: rules.index(rule)]
    overrides = [a for a in rules if a.group == "override"]
    if rule.group == "override":
        stronger = [a for a in before if a.group == "override"]
    elif rule.group == "base":
        stronger = overrides + [a for a in before if _is_base(a)]
    else:
        stronger = overrides
    return [a for a in stronger if not _over(a, world)]


def _is_base(rule: Rule) -> bool:
    """A multiplier multiplies a base, so it is none itself."""
    return rule.group == "base" and not isinstance(rule.reward, Multiplier)


def _over(rule: Rule, world: World) -> bool:
    return rule.when.ends_at is not None and rule.when.ends_at <= world.at


def _blocks(a: Rule, b: Rule, zone: str) -> bool:
    dates = reach.in_force_within(a.when, b.when)
    return dates and reach.holds_within(a, b, zone=zone)


def _all_taken(rule: Rule, blocking: Sequence[Rule], world: World) -> bool:
    """Whether stronger rules hold at every store at which this one does."""
    taken: set[str] = set()
    for a in blocking:
        places = world.places(a)
        if places is None:
            return True
        taken |= places
    wanted = world.places(rule)
    # That it holds at no store at all is another finding.
    return bool(wanted) and taken.issuperset(wanted or ())


def _unreachable(rule: Rule, blocking: Sequence[Rule]) -> Finding:
    return warning(
        "unreachable",
        rule.key,
        _("It never pays: wherever it holds, %s wins.") % _keys(blocking),
        _("Move it above, narrow the other's conditions, or remove it."),
    )


def _gives_way(
    rule: Rule, stronger: Sequence[Rule], world: World, zone: str
) -> Iterator[Finding]:
    """A notice for each way of losing a part of what it holds for."""
    winners = [a for a in stronger if _meet(a, rule, world, zone)]
    bases = [a for a in winners if a.group == "base"]
    overrides = [a for a in winners if a.group == "override"]
    if bases:
        yield notice(
            "overlap",
            rule.key,
            _("Where another base rule holds too, that one wins: %s.")
            % _said(bases, rule, world, zone),
            _("If this rule should win there, move it above."),
        )
    if overrides:
        yield notice(
            "shadowed",
            rule.key,
            _("An override takes its place: %s.") % _said(overrides, rule, world, zone),
            _("If both should pay, make the override a base or bonus rule."),
        )


def _meet(a: Rule, b: Rule, world: World, zone: str) -> bool:
    return _common(a, b, world) != frozenset() and reach.meet(a, b, zone=zone)


def _common(a: Rule, b: Rule, world: World) -> Places:
    return reach.common_places(world.places(a), world.places(b))


def _said(winners: Sequence[Rule], rule: Rule, world: World, zone: str) -> str:
    """Each of the first few winners, and where and when it wins."""
    said = [
        _("“%(winner)s” at %(stores)s%(dates)s")
        % {
            "winner": winner.key,
            "stores": world.named(_common(winner, rule, world)),
            "dates": _dates(winner, rule, ZoneInfo(zone)),
        }
        for winner in winners[:MOST_NAMED]
    ]
    if more := len(winners) - len(said):
        said.append(_("%d more") % more)
    return "; ".join(said)


def _dates(a: Rule, b: Rule, zone: ZoneInfo) -> str:
    """When both are in force; empty where that is always."""
    starts = [r.when.starts_at for r in (a, b) if r.when.starts_at]
    ends = [r.when.ends_at for r in (a, b) if r.when.ends_at]
    said = ""
    if starts:
        said += _(", from %s") % moment(max(starts), zone=zone)
    if ends:
        said += _(", until %s") % moment(min(ends), zone=zone)
    return said


def _multiplier(
    rule: Rule, rules: Sequence[Rule], world: World, zone: str
) -> Iterator[Finding]:
    if not isinstance(rule.reward, Multiplier):
        return
    if rule.group != "bonus":
        yield warning(
            "multiplier",
            rule.key,
            _("It adds to a base award, and can't be the base or an override itself."),
            _("Put it into the group bonus."),
        )
    elif not any(_is_base(a) and _meet(a, rule, world, zone) for a in rules):
        yield warning(
            "multiplier",
            rule.key,
            _("It never pays: no base rule of its unit ever holds beside it."),
            _("Add a base rule, or give points of its own instead of a factor."),
        )


def _keys(rules: Sequence[Rule]) -> str:
    return ", ".join(f"“{rule.key}”" for rule in rules)
