"""What staff see of a purchase in admin, and what they decide there."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from rewards.models import Decision, Member, NetworkAccount, Purchase, Report, Transfer
from rewards.reports import LineItem
from tests.builders import (
    ORDERED,
    balances,
    make_member,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)
from tests.staff import client_of, make_staff, make_superuser, said, text_of

pytestmark = pytest.mark.django_db
PENDING = ("points", "pending")
AVAILABLE = ("points", "available")
LATER = ORDERED + timedelta(hours=1)


def url_of(page: str, *, of: Any = None) -> str:
    model = "networkaccount" if isinstance(of, NetworkAccount) else "purchase"
    return reverse(f"admin:rewards_{model}_{page}", args=[of.pk] if of else [])


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


@pytest.fixture
def viewer() -> Client:
    """Staff who see everything and may decide nothing."""
    seen = ("purchase", "networkaccount", "member", "inboundevent")
    app = {"inboundevent": "ingestion"}
    names = [f"{app.get(name, 'rewards')}.view_{name}" for name in seen]
    return client_of(make_staff(*names))


@pytest.fixture
def order() -> Purchase:
    publish_program(
        rule(), rule("elsewhere", group="bonus", when={"merchants": ["org-other"]})
    )
    settle_reports(report())
    return purchase()


@pytest.fixture
def review(order: Purchase) -> Purchase:
    """Validated, then declined: staff must say which of them holds."""
    settle_reports(report(status="validated", modified_at=LATER))
    settle_reports(report(status="declined", modified_at=LATER + timedelta(hours=1)))
    return purchase()


def test_the_page_tells_what_was_earned_and_why(order: Purchase, root: Client) -> None:
    text = text_of(root.get(url_of("change", of=order)))
    for shown in (
        *("91 points", "1 per 1.00 of 91.00 USD", "$91.00", "$4.55"),
        *("did not match", "wanted org-other, found Lumen", "tx-1", "Program: issued"),
    ):
        assert shown in text, shown


def words_of(page: Any) -> str:
    """What the page says, one space between the words."""
    text = unescape(re.sub(r"<[^>]*>", " ", text_of(page)))
    return " ".join(text.split())


def test_the_receipt_tells_conditions_sums_limits_and_rounding(root: Client) -> None:
    make_member("alice", segments=["vip"])
    publish_program(
        rule(limits={"per_member": {"amount": 100, "period": "month"}}, hold_days=14),
        rule(
            "late",
            group="bonus",
            when={"segments": ["vip"], "ends_at": "2026-11-01T00:00:00-05:00"},
        ),
        rule("second"),
        rule("books", group="bonus", items={"categories": ["BOOKS"]}),
        rule("cash", unit="USD", reward=share("12.5")),
    )
    settle_reports(report(order_id="btnorder-0", transaction_id="tx-0"))
    lamp = LineItem(description="Lamp", categories=("HOME",), quantity=1, total=9199)
    settle_reports(report(order_total=9199, lines=(lamp,), country="US"))
    text = words_of(root.get(url_of("change", of=purchase())))
    for shown in (
        "which held when it was ordered. Show Edition 1",
        "it gives the same awards",
        "Country US",
        "Segments vip",
        "Lamp HOME",
        "1 per 1.00 of 91.99 USD = 91.99 (9199/100) points",
        "Its limits leave 9 points.",
        "Wanted 91 points, granted 9 points",
        "Pending for 14 days after the order is final",
        "per member 100 points 91 points 0 points 9 points",
        "12.5 % of 4.55 USD = 0.56875 (91/160) US dollars cash back",
        "Ordered: wanted before 1 November 2026, 05:00 (UTC),"
        " found 10 November 2026, 12:00 (UTC)",
        "Segments vip vip held",
        "Base (base) stands before it.",
        "The order's 1 line item does not count.",
        "US dollars cash back 0.56875 (91/160) US dollars cash back down $0.56",
    ):
        assert shown in text, shown
    assert "2026-11-" not in text


def test_in_review_the_receipt_is_of_what_holds_until_then(
    review: Purchase, root: Client
) -> None:
    text = words_of(root.get(url_of("change", of=review)))
    assert "In review: until that is resolved, this holds." in text
    assert "1 per 1.00 of 91.00 USD = 91 points" in text


def test_awards_that_cannot_be_reproduced_are_pointed_out(
    order: Purchase, root: Client
) -> None:
    award = order.settlement.awards.get()
    award.pk, award.rule = None, "nobody"
    award.save(force_insert=True)
    text = words_of(root.get(url_of("change", of=order)))
    assert "Worked out again, it gives other awards than those stored." in text


def test_the_page_links_to_member_merchant_and_events(
    order: Purchase, root: Client
) -> None:
    text = text_of(root.get(url_of("change", of=order)))
    assert f'href="/admin/rewards/member/{order.member_id}/change/"' in text
    assert f'href="/admin/merchants/merchant/{order.merchant_id}/change/"' in text
    events = f"/admin/ingestion/inboundevent/?purchase__id__exact={order.pk}"
    assert f'href="{events}"' in text
    assert root.get(events).status_code == 200


def test_events_are_linked_only_for_whoever_may_see_them(order: Purchase) -> None:
    clerk = client_of(make_staff("rewards.view_purchase"))
    assert "inboundevent" not in text_of(clerk.get(url_of("change", of=order)))


def test_the_page_asks_no_more_queries_for_more_reports(
    order: Purchase, root: Client, django_assert_max_num_queries: Any
) -> None:
    for hour in range(1, 12):
        changes = {"order_total": 9100 + hour, "modified_at": ORDERED}
        changes["modified_at"] += timedelta(hours=hour)
        settle_reports(report(**changes))
    with django_assert_max_num_queries(25):
        root.get(url_of("change", of=order))


@pytest.mark.parametrize("term", ["btnorder-1", "tx-1", "alice", "WEB-1", " alice "])
def test_a_purchase_is_found_by_each_of_its_names(term: str, root: Client) -> None:
    publish_program()
    settle_reports(
        report(order_number="WEB-1"),
        report(transaction_id="tx-2", order_id="btnorder-2", customer_id="bob"),
    )
    page = root.get(url_of("changelist"), {"q": term})
    assert [p.order_key for p in page.context["cl"].result_list] == ["btnorder-1"]


def test_an_unattributed_purchase_is_found_by_its_customer_id(
    root: Client, settings: Any
) -> None:
    settings.MEMBERS_AUTO_ENROLL = False
    settle_reports(report())
    page = root.get(url_of("changelist"), {"q": "alice", "attention": "unattributed"})
    assert len(page.context["cl"].result_list) == 1


def test_the_list_shows_what_is_in_review(review: Purchase, root: Client) -> None:
    settle_reports(report(transaction_id="tx-2", order_id="btnorder-2"))
    page = root.get(url_of("changelist"), {"attention": "review"})
    assert [p.pk for p in page.context["cl"].result_list] == [review.pk]


def test_a_purchase_is_assigned_to_a_member(order: Purchase, root: Client) -> None:
    bob = make_member("bob")
    answer = root.post(
        url_of("assign", of=order),
        {"customer_id": "bob", "reason": "He sent the receipt."},
        follow=True,
    )
    assert said(answer) == ["The purchase belongs to bob now."]
    assert (balances("alice"), balances("bob")) == ({}, {PENDING: 91})
    decision = Decision.objects.get()
    assert (decision.member, decision.decided_by.username) == (bob, "root")
    assert "He sent the receipt." in LogEntry.objects.get().change_message


def test_a_purchase_is_given_back_to_its_reports(order: Purchase, root: Client) -> None:
    make_member("bob")
    url = url_of("assign", of=order)
    root.post(url, {"customer_id": "bob", "reason": "Wrong."})
    root.post(url, {"customer_id": "", "reason": "Right after all."})
    assert (balances("alice"), balances("bob")) == ({PENDING: 91}, {})


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"customer_id": "nobody", "reason": "x"}, "No member has this customer id."),
        ({"customer_id": "alice", "reason": "  "}, "This field is required."),
        ({"customer_id": "alice"}, "This field is required."),
    ],
)
def test_a_wrong_assignment_decides_nothing(
    given: dict[str, str], complaint: str, order: Purchase, root: Client
) -> None:
    assert complaint in text_of(root.post(url_of("assign", of=order), given))
    assert not Decision.objects.exists()
    assert not LogEntry.objects.exists()


def test_nobody_assigns_a_purchase_to_himself(order: Purchase) -> None:
    clerk = make_staff("rewards.change_purchase", "rewards.view_purchase")
    Member.objects.create(customer_id="me", joined_at=ORDERED, user=clerk)
    answer = client_of(clerk).post(
        url_of("assign", of=order), {"customer_id": "me", "reason": "Mine."}
    )
    assert "somebody else must decide" in text_of(answer)
    assert not Decision.objects.exists()


def test_looking_at_a_question_decides_nothing(review: Purchase, root: Client) -> None:
    for page in ("assign", "resolve"):
        assert root.get(url_of(page, of=review), {"reason": "x"}).status_code == 200
    assert not Decision.objects.exists()


def test_a_review_is_resolved_on_one_of_the_reports(
    review: Purchase, root: Client
) -> None:
    assert balances() == {AVAILABLE: 91}
    declined = Report.objects.get(status="declined")
    answer = root.post(
        url_of("resolve", of=review),
        {"report": declined.pk, "reason": "The store confirms the return."},
        follow=True,
    )
    assert said(answer) == ["The review is resolved; the purchase is declined."]
    assert (purchase().review, balances()) == ("", {})


def test_another_purchases_report_resolves_nothing(
    review: Purchase, root: Client
) -> None:
    settle_reports(report(transaction_id="tx-2", order_id="btnorder-2"))
    foreign = Report.objects.get(transaction_id="tx-2")
    answer = root.post(
        url_of("resolve", of=review), {"report": foreign.pk, "reason": "x"}
    )
    assert "Select a valid choice" in text_of(answer)
    assert (purchase().review, Decision.objects.count()) == (review.review, 0)


def test_what_is_not_in_review_is_not_resolved(order: Purchase, root: Client) -> None:
    given = {"report": order.report_id, "reason": "x"}
    answer = root.post(url_of("resolve", of=order), given, follow=True)
    assert said(answer) == ["This purchase is not in review."]
    assert not Decision.objects.exists()


def test_who_may_only_view_decides_nothing(review: Purchase, viewer: Client) -> None:
    moved = Transfer.objects.count()
    given = {"customer_id": "", "report": review.report_id, "reason": "x"}
    for page in ("assign", "resolve"):
        assert viewer.get(url_of(page, of=review)).status_code == 403
        assert viewer.post(url_of(page, of=review), given).status_code == 403
    assert (Decision.objects.count(), Transfer.objects.count()) == (0, moved)
    assert "/assign/" not in text_of(viewer.get(url_of("change", of=review)))


def test_a_decision_needs_the_csrf_token(order: Purchase) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_superuser())
    given = {"customer_id": "alice", "reason": "x"}
    assert client.post(url_of("assign", of=order), given).status_code == 403
    assert not Decision.objects.exists()


def test_an_account_is_excluded_and_confirmed(order: Purchase, root: Client) -> None:
    account = NetworkAccount.objects.get()
    answer = root.post(
        url_of("leave_out", of=account), {"reason": "A test account."}, follow=True
    )
    assert said(answer) == ["1 purchase was settled."]
    assert (balances(), NetworkAccount.objects.get().rewarding) == ({}, False)
    root.post(url_of("confirm", of=account), {"reason": "Real after all."})
    assert balances() == {PENDING: 91}
    assert "Real after all." in text_of(root.get(url_of("change", of=account)))


def test_who_may_only_view_leaves_accounts_as_they_are(
    order: Purchase, viewer: Client
) -> None:
    account = NetworkAccount.objects.get()
    for page in ("confirm", "leave_out"):
        answer = viewer.post(url_of(page, of=account), {"reason": "x"})
        assert answer.status_code == 403
    assert not Decision.objects.exists()


def test_an_account_needs_a_reason(order: Purchase, root: Client) -> None:
    account = NetworkAccount.objects.get()
    answer = root.post(url_of("leave_out", of=account), {"reason": ""})
    assert "This field is required." in text_of(answer)
    assert (balances(), Decision.objects.count()) == ({PENDING: 91}, 0)
