"""Random programs and orders by the hundred thousand, and everything hostile.

`make rules-storm`. Ours against the tests' own evaluator, orders given back in random
steps, and the time it takes to refuse the worst that somebody may write. Exits with 1
on any difference, crash, or refusal that takes too long.
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any

from benchmarks.rules import set_up

CASES, SHORT = 100_000, 2_000
HOSTILE = 2_500
MOST_SECONDS = 0.1  # of processor time, to check one expression or file
CHUNK = 500


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a fiftieth of the cases")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    set_up()
    seed = int(time.time()) if options.seed is None else options.seed
    cases = SHORT if options.short else CASES
    print(f"seed {seed}")
    differing = [
        compare(name, cases, seed=seed) for name in ("difference", "split_difference")
    ]
    return int(any([*differing, hostile()]))


def compare(name: str, cases: int, *, seed: int) -> int:
    """How many random cases differ; the first one's seed is printed."""
    starts = range(0, cases, CHUNK)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(
            _compare, *zip(*[(name, seed, s) for s in starts], strict=True)
        )
        differing = [seed for seeds in found for seed in seeds]
    print(f"{name.replace('_', ' '):20} {cases:9,} cases, {len(differing)} differ")
    for one in differing[:1]:
        print(f"random.Random({one!r}) makes one")
    return len(differing)


def _compare(name: str, seed: int, start: int) -> list[str]:
    set_up()
    from tests.rewards import comparison

    differs: Callable[[Random], Any] = getattr(comparison, name)
    seeds = [f"{seed}-{n}" for n in range(start, start + CHUNK)]
    return [seed for seed in seeds if differs(Random(seed)) is not None]


def hostile() -> int:
    """How many hostile texts take too long to check; a crash ends the run."""
    from rewards.program import expressions, vocabulary
    from tests.rewards import hostile as corpus

    vocabulary.parse({"format": 1, "time_zone": "Europe/Madrid"})  # reads the zones
    gc.freeze()  # what was made before is no part of a check
    texts, files = corpus.expressions(HOSTILE), corpus.programs(HOSTILE)
    refusal, fault = expressions.ExpressionError, vocabulary.ProgramError
    return judge("expressions", texts, expressions.compiled, refusal) + judge(
        "files", files, vocabulary.parse_text, fault
    )


def judge(
    name: str,
    texts: Iterable[str],
    check: Callable[[str], Any],
    refusal: type[Exception],
) -> int:
    """How many of these took too long, told beside how many were refused."""
    refused, seconds = 0, []
    for text in texts:
        begun = time.process_time()
        try:
            check(text)
        except refusal:
            refused += 1
        seconds.append(time.process_time() - begun)
    late = sum(taken > MOST_SECONDS for taken in seconds)
    print(
        f"hostile {name:12} {len(seconds):9,} checked, {refused:,} refused, slowest"
        f" {max(seconds) * 1000:.0f} ms, {late} over {MOST_SECONDS * 1000:.0f} ms"
    )
    return late


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
