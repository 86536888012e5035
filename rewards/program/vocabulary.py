"""The program file: every field that a rule can have, and what it may hold.

The one definition of the vocabulary. Import, admin forms and publishing all read the
draft through it, and an edition stores its JSON.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from merchants.currencies import EXPONENTS
from rewards.program import documents
from rewards.program.faults import ProgramError, Vocabulary
from rewards.program.values import (
    PATTERNS,
    Attribute,
    Code,
    Country,
    Currency,
    Days,
    Expression,
    Factor,
    Format,
    Id,
    Instant,
    Key,
    Label,
    Listed,
    Number,
    Positive,
    Steps,
    Text,
    UnitCode,
    Zone,
)

MOST_RULES, MOST_UNITS = 2_000, 100


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


Weekday = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
]
WEEKDAYS = get_args(Weekday)


class When(_Strict):
    """Conditions. All must hold; an absent or empty one holds."""

    merchants: Listed[Id] = []
    merchant_categories: Listed[Text] = []
    order_categories: Listed[Literal["new-user-order", "existing-user-order"]] = []
    currencies: Listed[Currency] = []
    countries: Listed[Country] = []
    channels: Listed[Literal["app", "webview"]] = []
    accounts: Listed[Id] = []
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    weekdays: Listed[Weekday] = []
    time_zone: Zone | None = None
    min_order_total: Number | None = None
    max_order_total: Number | None = None
    segments: Listed[Text] = []
    first_purchase: Literal["ever", "merchant"] | None = None
    expression: Expression | None = None

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


class Items(_Strict):
    """Which line items count: those that every list given here has something of."""

    categories: Listed[Text] = []
    skus: Listed[Id] = []
    gtins: Listed[Id] = []
    attributes: Listed[Attribute] = []


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


class Multiplier(_Strict):
    """``factor`` - 1 times the base award of the same unit, as granted."""

    kind: Literal["multiplier"]
    factor: Factor


class TopUp(_Strict):
    """Whatever the unit's other rules leave missing to ``points``."""

    kind: Literal["top_up"]
    points: Positive


class PerMember(_Strict):
    """The most that one member gets of a rule in a period."""

    amount: Steps
    period: Literal["day", "week", "month", "year", "ever"]


class Limits(_Strict):
    """The most a rule grants; amounts in the unit's smallest step.

    They belong to the rule's key, across editions.
    """

    per_order: Steps | None = None
    per_member: PerMember | None = None
    per_member_count: Steps | None = None
    budget: Steps | None = None


class Rule(_Strict):
    """One rule: when it holds, on which lines, what it then gives, and how much."""

    key: Key
    label: Label
    group: Literal["override", "base", "bonus"]
    unit: Code
    when: When = When()
    items: Items = Items()
    reward: Annotated[
        Fixed | PerAmount | Share | Multiplier | TopUp, Field(discriminator="kind")
    ]
    limits: Limits = Limits()
    expires_after_days: Days | None = None
    hold_days: Days | None = None


class Program(_Strict):
    """Everything: units, and rules in order of precedence."""

    format: Format
    time_zone: Zone = "UTC"
    units: Annotated[list[Unit], Field(max_length=MOST_UNITS)] = []
    rules: Annotated[list[Rule], Field(max_length=MOST_RULES)] = []


_WORDS = Vocabulary(
    parts={
        (): Program,
        ("units",): Unit,
        ("units", "value"): Worth,
        ("rules",): Rule,
        ("rules", "when"): When,
        ("rules", "items"): Items,
        ("rules", "reward", "fixed"): Fixed,
        ("rules", "reward", "per_amount"): PerAmount,
        ("rules", "reward", "share"): Share,
        ("rules", "reward", "multiplier"): Multiplier,
        ("rules", "reward", "top_up"): TopUp,
        ("rules", "limits"): Limits,
        ("rules", "limits", "per_member"): PerMember,
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
    return parse(documents.read(text))


def dump(program: Program) -> dict[str, Any]:
    """The program as plain data; parsing it again gives the same program."""
    return {
        "format": 1,
        "time_zone": program.time_zone,
        "units": [_dump(unit) for unit in program.units],
        "rules": [_dump(rule) for rule in program.rules],
    }


def digest(content: dict[str, Any]) -> str:
    """Names a program's plain data: the same program, the same digest."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _dump(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)


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
