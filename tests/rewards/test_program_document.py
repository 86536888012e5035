"""What docs/program-file.md tells staff is what the vocabulary has."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from rewards.program import expressions, vocabulary

pytestmark = pytest.mark.once
TEXT = (Path(__file__).parents[2] / "docs" / "program-file.md").read_text("utf-8")
PARTS = (
    *(vocabulary.Unit, vocabulary.Rule, vocabulary.When, vocabulary.Items),
    *(vocabulary.Fixed, vocabulary.PerAmount, vocabulary.Share, vocabulary.Multiplier),
    *(vocabulary.TopUp, vocabulary.Limits, vocabulary.PerMember),
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("part", PARTS)
def test_every_field_is_described(part: type[BaseModel]) -> None:
    assert [name for name in part.model_fields if not described(name)] == []


@pytest.mark.parametrize("fact", expressions.FACTS)
def test_every_fact_is_described(fact: str) -> None:
    names = expressions.FACTS[fact]
    assert [name for name in names if not described(name)] == []


def described(name: str) -> bool:
    """Whether it stands somewhere as code, alone or within more of it."""
    return re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", TEXT) is not None


def test_its_program_is_one() -> None:
    (text,) = blocks("json")
    assert len(vocabulary.parse_text(text).rules) == 3


def test_its_expressions_are_some() -> None:
    (text,) = blocks("cel")
    for line in text.splitlines():
        expressions.compiled(line)
