"""The draft's rules in plain words, for lists and pages."""

from collections.abc import Mapping
from typing import Any

from rewards.admin.wording import merchant_names
from rewards.program import draft, vocabulary, wording
from rewards.program.vocabulary import ProgramError


def draft_in_words() -> dict[str, str]:
    """Each rule of the draft as a sentence, by its key; a wrong one says its faults."""
    content = draft.raw()
    ids = {id for rule in content["rules"] for id in rule["when"].get("merchants", ())}
    names = merchant_names(ids)
    try:
        program = vocabulary.parse(content)
    except ProgramError:
        return {rule["key"]: _alone(rule, content, names) for rule in content["rules"]}
    return {
        rule.key: wording.sentence(rule, program=program, names=names)
        for rule in program.rules
    }


def in_words(
    program: vocabulary.Program, names: Mapping[str, str] | None = None
) -> str:
    """The one rule of a program as a sentence."""
    (rule,) = program.rules
    if names is None:
        names = merchant_names(rule.when.merchants)
    return wording.sentence(rule, program=program, names=names)


def _alone(rule: Any, content: dict[str, Any], names: Mapping[str, str]) -> str:
    """A rule of a draft that has faults, which may be another's."""
    try:
        return in_words(vocabulary.parse(content | {"rules": [rule]}), names)
    except ProgramError as error:
        return str(error)
