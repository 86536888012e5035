"""Publishing: immutable, numbered, and certain before anybody is paid by it."""

from datetime import timedelta

import pytest
from django.test import override_settings

from rewards.models import Edition, Rule, Unit
from rewards.program import draft, editions, vocabulary
from rewards.program.editions import Editions
from rewards.program.vocabulary import ProgramError
from tests.builders import (
    DOLLARS,
    NOW,
    POINTS,
    make_member,
    program,
    publish_program,
    report,
    rule,
    settle_reports,
)

pytestmark = pytest.mark.django_db
MARGIN = timedelta(seconds=300)


def refused(**kwargs: object) -> str:
    before = Edition.objects.count()
    with pytest.raises(ProgramError) as error:
        publish_program(**kwargs)  # type: ignore[arg-type]
    assert Edition.objects.count() == before
    return str(error.value)


def test_the_first_edition_holds_from_the_beginning_of_time() -> None:
    first = publish_program()
    assert (first.number, first.effective_from) == (1, None)
    assert Editions.load().at(NOW - timedelta(days=9999)) == first.pk


def test_the_first_edition_may_begin_in_the_past() -> None:
    first = publish_program(at=NOW - timedelta(days=1))
    assert Editions.load().at(NOW) == first.pk
    assert Editions.load().at(NOW - timedelta(days=2)) is None


def test_a_later_edition_takes_effect_after_the_margin() -> None:
    first, second = publish_program(), publish_program()
    assert second.effective_from == NOW + MARGIN
    known = Editions.load()
    assert known.at(NOW + MARGIN - timedelta(seconds=1)) == first.pk
    assert known.at(NOW + MARGIN) == second.pk


def test_a_later_edition_may_not_begin_earlier() -> None:
    publish_program()
    assert "too early" in refused(at=NOW + MARGIN - timedelta(seconds=1))


def test_an_edition_begins_on_a_whole_second() -> None:
    publish_program()
    second = publish_program(now=NOW + timedelta(microseconds=1))
    assert second.effective_from == NOW + MARGIN + timedelta(seconds=1)


def test_one_edition_is_scheduled_at_most() -> None:
    publish_program()
    publish_program(at=NOW + timedelta(days=1))
    assert "edition 2 is scheduled" in refused()


def test_a_scheduled_edition_can_be_withdrawn_until_its_margin() -> None:
    first = publish_program()
    second = publish_program(at=NOW + timedelta(days=1))
    with pytest.raises(ProgramError, match="already holds"):
        editions.withdraw(second, now=NOW + timedelta(days=1) - MARGIN)
    editions.withdraw(second, now=NOW)
    assert Editions.load().at(NOW + timedelta(days=2)) == first.pk
    assert publish_program().number == 3


def test_an_edition_that_holds_cannot_be_withdrawn() -> None:
    first = publish_program()
    with pytest.raises(ProgramError, match="already holds"):
        editions.withdraw(first, now=NOW)
    first.refresh_from_db()
    assert first.withdrawn_at is None


def test_an_empty_draft_is_no_edition() -> None:
    with pytest.raises(ProgramError, match="no rules"):
        editions.publish(now=NOW)
    assert not Edition.objects.exists()


@pytest.mark.parametrize("gate", ["REQUIRE_APPROVAL", "REQUIRE_BACKTEST"])
def test_a_gate_that_nothing_can_open_yet_stays_shut(gate: str) -> None:
    with override_settings(**{gate: True}):
        assert gate in refused()


def test_an_edition_is_the_whole_draft_and_does_not_follow_it() -> None:
    first = publish_program(rule("one"), rule("two"))
    Rule.objects.filter(key="two").delete()
    first.refresh_from_db()
    assert [one["key"] for one in first.content["rules"]] == ["one", "two"]


def test_a_draft_is_known_to_be_unpublished() -> None:
    assert draft.unpublished()
    publish_program()
    assert not draft.unpublished()
    Rule.objects.update(label="Another")
    assert draft.unpublished()


def test_export_and_import_are_each_other_s_inverse() -> None:
    data = program(rule("one", label={"en": "One", "es": "Uno"}), rule("two"))
    draft.replace(vocabulary.parse(data))
    once = draft.export()
    draft.replace(vocabulary.parse(once))
    assert draft.export() == once


def test_an_import_replaces_all_or_nothing() -> None:
    publish_program()
    settle_reports(report())
    coarse = POINTS | {"decimals": 2}
    changed = vocabulary.parse(program(rule("other"), units=[coarse, DOLLARS]))
    with pytest.raises(ProgramError, match="members hold it with 0 decimals"):
        draft.replace(changed)
    assert [one["key"] for one in draft.export()["rules"]] == ["base"]


def test_a_unit_that_leaves_the_draft_stays_in_the_books() -> None:
    publish_program()
    make_member()
    draft.replace(vocabulary.parse(program(rule(), units=[POINTS])))
    assert Unit.objects.filter(in_draft=True).count() == 1
    assert Unit.objects.count() == 2
