"""`verify_receipts` works stored awards out again, and finds what differs."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from rewards import reruns
from rewards.decisions import decide_account
from rewards.models import Award, Backtest, Edition, NetworkAccount, Settlement
from rewards.program.receipts import receipt
from rewards.tasks import verify_receipts
from tests.builders import (
    NOW,
    ORDERED,
    make_member,
    per_amount,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def settle_many() -> None:
    """Purchases of every kind: limited, held, adjusted, declined, nobody's, late."""
    make_member("alice", segments=["vip"])
    publish_program(
        rule("vip", when={"segments": ["vip"], "expression": "has(member.joined_at)"}),
        rule("half", unit="USD", hold_days=3, reward=share("33.3")),
        rule(
            "month",
            group="bonus",
            limits={"per_member": {"amount": 150, "period": "month"}},
        ),
    )
    for n in range(5):
        ids = {"order_id": f"btnorder-{n}", "transaction_id": f"tx-{n}"}
        settle_reports(report(**ids, order_total=9100 + n))
        settle_reports(report(**ids, status="validated", modified_at=NOW))
    settle_reports(report(order_id="x", transaction_id="tx-x", status="declined"))
    settle_reports(report(order_id="y", transaction_id="tx-y", customer_id=""))
    settle_reports(report(order_id="z", transaction_id="tx-z", category="app-install"))


def falsify(**changes: object) -> None:
    """Store an evaluation of the purchase that says something else."""
    [award] = purchase().settlement.awards.all()
    told = {name: getattr(award, name) for name in ("rule", "wanted", "granted", "why")}
    settlement = purchase().settlement
    settlement.pk = None
    settlement.save(force_insert=True)
    Award.objects.create(
        settlement=settlement,
        unit=award.unit,
        **{**told, "held_until": award.held_until, **changes},
    )
    row = purchase()
    row.settlement = settlement
    row.save()


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = 0
    try:
        call_command("verify_receipts", *arguments)
    except SystemExit as exit:
        code = exit.code
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("which", [(), ("--all",), ("--sample", "1000")])
def test_everything_that_was_settled_is_reproduced(which, capsys):
    settle_many()
    code, out, err = run(capsys, *which)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["8", "0"]
    assert verify_receipts() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "other"},
        {"granted": 90},
        {"wanted": 92},
        {"why": "1 per 1.00 of 91.01 USD"},
        {"held_until": NOW},
    ],
)
def test_one_bit_that_differs_is_found(changes, capsys):
    publish_program()
    settle_reports(report(), report(order_id="good", transaction_id="tx-2"))
    falsify(**changes)
    code, out, err = run(capsys)
    assert code == 1
    assert "1 differ" in " ".join(out.split())
    assert err.count("btnorder-1") == 1 and "good" not in err
    assert "again   base: 91 of 91 points (1 per 1.00 of 91.00 USD)" in err
    assert verify_receipts() == 1


def test_facts_that_were_changed_are_found(capsys):
    make_member("alice", segments=["vip"])
    publish_program(rule(when={"segments": ["vip"]}))
    settle_reports(report())
    settlement = purchase().settlement
    changed = Settlement(
        purchase=settlement.purchase,
        report=settlement.report,
        edition=Edition.objects.get(),
        member=settlement.member,
        facts={},
        settled_at=NOW,
    )
    changed.save()
    award = settlement.awards.get()
    award.pk, award.settlement = None, changed
    award.save(force_insert=True)
    row = purchase()
    row.settlement = changed
    row.save()
    code, _, err = run(capsys)
    assert code == 1
    assert "stored  base: 91 of 91 points" in err and "again " not in err


def test_a_rerun_and_its_undoing_are_reproduced(capsys):
    """Undone, the earlier awards are copies: their facts and limits are too."""
    limits = {"per_member": {"amount": 150, "period": "month"}}
    publish_program(rule(limits=limits, hold_days=3))
    for n in range(3):
        settle_reports(report(order_id=f"o-{n}", transaction_id=f"tx-{n}"))
    publish_program(
        rule(reward=per_amount("2")), now=NOW - DAY, at=NOW - timedelta(hours=1)
    )
    rerun = reruns.ask(
        edition=Edition.objects.get(number=2),
        start=ORDERED,
        end=NOW,
        reason="We promised twice as much.",
        by=None,
        at=NOW,
    )
    done = {"digest": "x", "content": {}, "asked_at": NOW, "finished_at": NOW}
    Backtest.objects.create(rerun=rerun, **done)
    reruns.apply(rerun, by=None, at=NOW)
    reruns.work(rerun, at=NOW)
    assert receipt(purchase("o-2")).pinned
    assert receipt(purchase("o-2")).rules[0].granted == 182
    assert run(capsys)[0] == 0
    reruns.undo(rerun, reason="We had not.", by=None, at=NOW)
    reruns.work(rerun, at=NOW)
    assert not receipt(purchase("o-1")).pinned
    assert receipt(purchase("o-1")).rules[0].granted == 59
    assert run(capsys)[0] == 0


def test_a_sample_is_no_larger_than_asked(capsys):
    settle_many()
    _, out, _ = run(capsys, "--sample", "3")
    assert out.split()[0] == "3"


def test_an_excluded_account_leaves_nothing_to_reproduce(capsys):
    publish_program()
    settle_reports(report(), at=ORDERED + timedelta(hours=1))
    account = NetworkAccount.objects.get()
    decide_account(account, rewarding=False, reason="a test", by=None, at=NOW)
    assert run(capsys)[0] == 0


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1.5", ""])
def test_wrong_use_is_refused(wrong):
    with pytest.raises(CommandError, match="a number above zero"):
        call_command("verify_receipts", f"--sample={wrong}")


@pytest.mark.parametrize("number", [2, 12])
def test_more_receipts_ask_no_more_queries(number, django_assert_num_queries):
    publish_program()
    for n in range(number):
        settle_reports(report(order_id=f"o-{n}", transaction_id=f"tx-{n}"))
    verify_receipts()  # compiles the edition
    with django_assert_num_queries(2):
        verify_receipts()


def test_an_account_that_rewards_again_later_changes_no_receipt_of_before(capsys):
    """A contradiction froze the order while its account was excluded."""
    publish_program(rule())
    final = {"status": "validated", "modified_at": NOW}
    settle_reports(report(**final))
    account = NetworkAccount.objects.get()
    decide_account(account, rewarding=False, reason="a test", by=None, at=NOW)
    settle_reports(report(**final | {"status": "declined"}))
    assert purchase().review
    decide_account(account, rewarding=True, reason="a test", by=None, at=NOW)
    assert run(capsys, "--all")[0] == 0
    assert receipt(purchase()).reproduced
