"""Seeded corruptions of copies of a database, each of which must be found and named.

`make corruptions`. A history of everything is written to an empty database: a SQLite
file, or with --postgres a PostgreSQL. Then, on a fresh copy each time, past triggers
and constraints, one row is changed, deleted or put twice, or several that make up for
each other, or a rule of the database itself is taken away. The checks are asked in
turn, and the table at the end says which of them found it first.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from random import Random

from tests import postgres

NUMBER, SHORT, SEED = 200, 10, 5
STEPS, SHORT_STEPS = 150, 60


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corruptions")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} only")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--number", type=int, help="so many instead")
    parser.add_argument("--postgres", action="store_true", help="not on SQLite")
    options = parser.parse_args(arguments)
    number = options.number or (SHORT if options.short else NUMBER)
    steps = SHORT_STEPS if options.short else STEPS
    with database(postgres=options.postgres):
        return int(bool(try_all(number, seed=options.seed, steps=steps)))


@contextmanager
def database(*, postgres: bool) -> Iterator[None]:
    """An empty database of this process's own, with Django set up for it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "loyalty_site.settings",
            "ENV_FILE": os.devnull,
            "DATA_DIR": folder,
            "DATABASE_URL": "",
            "DEBUG": "true",
            "SECRET_KEY": "corruptions-" + "x" * 50,
            "BUTTON_WEBHOOK_SECRETS": "corruptions",
        }
        with _server(wanted=postgres):
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield


@contextmanager
def _server(*, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with postgres.server() as url:
        os.environ["DATABASE_URL"] = url
        yield


def try_all(number: int, *, seed: int, steps: int) -> int:
    """Try so many corruptions; how many nothing found."""
    from benchmarks.corruptions.choosing import chosen
    from benchmarks.corruptions.copies import Copies
    from benchmarks.corruptions.finding import found
    from benchmarks.corruptions.history import write

    write(seed, steps)
    copies = Copies()
    copies.renew()
    if broken := [name for name, _ in found()]:
        raise AssertionError(f"the history itself is broken: {broken}")
    finders: Counter[tuple[str, str]] = Counter()
    for corruption in islice(chosen(copies, Random(seed)), number):
        finder = next((name for name, names in found() if names(corruption)), "")
        finders[corruption.table, finder or "NOT FOUND"] += 1
        if not finder:
            print(f"not found: {corruption}", flush=True)
    for (table, finder), times in sorted(finders.items()):
        print(f"{times:5}  {table:16} {finder}")
    missed = sum(t for (_, finder), t in finders.items() if finder == "NOT FOUND")
    print(f"{number - missed} of {number} corruptions were found and named")
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
