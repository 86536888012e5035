"""Publishing: immutable, numbered, and certain before anybody is paid by it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from rewards.models import Approval, Backtest, Budget, Edition, Rerun, Rule, Unit
from rewards.program import draft, editions, vocabulary
from rewards.program.editions import Editions
from rewards.program.vocabulary import ProgramError
from tests.builders import (
    DOLLARS,
    NOW,
    POINTS,
    balances,
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


@pytest.fixture
def draft_digest() -> str:
    """Names the program that these tests publish, tried by nobody yet."""
    draft.replace(vocabulary.parse(program()))
    return vocabulary.digest(draft.export())


def make_backtest(digest: str, **changes: Any) -> Backtest:
    """A finished one."""
    values = {"content": program(), "asked_at": NOW, "finished_at": NOW, **changes}
    return Backtest.objects.create(digest=digest, **values)


def make_approval(digest: str, **changes: Any) -> Approval:
    """One that was given."""
    values = {"asked_at": NOW, "approved_at": NOW, **changes}
    return Approval.objects.create(digest=digest, **values)


def test_a_shut_gate_is_refused_in_one_sentence() -> None:
    for gate in ("REQUIRE_APPROVAL", "REQUIRE_BACKTEST"):
        with override_settings(**{gate: True}):
            said = refused()
            assert said.startswith(f"{gate} is on")
            assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"finished_at": None},
        {"cancelled_at": NOW},
        {"error": "It broke."},
        {"digest": "of another draft"},
    ],
)
def test_a_backtest_that_shows_nothing_opens_no_gate(
    changes: dict[str, Any], draft_digest: str
) -> None:
    make_backtest(**{"digest": draft_digest, **changes})
    with override_settings(REQUIRE_BACKTEST=True):
        assert "no finished backtest" in refused()


def test_the_preview_of_a_rerun_opens_no_gate(draft_digest: str) -> None:
    edition = publish_program(rule("earlier"))
    rerun = Rerun.objects.create(
        edition=edition, start=NOW, end=NOW + MARGIN, reason="Why", asked_at=NOW
    )
    make_backtest(draft_digest, rerun=rerun)
    with override_settings(REQUIRE_BACKTEST=True):
        assert "no finished backtest" in refused()


def test_an_approval_that_is_only_asked_for_opens_no_gate(draft_digest: str) -> None:
    make_approval(draft_digest, approved_at=None)
    with override_settings(REQUIRE_APPROVAL=True):
        assert "nobody has approved" in refused()


@override_settings(REQUIRE_BACKTEST=True, REQUIRE_APPROVAL=True)
def test_what_opened_the_gates_stays_with_the_edition(draft_digest: str) -> None:
    backtest, approval = make_backtest(draft_digest), make_approval(draft_digest)
    edition = publish_program()
    assert (edition.backtest, edition.approval) == (backtest, approval)


def test_an_edit_shuts_the_gate_and_undoing_it_opens_it_again(
    draft_digest: str,
) -> None:
    make_backtest(draft_digest)
    with override_settings(REQUIRE_BACKTEST=True):
        assert "REQUIRE_BACKTEST" in refused_draft(label="Edited")
        Rule.objects.update(label="Base")
        editions.publish(now=NOW)


def refused_draft(**edit: Any) -> str:
    Rule.objects.update(**edit)
    with pytest.raises(ProgramError) as error:
        editions.publish(now=NOW)
    return str(error.value)


def test_without_gates_what_there_is_stays_with_the_edition_all_the_same(
    draft_digest: str,
) -> None:
    assert publish_program().backtest is None
    later = NOW + 2 * MARGIN
    backtest = make_backtest(draft_digest)
    assert publish_program(now=later).backtest == backtest


def test_a_budget_is_counted_from_the_first_edition_that_has_it() -> None:
    publish_program()
    settle_reports(report())
    assert not Budget.objects.exists()
    publish_program(rule(limits={"budget": 500}))
    assert list(Budget.objects.values_list("rule", "used")) == [("base", 91)]


def test_a_program_that_is_ended_pays_for_no_later_order() -> None:
    publish_program()
    settle_reports(report())
    end = editions.retire(now=NOW, note="We stop.")
    assert (end.number, end.effective_from) == (2, NOW + MARGIN)
    late = {"attributed_at": NOW + MARGIN, "order_id": "late", "transaction_id": "t"}
    settle_reports(report(**late), at=NOW + MARGIN)
    in_time = {"order_id": "in time", "transaction_id": "t-2"}
    settle_reports(report(**in_time), at=NOW + MARGIN)
    assert balances() == {("points", "pending"): 182}


def test_no_currency_is_missed_while_there_is_no_program() -> None:
    assert editions.pays_in("EUR", at=NOW)
    publish_program(rule(when={"currencies": ["USD"]}))
    assert not editions.pays_in("EUR", at=NOW)
    editions.retire(now=NOW)
    assert editions.pays_in("EUR", at=NOW + MARGIN)


def test_a_program_that_is_ended_begins_anew_by_publishing() -> None:
    publish_program()
    editions.retire(now=NOW)
    assert draft.unpublished()
    later = NOW + 2 * MARGIN
    anew = publish_program(now=later)
    assert Editions.load().at(later + MARGIN) == anew.pk


def test_only_a_program_that_pays_is_ended() -> None:
    with pytest.raises(ProgramError, match="no program to end"):
        editions.retire(now=NOW)
    publish_program()
    editions.retire(now=NOW)
    with pytest.raises(ProgramError, match="no program to end"):
        editions.retire(now=NOW + MARGIN)


@override_settings(REQUIRE_BACKTEST=True, REQUIRE_APPROVAL=True)
def test_ending_passes_no_gate() -> None:
    with override_settings(REQUIRE_BACKTEST=False, REQUIRE_APPROVAL=False):
        publish_program()
    assert editions.retire(now=NOW).retires


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
    with pytest.raises(ProgramError, match="amounts are kept with 0 decimals"):
        draft.replace(changed)
    assert [one["key"] for one in draft.export()["rules"]] == ["base"]


def test_a_unit_that_leaves_the_draft_stays_in_the_books() -> None:
    publish_program()
    make_member()
    draft.replace(vocabulary.parse(program(rule(), units=[POINTS])))
    assert Unit.objects.filter(in_draft=True).count() == 1
    assert Unit.objects.count() == 2
