"""What a member reads of a receipt: the same truth, in words, and no secret of ours."""

import re
from datetime import timedelta

import pytest

from rewards.decisions import decide_account
from rewards.models import NetworkAccount, Settlement, Unit
from rewards.pages.activity import in_rows
from rewards.reports import LineItem
from rewards.settling.due import settle_due
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    fixed,
    make_member,
    per_amount,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db
LAMP = LineItem(
    description="Desk lamp", sku="L-9", categories=("LIGHTING",), quantity=2,
    total=5000, commission=250,
)  # fmt: skip
SHADE = LineItem(description="Shade", categories=("SHADES",), quantity=1, total=3100)
CORD = LineItem(sku="CORD", quantity=1, total=1000, commission=10)
LINES = (LAMP, SHADE, CORD)
LIGHTS = {"items": {"categories": ["lighting"]}}


def get_page(key="btnorder-1"):
    return sign_in("alice").get(f"/activity/{purchase(key).pk}/")


def read_page(key="btnorder-1") -> str:
    return text_of(get_page(key)).replace("\xa0", " ")


def told(*rules, **changes) -> str:
    """What the page says of an order under these rules."""
    publish_program(*rules)
    settle_reports(report(**changes))
    return read_page()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"reward": fixed("250")},
            "250 points 250 points for your order.",
        ),
        (
            {"reward": per_amount("2")},
            "182 points 2 points for each $1.00 of your order of $91.00.",
        ),
        (
            {"reward": per_amount("5", "10", whole=True)},
            "45 points 5 points for each full $10.00 of your order of $91.00.",
        ),
        (
            {"reward": per_amount("2"), **LIGHTS},
            "100 points 2 points for each $1.00 of $50.00, on 1 of 3 items: Desk lamp.",
        ),
        (
            {"reward": fixed("7"), "items": {"skus": ["CORD", "L-9"]}},
            "7 points 7 points for your order, on 2 of 3 items: Desk lamp, CORD.",
        ),
        (
            {"unit": "USD", "reward": share("2.5", of="order_total")},
            "$2.27 2.5 % of your order of $91.00, rounded down.",
        ),
        (
            {"group": "bonus", "reward": {"kind": "top_up", "points": "120"}},
            "120 points Raises your reward to 120 points at least.",
        ),
        (
            {"unit": "USD", "reward": fixed("1.5")},
            "$1.50 $1.50 for your order.",
        ),
    ],
)
def test_each_reward_says_how_it_came(changes, said):
    page = told(rule(label="Offer", **changes), lines=LINES)
    assert f"Offer {said}" in page


def test_a_multiplier_says_what_it_adds():
    triple = {"kind": "multiplier", "factor": "3"}
    page = told(rule(), rule("more", group="bonus", label="Offer", reward=triple))
    assert "Offer 182 points What your basic reward times 3 adds to it." in page


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "USD", "reward": share("37")},
        {"reward": per_amount("37", of="commission")},
        {"unit": "USD", "reward": share("37"), **LIGHTS},
        {"unit": "USD", "reward": share("37"), "limits": {"per_order": 50}},
        {"unit": "USD", "reward": share("0.01")},
        {"unit": "USD", "reward": share("37"), "when": {"weekdays": ["monday"]}},
    ],
)
def test_what_the_store_pays_us_stays_with_us(changes):
    publish_program(rule(), rule("share", group="bonus", label="Offer", **changes))
    settle_reports(report(lines=LINES))
    page = read_page()
    assert "Offer" in page
    assert not re.search(r"37|4\.55|455|2\.5|250|commission", page)


def test_a_share_that_a_limit_cut_does_not_say_what_it_would_have_been():
    page = told(
        rule(
            *("half",), label="Offer", unit="USD",
            reward=share("50"), limits={"per_order": 100},
        )
    )  # fmt: skip
    assert (
        "Offer $1.00 A share of what the store pays us for your order."
        " This offer gives at most $1.00 for one order. By edition"
    ) in page


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"per_order": 40}, "40 points {} This offer gives at most 40 points for one"
         " order: 40 of 91 points were added."),
        ({"budget": 100}, "9 points {} All that this offer had to give is given:"
         " 9 of 91 points were added."),
        *(
            (
                {"per_member": {"amount": 100, "period": period}},
                f"9 points {{}} You reached the {word}limit of 100 points for this"
                " offer: 9 of 91 points were added.",
            )
            for period, word in (
                *(("day", "daily "), ("week", "weekly "), ("month", "monthly ")),
                *(("year", "yearly "), ("ever", "")),
            )
        ),
    ],
)  # fmt: skip
def test_a_limit_says_what_it_left(limits, said):
    publish_program(rule(label="Offer", limits=limits))
    settle_reports(report(order_id="btnorder-0", transaction_id="tx-0"))
    settle_reports(report())
    how = "1 point for each $1.00 of your order of $91.00."
    page = read_page()
    assert f"Offer {said.format(how)}" in page
    if "budget" in limits:
        assert "100" not in page.replace("$91.00", "")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            {"per_member": {"amount": 91, "period": "month"}},
            "You reached the monthly limit of 91 points for this offer:"
            " 0 of 91 points were added.",
        ),
        (
            {"per_member_count": 1},
            "This offer is for 1 order of a member, and you have had it:"
            " 0 of 91 points were added.",
        ),
    ],
)
def test_a_limit_that_left_nothing_is_a_reason_for_nothing(limits, said):
    publish_program(rule(label="Offer", limits=limits))
    settle_reports(report(order_id="btnorder-0", transaction_id="tx-0"))
    settle_reports(report())
    page = read_page()
    assert f"Rules that gave nothing Offer {said}" in page


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"when": {"weekdays": ["sunday", "saturday"]}},
            "It is for orders made on a Sunday or Saturday; this one is of a Tuesday.",
        ),
        (
            {"when": {"weekdays": ["tuesday"], "time_zone": "Pacific/Kiritimati"}},
            "It is for orders made on a Tuesday; this one is of a Wednesday.",
        ),
        (
            {"items": {"categories": ["BOOKS", "TOYS"]}},
            "It is for items in BOOKS or TOYS, and none of yours counts.",
        ),
        (
            {"items": {"skus": ["SECRET-1"]}},
            "It is for certain items, and none of yours counts.",
        ),
    ],
)
def test_a_reason_says_what_was_missing(changes, reason):
    page = told(
        rule(), rule("other", group="bonus", label="Offer", **changes), lines=LINES
    )
    assert f"Offer {reason}" in page
    assert "SECRET" not in page


def test_items_that_the_store_did_not_tell_are_a_reason():
    page = told(rule(), rule("other", group="bonus", label="Offer", **LIGHTS))
    assert "It is for certain items, and the store did not tell us yours." in page


@pytest.mark.parametrize("scope", ["ever", "merchant"])
def test_a_first_order_is_only_the_first(scope):
    first = {"first_purchase": scope}
    publish_program(rule(), rule("first", group="bonus", label="Offer", when=first))
    settle_reports(report())
    settle_reports(report(order_id="btnorder-2", transaction_id="tx-2"))
    where = " at this store" if scope == "merchant" else ""
    assert "Offer 91 points" in read_page()
    assert f"Offer It is for a first order{where}; you had one before." in (
        read_page("btnorder-2")
    )


@pytest.mark.parametrize(
    "when",
    [
        {"segments": ["whales"]},
        {"accounts": ["acc-2"]},
        {"countries": ["NL"]},
        {"channels": ["app"]},
        {"expression": "purchase.commission > 100000"},
        {"merchant_categories": ["WHALES"]},
        {"order_categories": ["existing-user-order"]},
        {"segments": ["whales"], "currencies": ["USD"], "min_order_total": "500"},
        {"merchants": ["org-other"], "expression": "purchase.commission > 100000"},
    ],
)
def test_a_rule_that_missed_on_what_is_ours_to_know_is_not_told(when):
    page = told(rule(), rule("other", group="bonus", label="Hidden offer", when=when))
    assert "Hidden offer" not in page
    assert "Rules that gave nothing" not in page


def test_a_secret_condition_that_held_hides_nothing_else():
    make_member("alice", segments=["whales"])
    when = {"segments": ["whales"], "currencies": ["USD"], "min_order_total": "500"}
    page = told(rule(), rule("other", group="bonus", label="Offer", when=when))
    assert "Offer It is for orders of at least $500.00; this one is $91.00." in page
    assert "whales" not in page


def test_times_are_those_of_the_rules_own_zone():
    page = told(
        rule(),
        rule("over", group="bonus", when={"ends_at": "2026-11-01T00:00:00-04:00"}),
    )
    assert "before 1 November 2026, 04:00 (UTC)" in page


def test_a_hold_is_announced_then_dated_then_over():
    publish_program(rule(label="Offer", hold_days=14))
    settle_reports(report())
    assert "Available 14 days after the store confirms the order." in read_page()
    settle_reports(report(status="validated", validated_at=ORDERED, modified_at=NOW))
    page = read_page()
    assert "Available from Nov. 24, 2026 on." in page
    assert "Confirmed The store confirmed your order." in page
    assert "All of it is available from Nov. 24, 2026 on." in page
    settle_due(at=ORDERED + timedelta(days=14))
    page = read_page()
    assert "Available All of your reward is available now." in page


def test_a_hold_that_goes_on_is_not_told_as_ended():
    publish_program(rule(hold_days=14))
    settle_reports(report(status="validated", validated_at=NOW))
    account = NetworkAccount.objects.get()
    decide_account(account, rewarding=True, reason="Ours.", by=None, at=NOW)
    page = read_page()
    assert "We worked it out again. Your reward stays the same." in page
    assert "available now" not in page


def test_why_an_account_is_left_out_stays_with_staff():
    publish_program()
    settle_reports(report())
    account = NetworkAccount.objects.get()
    decide_account(account, rewarding=False, reason="A test.", by=None, at=NOW)
    page = read_page()
    assert "It came in a way that earns nothing." in page
    assert not re.search("[Ss]taff|account", page)


def test_two_holds_end_one_after_the_other():
    publish_program(rule(hold_days=1), rule("more", group="bonus", hold_days=2))
    settle_reports(report(status="validated", validated_at=NOW))
    settle_due(at=NOW + timedelta(days=1))
    settle_due(at=NOW + timedelta(days=2))
    page = read_page()
    first = page.index("A part of your reward is available now.")
    assert first < page.index("All of your reward is available now.")


def state_told(*, at) -> tuple[str, str, str]:
    [row] = in_rows([purchase()], Unit.objects.in_bulk(), at=at)
    return str(row.state.word), str(row.state.sentence), str(row.note)


@pytest.mark.parametrize(
    ("days", "word", "sentence", "note"),
    [
        (13, "Pending", "not available yet", "all available from Nov. 24, 2026 on"),
        (14, "Available", "Yours to use.", ""),
    ],
)
def test_a_held_reward_is_pending_until_its_day(days, word, sentence, note):
    publish_program(rule(hold_days=14))
    settle_reports(report(status="validated", validated_at=ORDERED))
    found = state_told(at=ORDERED + timedelta(days=days))
    assert (found[0], found[2]) == (word, note)
    assert sentence in found[1]


def test_a_reward_that_is_held_in_part_is_available_in_part():
    publish_program(rule(), rule("more", group="bonus", hold_days=14))
    settle_reports(report(status="validated", validated_at=ORDERED))
    word, sentence, note = state_told(at=NOW)
    assert (word, note) == ("Available", "all available from Nov. 24, 2026 on")
    assert "A part is yours" in sentence


def test_an_edition_that_a_rerun_chose_is_not_said_to_have_held():
    publish_program()
    settle_reports(report())
    settlement = purchase().settlement
    [award] = settlement.awards.all()
    settlement.pk, settlement.pinned = None, True
    settlement.save(force_insert=True)
    award.pk, award.settlement = None, Settlement.objects.latest("pk")
    award.save(force_insert=True)
    row = purchase()
    row.settlement = award.settlement
    row.save()
    page = read_page()
    assert "which we chose to apply to this order later on" in page
    assert "which held on" not in page


def test_what_rounds_to_nothing_says_so():
    page = told(rule(label="Offer"), order_total=99)
    assert "No rule gave anything for this order." in page
    assert "Offer What it gives for this order rounds to nothing." in page


def test_a_store_that_is_unknown_is_no_blank():
    page = told(
        rule(), rule("other", group="bonus", when={"merchants": [MERCHANT]}),
        merchant="", merchant_name="",
    )  # fmt: skip
    assert "Unknown store" in page
