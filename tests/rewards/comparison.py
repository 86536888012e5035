"""Our evaluation beside the reference's, on one case drawn at random."""

from random import Random
from typing import Any

from rewards.program import limits, vocabulary
from rewards.program.evaluation import CompiledProgram
from rewards.program.facts import About, Facts
from rewards.program.limits import Use
from rewards.reports import PurchaseReport
from tests.rewards import random_programs, reference

Awards = dict[str, tuple[str, int, int, int]]


def difference(chance: Random) -> Any:
    """What one random program gives one random order by either; None where equal.

    A neighbour goes first, since the program remembers which rules it has found.
    """
    content = random_programs.program(chance)
    report, about = random_programs.order(chance), random_programs.about(chance)
    room = random_programs.room(chance, content)
    compiled = CompiledProgram(vocabulary.dump(vocabulary.parse(content)))
    ours_of(compiled, random_programs.neighbour(chance, report), about, room)
    ours = ours_of(compiled, report, about, room)
    theirs = theirs_of(content, report, about, room)
    return None if ours == theirs else (content, report, about, room, ours, theirs)


def split_difference(chance: Random) -> Any:
    """What is left of an order by the way in which it was given back; None if equal.

    Once in several steps, each with the room that the awards before it hold; once as
    if only what is kept had ever been bought; and once more by the reference.
    """
    content = random_programs.program(chance)
    compiled = CompiledProgram(content)
    about, used = random_programs.about(chance), _use_by_others(chance, content)
    state, held = random_programs.order(chance), {}
    for _ in range(chance.randrange(1, 6)):
        steps = ours_of(compiled, state, about, _room(content, used, held))
        held = {rule: granted for rule, (_, _, granted, _) in steps.items() if granted}
        last = state
        state = random_programs.returned(chance, state)
    at_once = ours_of(compiled, last, about, _room(content, used, {}))
    theirs = theirs_of(content, last, about, _room(content, used, {}))
    if steps == at_once == theirs:
        return None
    return content, last, about, used, steps, at_once, theirs


def ours_of(
    compiled: CompiledProgram, report: PurchaseReport, about: About, room: Any
) -> Awards:
    awards = compiled.evaluate(Facts(report, about), room)
    return {a.rule: (a.unit, a.wanted, a.granted, a.hold_days) for a in awards}


def theirs_of(content: Any, report: PurchaseReport, about: About, room: Any) -> Awards:
    truths = random_programs.TRUTHS
    return reference.evaluate(content, report, about, room=room, truths=truths)


def _use_by_others(
    chance: Random, content: Any
) -> dict[str, list[tuple[str, int, int]]]:
    """For each limited rule its limits: name, cap, and what other orders have used."""
    uses: dict[str, list[tuple[str, int, int]]] = {}
    for rule in content["rules"]:
        for name, cap in rule.get("limits", {}).items():
            most = cap["amount"] if name == limits.PER_MEMBER else cap
            shared = name != limits.PER_ORDER
            used = chance.choice([0, most // 2, most, most + 1]) if shared else 0
            uses.setdefault(rule["key"], []).append((name, most, used))
    return uses


def _room(content: Any, used: Any, held: dict[str, int]) -> dict[str, int]:
    rooms = {}
    for rule, found in used.items():
        uses = [Use(name, cap, by, held.get(rule, 0)) for name, cap, by in found]
        most = limits.room(uses)
        if most is not None:
            rooms[rule] = most
    return rooms
