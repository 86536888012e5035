"""Evaluations a second, against two libraries of rule expressions on the same rules.

`make bench-rules`. Every rule is one expression of the library's own, compiled once, as
a rule that staff wrote there would be; choosing the rules that count and rounding them,
which the libraries know nothing of, is done for them here. All three must give the same
awards for every order before anything is timed.
"""

import argparse
import gc
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from benchmarks import world

ORDERS, SHORT = 2_000, 200
ROUNDS = 15
GOAL, MOST_GROWTH = 10, 3
SEGMENTS = ("new", "gold", "staff", "press")

Awards = dict[str, int]
Engine = Callable[[Any], Any]
"""What an order earns, as that engine has it."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the orders")
    options = parser.parse_args(arguments)
    set_up()
    missed = compare(SHORT if options.short else ORDERS)
    return 0 if options.short else missed  # a short run is too coarse to judge by


def set_up() -> None:
    """Settings alone: rules need no database."""
    import os

    import django

    os.environ |= world.environment("sqlite://:memory:")
    django.setup()


def compare(orders: int) -> int:
    """Measure every engine; 1 where a goal is missed."""
    facts = [purchase(random.Random(n)) for n in range(orders)]
    short, long = program(20), program(200)
    ours, many = engine(short), engine(long)
    peers = {"cel-expr-python": cel(short), "zen-engine": zen(short)}
    for fact in facts:
        told = {award.rule: award.granted for award in ours(fact)}
        for name, peer in peers.items():
            assert peer(fact) == told, (name, fact, told, peer(fact))
    seconds = fastest({"ours, 20 rules": ours, "ours, 200 rules": many} | peers, facts)
    for name, taken in seconds.items():
        print(f"{name:16} {orders / taken:9,.0f} evaluations/s")
    ratio = min(seconds[name] for name in peers) / seconds["ours, 20 rules"]
    growth = seconds["ours, 200 rules"] / seconds["ours, 20 rules"]
    print(f"{orders} orders, the same awards from all three for 20 rules")
    print(f"ratio to the faster library {ratio:.1f} (goal {GOAL})")
    print(f"growth from 20 to 200 rules {growth:.1f} (at most {MOST_GROWTH})")
    return int(ratio < GOAL or growth > MOST_GROWTH)


def fastest(engines: dict[str, Engine], facts: Sequence[Any]) -> dict[str, float]:
    """Seconds of each one's best round; rounds take turns, so all see one machine."""
    best = dict.fromkeys(engines, float("inf"))
    gc.disable()  # as timeit does
    for _ in range(ROUNDS):
        for name, evaluate in engines.items():
            begun = time.process_time()
            for fact in facts:
                evaluate(fact)
            best[name] = min(best[name], time.process_time() - begun)
    return best


def program(count: int) -> dict[str, Any]:
    """So many rules: most name stores, some have days, totals or segments."""
    content = world.program()
    rules: list[dict[str, Any]] = content["rules"]  # type: ignore[assignment]
    rules[0]["when"]["segments"] = ["new", "press"]
    rules[2]["when"]["weekdays"] = ["saturday", "sunday"]
    rules[5]["when"] |= {"currencies": ["USD"], "min_order_total": "50"}
    lamps = {"items": {"categories": ["LIGHTING"]}, "reward": rules[0]["reward"]}
    rules[8] |= lamps
    rules[-1]["when"] = {"merchants": world.MERCHANTS[::4]}
    for n in range(count - len(rules)):
        days = timedelta(days=n % 90)
        when = {
            "merchants": world.MERCHANTS[n % 48 : n % 48 + 2],
            "starts_at": (world.START + days).isoformat(),
            "ends_at": (world.START + days + timedelta(days=14)).isoformat(),
        }
        rules.insert(1, rules[1] | {"key": f"more-{n}", "when": when})
    return content


def purchase(chance: random.Random) -> Any:
    from rewards.program.facts import About, Facts
    from rewards.reports import PENDING, PurchaseReport

    at = world.START + timedelta(seconds=chance.randrange(90 * 24 * 3600))
    total = chance.randrange(500, 60_000)
    report = PurchaseReport(
        network="button",
        account="acc-1",
        transaction_id="tx-1",
        order_id="btnorder-1",
        status=PENDING,
        category="existing-user-order",
        modified_at=at,
        attributed_at=at,
        merchant=chance.choice(world.MERCHANTS),
        currency="USD",
        commission=total // 20,
        order_currency=chance.choice(["USD", "USD", "USD", "EUR"]),
        order_total=total,
        lines=tuple(line(chance) for _ in range(chance.randrange(1, 6))),
    )
    segments = tuple(chance.sample(SEGMENTS, chance.randrange(3)))
    return Facts(report, About(segments=segments))


def line(chance: random.Random) -> Any:
    from rewards.reports import LineItem

    price = chance.randrange(500, 20_000)
    return LineItem(
        identifier=f"L{price}",
        sku=f"SKU-{price}",
        categories=(chance.choice(["HOME", "LIGHTING", "GARDEN"]),),
        quantity=1,
        amount=price,
        total=price,
        commission=price // 20,
    )


def engine(content: dict[str, Any]) -> Engine:
    """Our own."""
    from rewards.program.evaluation import CompiledProgram
    from rewards.program.facts import Facts

    evaluate = CompiledProgram(content).evaluate
    return lambda facts: evaluate(Facts(facts.report, facts.about))


def cel(content: dict[str, Any]) -> Engine:
    """The official CEL; an order's facts are bound once for all rules."""
    from cel_expr_python import cel as library

    text, number = library.Type.STRING, library.Type.INT
    told = plain(purchase(random.Random(0)))
    variables = {name: text if type(told[name]) is str else number for name in told}
    variables["segments"] = library.Type.List(text)
    variables["items"] = library.Type.List(library.Type.Map(text, library.Type.DYN))
    environment = library.NewEnv(variables=variables)
    rules = [
        (rule, environment.compile(expression(rule, CEL)).eval)
        for rule in content["rules"]
    ]

    def evaluate(facts: Any) -> Awards:
        bound = environment.Activation(plain(facts))
        return chosen([(rule, ask(bound).value()) for rule, ask in rules])

    return evaluate


def zen(content: dict[str, Any]) -> Engine:
    """GoRules' expressions, in Rust."""
    from zen import compile_expression

    rules = [
        (rule, compile_expression(expression(rule, ZEN)).evaluate)
        for rule in content["rules"]
    ]

    def evaluate(facts: Any) -> Awards:
        told = plain(facts)
        return chosen([(rule, int(ask(told))) for rule, ask in rules])

    return evaluate


CEL = {
    "and": " && ",
    "segments": "segments.exists(segment, segment in {})",
    "items": "items.exists(item, item.category in {} && item.total > 0)",
}
ZEN = {
    "and": " and ",
    "segments": "some(segments, # in {})",
    "items": "some(items, #.category in {} and #.total > 0)",
}


def expression(rule: dict[str, Any], words: dict[str, str]) -> str:
    """What a rule gives in hundredths of the unit's smallest step, or -1."""
    return f"{words['and'].join(tests(rule, words)) or 'true'} ? {amount(rule)} : -1"


def tests(rule: dict[str, Any], words: dict[str, str]) -> list[str]:
    from datetime import datetime

    from rewards.program.vocabulary import WEEKDAYS

    when, found = rule["when"], []
    if merchants := when.get("merchants"):
        found.append(f"merchant in {merchants}")
    if currencies := when.get("currencies"):
        found.append(f"order_currency in {currencies}")
    if starts_at := when.get("starts_at"):
        found.append(f"at >= {int(datetime.fromisoformat(starts_at).timestamp())}")
    if ends_at := when.get("ends_at"):
        found.append(f"at < {int(datetime.fromisoformat(ends_at).timestamp())}")
    if weekdays := when.get("weekdays"):
        found.append(f"weekday in {[WEEKDAYS.index(day) for day in weekdays]}")
    if least := when.get("min_order_total"):
        found.append(f"order_total >= {int(least) * 100}")
    if segments := when.get("segments"):
        found.append(words["segments"].format(segments))
    if items := rule.get("items"):
        found.append(words["items"].format(items["categories"]))
    if rule["reward"]["kind"] == "share":
        found.append(f"currency == '{rule['unit']}'")
    return found


def amount(rule: dict[str, Any]) -> str:
    reward = rule["reward"]
    if reward["kind"] == "fixed":
        return f"{reward['points']} * 100"
    if reward["kind"] == "share":
        return f"{reward['percent']} * commission"
    return f"{reward['points']} * order_total"


def plain(facts: Any) -> dict[str, Any]:
    """An order as the libraries take it: what our own expressions see of it."""
    report = facts.report
    return {
        "merchant": report.merchant,
        "account": report.account,
        "status": report.status,
        "category": report.category,
        "currency": report.currency,
        "order_currency": report.order_currency,
        "order_total": report.order_total,
        "commission": report.commission,
        "country": facts.country,
        "channel": facts.channel,
        "at": int(report.attributed_at.timestamp()),
        "weekday": report.attributed_at.weekday(),
        "segments": list(facts.about.segments),
        "items": [
            {
                "identifier": line.identifier,
                "sku": line.sku,
                "category": line.categories[0],
                "quantity": line.quantity,
                "amount": line.amount,
                "total": line.total,
                "commission": line.commission,
            }
            for line in report.lines
        ],
    }


def chosen(given: Sequence[tuple[dict[str, Any], int]]) -> Awards:
    """The first base and every bonus of each unit, rounded down as a running sum."""
    awards, based = {}, set()
    sums: dict[str, int] = {}
    for rule, hundredths in given:
        if hundredths < 0:
            continue
        unit = rule["unit"]
        if rule["group"] == "base":
            if unit in based:
                continue
            based.add(unit)
        before = sums.get(unit, 0)
        sums[unit] = before + hundredths
        awards[rule["key"]] = sums[unit] // 100 - before // 100
    return awards


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
