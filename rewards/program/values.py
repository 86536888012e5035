"""What single fields of the program file may hold."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    FailFast,
    Field,
    StringConstraints,
    Tag,
)
from pydantic_core import PydanticCustomError

from merchants.currencies import EXPONENTS
from rewards.instants import parse_rfc3339
from rewards.program import expressions
from rewards.program.expressions import ExpressionError


def _currency(code: str) -> str:
    if code not in EXPONENTS:
        raise PydanticCustomError(
            "currency", "must be an ISO 4217 currency code such as USD"
        )
    return code


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # read from many files


def _time_zone(name: str) -> str:
    if name not in _zones():
        raise PydanticCustomError(
            "zone", "must be an IANA time zone such as America/New_York"
        )
    return name


def _positive(text: str) -> str:
    if not Decimal(text):
        raise PydanticCustomError("positive", "must be above zero")
    return text


def _instant(text: object) -> datetime:
    if not isinstance(text, str):
        raise PydanticCustomError(
            "instant", 'must be a time in quotes, such as "2026-11-01T00:00:00-05:00"'
        )
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise PydanticCustomError("instant", str(error)) from None


def _factor(text: str) -> str:
    if Decimal(text) < 1:
        raise PydanticCustomError(
            "factor", "must be at least 1: a multiplier adds to the base award"
        )
    return text


def _expression(text: str) -> str:
    try:
        expressions.compiled(text)
    except ExpressionError as error:
        raise PydanticCustomError(
            "expression", "{said}", {"said": str(error)}
        ) from None
    return text


def _supported(number: int) -> int:
    if number != 1:
        raise PydanticCustomError("format", "must be 1")
    return number


def _unit_code(code: str) -> str:
    if code.upper() in EXPONENTS and code not in EXPONENTS:
        raise PydanticCustomError(
            "code",
            "looks like a currency; write {currency}",
            {"currency": code.upper()},
        )
    return code


def _sorted(texts: dict[str, str]) -> dict[str, str]:
    return dict(sorted(texts.items()))


def _label_kind(label: object) -> str:
    return "languages" if isinstance(label, dict) else "text"


PATTERNS = {  # and what to say of a text that does not match
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$": "must have 1 to 64 letters, digits, - and _,"
    " and begin with a letter or digit",
    "^[A-Za-z][A-Za-z0-9_-]{0,31}$": "must have 1 to 32 letters, digits, - and _,"
    " and begin with a letter",
    r"^[^\x00-\x1f\x7f]*$": "must be one line, without control characters",
    r"^[0-9]{1,12}(\.[0-9]{1,8})?$": 'must be a decimal string such as "1.50",'
    " with at most 12 digits before the point and 8 after it",
    "^[a-z]{2,3}(-[A-Za-z0-9]+)*$": "must be a language code such as en or pt-BR",
    "^[A-Za-z]{2}$": "must be a country code of two letters such as US",
    r"^[^=\x00-\x1f\x7f]+=[^\x00-\x1f\x7f]*$": "must be written key=value",
}
_KEY, _CODE, _LINE, _NUMBER, _LANGUAGE, _COUNTRY, _PAIR = PATTERNS

_T = TypeVar("_T")
MOST_LISTED = 5_000
Listed = Annotated[list[_T], FailFast(), Field(max_length=MOST_LISTED)]
"""Of one wrong value in a list is told; the others are likely to be the same."""

Format = Annotated[int, AfterValidator(_supported)]
Key = Annotated[str, StringConstraints(pattern=_KEY)]
Code = Annotated[str, StringConstraints(pattern=_CODE)]
UnitCode = Annotated[Code, AfterValidator(_unit_code)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_LINE)]
Number = Annotated[str, StringConstraints(pattern=_NUMBER)]
Positive = Annotated[Number, AfterValidator(_positive)]
Factor = Annotated[Number, AfterValidator(_factor)]
Country = Annotated[str, StringConstraints(pattern=_COUNTRY)]
Attribute = Annotated[str, StringConstraints(max_length=255, pattern=_PAIR)]
Expression = Annotated[
    str, StringConstraints(min_length=1), AfterValidator(_expression)
]
Steps = Annotated[int, Field(ge=1, le=10**15)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Currency = Annotated[str, AfterValidator(_currency)]
Zone = Annotated[str, AfterValidator(_time_zone)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Language = Annotated[str, StringConstraints(pattern=_LANGUAGE)]
Texts = Annotated[dict[Language, Text], Field(min_length=1), AfterValidator(_sorted)]
Label = Annotated[
    Annotated[Text, Tag("text")] | Annotated[Texts, Tag("languages")],
    Discriminator(_label_kind),
]
