"""Check journal files without the program that wrote them: only Python is needed.

    python verify_seal.py journal-2026-11-19.jsonl journal-2026-11-20.jsonl ...

Every line is hashed as it stands, the seal of each day is compared with the one in its
file and with what the next day says was before it, and what members hold is added up
anew from the transfers. Exit 0: all of it is right; 1: something is not; 2: used
wrongly.
"""

import hashlib
import json
import sys
from collections import defaultdict

MEMBERS = ("pending", "available", "reserved", "debt")


class Wrong(Exception):
    """A file is not what was sealed; the message says where."""


def main(paths: list[str]) -> int:
    if not paths:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        check(sorted(paths, key=day_of))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Wrong as wrong:
        sys.stdout.write(f"WRONG  {wrong}\n")
        return 1
    return 0


def check(paths: list[str]) -> None:
    """Check the files in the order of their days."""
    before = None
    for path in paths:
        before = Day(path, before)
        before.read()
        said = f"{before.day}, {before.count} transfers, {before.digest}"
        sys.stdout.write(f"right  {said}\n")


def day_of(path: str) -> str:
    with open(path, "rb") as file:
        return str(parse(file.readline(), f"{path}, line 1", ()).get("day"))


class Day:
    """One journal file, read a line at a time, with the day before, if it is there.

    ``held`` is what members hold at its end, by unit and kind, as the file says;
    ``moved`` what its transfers say.
    """

    def __init__(self, path: str, before: "Day | None") -> None:
        self.path = self.where = path
        self.before = before
        self.day = self.digest = self.previous = ""
        self.hash = hashlib.sha256()
        self.columns: tuple[str, ...] = ()
        self.count = self.newest = self.announced = 0
        self.moved: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.held: dict[str, dict[str, int]] = {}

    def read(self) -> None:
        sealed = ""
        takers = {
            "day": self.take_head,
            "transfer": self.take_transfer,
            "figures": self.take_figures,
            "differences": self.take_differences,
        }
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, 1):
                self.where = f"{self.path}, line {number}"
                self.require(not sealed, "something follows the seal")
                content = parse(line, self.where, self.columns)
                kind = str(content.get("kind"))
                if kind == "seal":
                    sealed = str(content.get("digest"))
                    continue
                self.hash.update(line)
                self.require((number == 1) == (kind == "day"), "no head, or another")
                self.require(kind in takers, f"unknown kind {kind!r}")
                try:
                    takers[kind](content)
                except (AttributeError, KeyError, TypeError):
                    self.require(False, "not a line of a journal")
        self.finish(sealed)

    def take_head(self, line: dict) -> None:
        self.day, self.previous = line["day"], line["previous"]
        self.announced = line["transfers"]
        self.columns = tuple(line["columns"])
        if self.before:
            follows = self.previous == self.before.digest and self.day > self.before.day
            self.require(follows, f"it does not follow {self.before.day}")

    def take_transfer(self, line: dict) -> None:
        taken_from, given_to, amount = line["from"], line["to"], line["amount"]
        self.require(line["id"] > self.newest, "ids do not rise")
        self.require(type(amount) is int and amount > 0, "no amount")
        self.require(taken_from != given_to, "it moves nothing")
        self.newest, self.count = line["id"], self.count + 1
        for kind, change in ((taken_from, -amount), (given_to, amount)):
            # A debt is what went out of its account.
            self.moved[line["unit"], kind] += -change if kind == "debt" else change
        if "available" in (taken_from, given_to) or taken_from == "reserved":
            parts = sum(part[1] for part in line["draws"] + line["lots"])
            self.require(parts == amount, "its lots are another amount")

    def take_figures(self, line: dict) -> None:
        self.held = line["held"]
        for row in line["rows"]:
            total = sum(row["buckets"].values())
            where = f"the buckets of {row['account']}, {row['currency']}"
            right = total == row["commission"] and row["off"] == "0"
            self.require(right, f"{where}, do not add up")

    def take_differences(self, line: dict) -> None:
        for row in line["rows"]:
            listed = sum(order[1] for order in row["orders"]) + row["unexplained"]
            right = row["theirs"] - row["ours"] == row["difference"] == listed
            where = f"{row['account']}, {row['currency']}"
            self.require(right, f"the difference of {where} is another")

    def finish(self, sealed: str) -> None:
        self.where = self.path
        self.digest = self.hash.hexdigest()
        self.require(sealed == self.digest, f"the seal of {self.day} is broken")
        self.require(self.count == self.announced, "transfers are missing")
        if self.previous and self.before is None:
            return  # what was held before is in a file that was not given
        before = self.before.held if self.before else {}
        for unit in {*self.held, *before, *(unit for unit, _ in self.moved)}:
            for kind in MEMBERS:
                expected = before.get(unit, {}).get(kind, 0) + self.moved[unit, kind]
                found = self.held.get(unit, {}).get(kind, 0)
                said = f"{kind} {unit} are not what the transfers say"
                self.require(found == expected, said)

    def require(self, holds: bool, what: str) -> None:
        if not holds:
            raise Wrong(f"{self.where}: {what}")


def parse(line: bytes, where: str, columns: tuple[str, ...]) -> dict:
    """A line by its names; a list is a transfer, in the order of the columns."""
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if isinstance(content, list) and len(content) == len(columns):
        return {"kind": "transfer", **dict(zip(columns, content, strict=True))}
    if not isinstance(content, dict):
        raise Wrong(f"{where}: not a line of a journal")
    return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
