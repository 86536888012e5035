"""The program file: every field that a rule can have, and what it may hold.

The one definition of the vocabulary. Import, admin forms and publishing all read the
draft through it, and an edition stores its JSON.
"""

import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from merchants.currencies import EXPONENTS
from rewards.program.faults import Vocabulary, shown
from rewards.program.values import (
    PATTERNS,
    Code,
    Currency,
    Format,
    Id,
    Instant,
    Key,
    Label,
    Number,
    Positive,
    Text,
    UnitCode,
    Zone,
)


class ProgramError(Exception):
    """The program is wrong. Its lines name the rule, the field and the mend."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Worth(_Strict):
    """What one unit is worth in money, for reports."""

    amount: Positive
    currency: Currency


class Unit(_Strict):
    """What is counted. A currency's code makes it a currency unit."""

    code: UnitCode
    name: Text
    name_plural: Text
    decimals: Annotated[int, Field(ge=0, le=6)]
    rounding: Literal["floor", "ceil", "half_up", "half_even"]
    value: Worth | None = None

    @model_validator(mode="after")
    def _currency_has_its_own_decimals(self) -> "Unit":
        decimals = EXPONENTS.get(self.code, self.decimals)
        if decimals != self.decimals:
            raise PydanticCustomError(
                "decimals",
                "must be {decimals}, as {code} has",
                {"field": "decimals", "code": self.code, "decimals": decimals},
            )
        return self


class When(_Strict):
    """Conditions. All must hold; an absent or empty one holds."""

    merchants: list[Id] = []
    currencies: list[Currency] = []
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    min_order_total: Number | None = None
    max_order_total: Number | None = None

    @model_validator(mode="after")
    def _can_ever_hold(self) -> "When":
        totals = [t for t in (self.min_order_total, self.max_order_total) if t]
        if totals and not self.currencies:
            raise _wrong("currencies", "must say which, since an order total is in one")
        if len(totals) == 2 and Decimal(totals[0]) > Decimal(totals[1]):
            raise _wrong("max_order_total", "must not be below min_order_total")
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise _wrong("ends_at", "must be after starts_at")
        return self


def _wrong(field: str, said: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", said, {"field": field})


Amount = Literal["order_total", "commission"]


class Fixed(_Strict):
    """The same for every order with something left to reward."""

    kind: Literal["fixed"]
    points: Positive


class PerAmount(_Strict):
    """``points`` for each ``per`` (major units) of an amount."""

    kind: Literal["per_amount"]
    points: Positive
    per: Positive
    of: Amount
    whole: bool = False


class Share(_Strict):
    """A percentage of an amount, into the unit of that amount's currency."""

    kind: Literal["share"]
    percent: Positive
    of: Amount


class Rule(_Strict):
    """One rule: when it holds, and what it then gives."""

    key: Key
    label: Label
    group: Literal["override", "base", "bonus"]
    unit: Code
    when: When = When()
    reward: Annotated[Fixed | PerAmount | Share, Field(discriminator="kind")]


class Program(_Strict):
    """Everything: units, and rules in order of precedence."""

    format: Format
    time_zone: Zone = "UTC"
    units: list[Unit] = []
    rules: list[Rule] = []


_WORDS = Vocabulary(
    parts={
        (): Program,
        ("units",): Unit,
        ("units", "value"): Worth,
        ("rules",): Rule,
        ("rules", "when"): When,
        ("rules", "reward", "fixed"): Fixed,
        ("rules", "reward", "per_amount"): PerAmount,
        ("rules", "reward", "share"): Share,
    },
    later={
        ("rules",): ("items", "limits", "expires_after_days", "hold_days"),
        ("rules", "when"): (
            "merchant_categories",
            "order_categories",
            "countries",
            "channels",
            "accounts",
            "weekdays",
            "time_zone",
            "segments",
            "first_purchase",
            "expression",
        ),
        ("rules", "reward", "kind"): ("multiplier", "top_up"),
    },
    patterns=PATTERNS,
)


def parse(data: object) -> Program:
    """Check a program given as plain data.

    Raises ProgramError with one line for each thing that is wrong.
    """
    try:
        program = Program.model_validate(data)
    except ValidationError as error:
        raise ProgramError(_WORDS.lines(data, error)) from None
    if lines := list(_contradictions(program)):
        raise ProgramError(lines)
    return program


def parse_text(text: str) -> Program:
    """Check a program file's text. Raises ProgramError."""
    try:
        data = json.loads(
            text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant
        )
    except RecursionError:
        raise ProgramError(["not a program file: it is nested too deeply"]) from None
    except ValueError as error:
        raise ProgramError([f"not a JSON file: {error}"]) from None
    return parse(data)


def dump(program: Program) -> dict[str, Any]:
    """The program as plain data; parsing it again gives the same program."""
    return {
        "format": 1,
        "time_zone": program.time_zone,
        "units": [_dump(unit) for unit in program.units],
        "rules": [_dump(rule) for rule in program.rules],
    }


def _dump(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} stands twice in one object")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _contradictions(program: Program) -> Iterable[str]:
    units = {unit.code for unit in program.units}
    for code in _repeated(unit.code for unit in program.units):
        yield f'unit "{code}": stands twice'
    for key in _repeated(rule.key for rule in program.rules):
        yield f'rule "{key}": stands twice; a key names one rule'
    for rule in program.rules:
        if rule.unit not in units:
            known = ", ".join(sorted(units)) or "none"
            yield f'rule "{rule.key}": unit: "{rule.unit}" is unknown; known: {known}'
        elif rule.reward.kind == "share" and rule.unit not in EXPONENTS:
            yield (
                f'rule "{rule.key}": reward: a share goes into a currency unit,'
                f' and "{rule.unit}" is none; per_amount gives points'
            )


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
