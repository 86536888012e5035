"""Rules that are over, can't hold on any day, or leave a gap behind them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from rewards.linting.finding import Finding, notice, warning
from rewards.linting.world import World
from rewards.program import reach
from rewards.program.phrases import moment
from rewards.program.vocabulary import WEEKDAYS, Program, Rule, When

WEEK = timedelta(days=7)


def check(program: Program, world: World) -> Iterator[Finding]:
    for rule in program.rules:
        if rule.when.ends_at and rule.when.ends_at <= world.at:
            yield _over(rule, program)
        else:
            yield from _no_such_day(rule, program)
            yield from _followed(rule, program, world)


def _over(rule: Rule, program: Program) -> Finding:
    return warning(
        "over",
        rule.key,
        _("It ended on %s, and pays for no later order.")
        % moment(rule.when.ends_at, zone=ZoneInfo(program.time_zone)),
        _("Remove it, or give it another end. Earlier orders keep what they have."),
    )


def _no_such_day(rule: Rule, program: Program) -> Iterator[Finding]:
    when = rule.when
    zone = ZoneInfo(when.time_zone or program.time_zone)
    if when.weekdays and not any(day in when.weekdays for day in _days(when, zone)):
        yield warning(
            "weekdays",
            rule.key,
            _("None of its weekdays lies between its first and its last day."),
            _("Choose weekdays inside the dates, or leave them out."),
        )


def _days(when: When, zone: ZoneInfo) -> Iterator[str]:
    """The weekdays that its dates have; all where they are a week or more apart."""
    if not when.starts_at or not when.ends_at or when.ends_at - when.starts_at >= WEEK:
        yield from WEEKDAYS
        return
    day = when.starts_at.astimezone(zone)
    last = (when.ends_at - timedelta(microseconds=1)).astimezone(zone)
    while day.date() <= last.date():
        yield WEEKDAYS[day.weekday()]
        day += timedelta(days=1)


def _followed(rule: Rule, program: Program, world: World) -> Iterator[Finding]:
    """Whether anything gives a base award where and when this base rule ends."""
    end = rule.when.ends_at
    if rule.group != "base" or end is None:
        return
    others = [
        other for other in program.rules if _may_follow(other, rule, world, program)
    ]
    if any(_in_force(other.when, end) for other in others):
        return
    said = moment(end, zone=ZoneInfo(program.time_zone))
    begins = _next_start(others, end)
    if begins:
        yield warning(
            "gap",
            rule.key,
            _("From %(end)s until %(start)s no base rule gives %(unit)s in its place.")
            % {
                "end": said,
                "unit": rule.unit,
                "start": moment(begins, zone=ZoneInfo(program.time_zone)),
            },
            _("Let one end where the next begins: an end is not included."),
        )
    else:
        yield notice(
            "ends",
            rule.key,
            _("After %(end)s no base rule gives %(unit)s in its place.")
            % {"end": said, "unit": rule.unit},
            _("Add a rule that follows it, or one without dates below it."),
        )


def _may_follow(other: Rule, rule: Rule, world: World, program: Program) -> bool:
    return (
        other.key != rule.key
        and other.unit == rule.unit
        and other.group != "bonus"
        and reach.places_within(world.places(other), world.places(rule))
        and reach.holds_within(other, rule, zone=program.time_zone)
    )


def _in_force(when: When, at: datetime) -> bool:
    return (when.starts_at is None or when.starts_at <= at) and (
        when.ends_at is None or at < when.ends_at
    )


def _next_start(rules: Sequence[Rule], end: datetime) -> datetime | None:
    starts = [r.when.starts_at for r in rules if r.when.starts_at]
    return min((start for start in starts if start > end), default=None)
