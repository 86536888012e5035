"""Every page that we added to the admin, whoever asks for it, one by one."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from rewards.models import (
    Adjustment,
    Approval,
    Backtest,
    Bulk,
    Close,
    Edition,
    Endpoint,
    Freeze,
    Member,
    Message,
    Purchase,
    Redemption,
    Remittance,
    Rerun,
    Reward,
    Rule,
    Unit,
)
from tests.builders import NOW, ORDERED, publish_program, report, rule, settle_reports
from tests.rewards.sending import redeem_by_call
from tests.staff import client_of, make_staff, make_superuser

pytestmark = [pytest.mark.django_db, pytest.mark.once]
OURS = (
    *(Rule, Edition, Rerun, Purchase, Backtest, Freeze),
    *(Member, Adjustment, Bulk, Endpoint, Message, Redemption),
    *(Reward, Close, Remittance),
)
DJANGOS = {"changelist", "add", "history", "delete", "change"}
MAY = {
    "rule_live": "change_rule",
    "rule_stores": "view_rule",
    "rule_up": "change_rule",
    "rule_down": "change_rule",
    "edition_ask_approval": "add_edition",
    "edition_approve": "add_edition",
    "edition_publish": "add_edition",
    "edition_retire": "add_edition",
    "edition_withdraw": "change_edition",
    "rerun_progress": "view_rerun",
    "rerun_new": "add_rerun",
    "rerun_preview": "add_rerun",
    "rerun_approve": "change_rerun",
    "rerun_apply": "change_rerun",
    "rerun_undo": "change_rerun",
    "rerun_drop": "change_rerun",
    "purchase_assign": "change_purchase",
    "purchase_assign_suggested": "change_purchase",
    "purchase_resolve": "change_purchase",
    "purchase_what_if": "view_purchase",
    "backtest_progress": "view_backtest",
    "backtest_try_draft": "add_backtest",
    "backtest_cancel": "change_backtest",
    "backtest_stores_as_csv": "view_backtest",
    "close_sign": "sign_close",
    "close_take_back": "sign_close",
    "close_journal": "view_close",
    "close_day_rows": "view_close",
    "close_rows": "view_close",
    "close_verifier": "view_close",
    "close_liability": "view_close",
    "close_breakage": "view_close",
    "close_margins": "view_close",
    "close_unpaid": "view_close",
    "freeze_lift": "change_freeze",
    "member_adjust": "add_adjustment",
    "adjustment_approve": "approve_adjustment",
    "adjustment_undo": "add_adjustment",
    "adjustment_drop": "add_adjustment",
    "bulk_upload": "add_bulk",
    "bulk_approve": "approve_bulk",
    "bulk_apply": "add_bulk",
    "bulk_undo": "approve_bulk",
    "bulk_drop": "add_bulk",
    "bulk_progress": "view_bulk",
    "bulk_faults": "view_bulk",
    "member_statement": "view_transfer",
    "member_see_pages": "view_as_member",
    "member_leave": "view_as_member",
    "member_hold": "change_member",
    "member_block": "change_member",
    "member_lift": "change_member",
    "member_export": "change_member",
    "member_erase": "erase_member",
    "endpoint_test": "change_endpoint",
    "endpoint_rotate": "change_endpoint",
    "endpoint_switch_off": "change_endpoint",
    "endpoint_switch_on": "change_endpoint",
    "message_again": "change_message",
    "message_drop": "change_message",
    "reward_add_codes": "change_reward",
    "redemption_approve": "change_redemption",
    "redemption_fulfil": "change_redemption",
    "redemption_cancel": "change_redemption",
    "redemption_ask_again": "change_redemption",
    "redemption_show_code": "change_redemption",
    "redemption_show_details": "export_payouts",
    "redemption_export_payouts": "export_payouts",
    "redemption_payout_results": "export_payouts",
}
"""The one permission that each page asks for, besides a look at its object."""

POSTED_ONLY = {"rule_live", "rule_up", "rule_down", "member_leave"}
REFUSED = (403, 405)
pages = pytest.mark.parametrize("name", MAY)


@pytest.fixture
def urls() -> dict[str, str]:
    """The address of each page, for an object that it could be about."""
    edition = publish_program(rule())
    settle_reports(report())
    user = make_superuser("asker")
    backtest = Backtest.objects.create(
        content=edition.content, digest="d", asked_by=user, asked_at=NOW
    )
    rerun = Rerun.objects.create(
        edition=edition,
        start=ORDERED,
        end=NOW,
        reason="Because",
        asked_by=user,
        asked_at=NOW,
    )
    approval = Approval.objects.create(digest="d", asked_by=user, asked_at=NOW)
    redemption = redeem_by_call("https://host.example/redeem")
    known: dict[str, Any] = {
        "redemption": redemption,
        "reward": redemption.reward,
        "endpoint": redemption.reward.endpoint,
        "message": redemption.messages.get(),
        "rule": Rule.objects.get(),
        "edition": edition,
        "rerun": rerun,
        "purchase": Purchase.objects.get(),
        "backtest": backtest,
        "member": Member.objects.get(),
        "adjustment": Adjustment.objects.create(
            member=Member.objects.get(),
            unit=Unit.objects.get(code="points"),
            amount=5,
            asked_by=user,
            asked_at=NOW,
        ),
        "bulk": Bulk.objects.create(asked_by=user, asked_at=NOW),
        "close": Close.objects.create(
            day=NOW.date(),
            until=NOW,
            drawn_up_at=NOW,
            newest_transfer=0,
            newest_settlement=0,
            transfers=0,
            figures={"rows": [], "held": {}, "network": ""},
        ),
        "freeze": Freeze.objects.create(
            purchase=Purchase.objects.get(), check_name="A check.", frozen_at=NOW
        ),
    }
    alone = {"rule_live", "rule_stores", "edition_ask_approval", "edition_publish"}
    alone |= {"bulk_upload", "edition_retire", "rerun_new", "backtest_try_draft"}
    alone |= {"close_rows", "close_verifier", "close_liability", "close_breakage"}
    alone |= {"close_margins", "close_unpaid"}
    alone |= {"redemption_export_payouts", "redemption_payout_results"}
    found = {}
    for name in MAY:
        args = [] if name in alone else [known[name.partition("_")[0]].pk]
        if name == "edition_approve":
            args = [approval.pk]
        found[name] = reverse(f"admin:rewards_{name}", args=args)
    return found


def asked(client: Client, name: str, urls: dict[str, str]) -> int:
    """The status of the page's answer to what its form or its script sends first."""
    ask = client.post if name in POSTED_ONLY else client.get
    status: int = ask(urls[name]).status_code
    return status


def test_no_page_of_ours_is_left_out() -> None:
    names = {
        pattern.name.removeprefix("rewards_")
        for model in OURS
        for pattern in admin.site._registry[model].get_urls()
        if pattern.name and pattern.name.rpartition("_")[2] not in DJANGOS
    }
    assert names == MAY.keys()


@pages
def test_strangers_and_members_sign_in_first(name: str, urls: dict[str, str]) -> None:
    member = make_staff(username="member")
    member.is_staff = False
    member.save()
    for client in (Client(), client_of(member)):
        for ask in (client.get, client.post):
            answer = ask(urls[name])
            assert answer.status_code == 302
            assert answer.url.startswith("/admin/login/")


@pages
def test_who_may_only_look_does_nothing(name: str, urls: dict[str, str]) -> None:
    views = [f"rewards.view_{model._meta.model_name}" for model in OURS]
    blind, looks = make_staff(), make_staff(*views, username="looks")
    assert asked(client_of(blind), name, urls) == 403
    assert client_of(blind).post(urls[name]).status_code in REFUSED
    if not MAY[name].startswith("view_"):
        assert asked(client_of(looks), name, urls) == 403
        assert client_of(looks).post(urls[name]).status_code == 403


@pages
def test_one_permission_opens_it(name: str, urls: dict[str, str]) -> None:
    model = name.partition("_")[0]
    clerk = make_staff(*{f"rewards.{MAY[name]}", f"rewards.view_{model}"})
    assert asked(client_of(clerk), name, urls) not in REFUSED


@pages
def test_looking_writes_nothing(name: str, urls: dict[str, str]) -> None:
    root = client_of(make_superuser())
    with CaptureQueriesContext(connection) as queries:
        answer = root.get(urls[name])
    assert (answer.status_code == 405) is (name in POSTED_ONLY)
    reads = ("SELECT", "DECLARE")  # PostgreSQL's, for a list that is read in parts
    assert all(query["sql"].startswith(reads) for query in queries)
    if answer.status_code == 200:
        assert "no-store" in answer.headers["Cache-Control"]


@pages
def test_another_site_can_send_nothing(name: str, urls: dict[str, str]) -> None:
    root = Client(enforce_csrf_checks=True)
    root.force_login(make_superuser())
    assert root.post(urls[name]).status_code in REFUSED
