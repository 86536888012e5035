"""Times that mean another hour, or another day, where the program lives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from rewards.linting.finding import Finding, notice, warning
from rewards.linting.world import World
from rewards.program.phrases import moment
from rewards.program.vocabulary import Program, Rule


def check(program: Program, world: World) -> Iterator[Finding]:
    for rule in program.rules:
        for at in (rule.when.starts_at, rule.when.ends_at):
            if at and at > world.at:
                yield from _edge(rule, at, ZoneInfo(program.time_zone))
        yield from _other_zone(rule, program)


def _edge(rule: Rule, at: datetime, zone: ZoneInfo) -> Iterator[Finding]:
    local = at.astimezone(zone)
    if not _midnight(local) and (_midnight(at) or _midnight(at.astimezone(UTC))):
        meant = (at if _midnight(at) else at.astimezone(UTC)).replace(tzinfo=zone)
        yield warning(
            "midnight",
            rule.key,
            _("Its date %s is midnight in another time zone.") % moment(at, zone=zone),
            _("If midnight here was meant, give %s.") % moment(meant, zone=zone),
        )
    elif _comes_twice(local, zone):
        yield notice(
            "clock-change",
            rule.key,
            _("%s comes twice: clocks are put back in that hour.")
            % moment(at, zone=zone),
            _("Choose another hour, so that nobody has to ask which one is meant."),
        )


def _other_zone(rule: Rule, program: Program) -> Iterator[Finding]:
    zone = rule.when.time_zone
    if zone and rule.when.weekdays and zone != program.time_zone:
        yield notice(
            "weekday-zone",
            rule.key,
            _("Its days begin at midnight in %(zone)s, and the program's in %(own)s.")
            % {"zone": zone, "own": program.time_zone},
            _("Leave the rule's time zone out, unless its members live there."),
        )


def _midnight(at: datetime) -> bool:
    return not (at.hour or at.minute or at.second)


def _comes_twice(local: datetime, zone: ZoneInfo) -> bool:
    once, again = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    # Where clocks are put forward the two differ too, for an hour that never comes.
    return once is not None and again is not None and once > again
