"""A member's page for staff: all of it at a glance, to each what is theirs."""

import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from merchants.models import Merchant
from rewards import adjustments
from rewards.models import Adjustment, Freeze, Member, Unit
from rewards.redemptions.reserving import redeem
from tests.builders import NOW, make_click, make_member, publish_program, rule
from tests.rewards.redeeming import make_reward
from tests.rewards.spending import earn, make_transfers, take_back
from tests.staff import client_of, count_queries, make_staff, make_superuser

pytestmark = pytest.mark.django_db

MOST_QUERIES = 25
SECTIONS = {
    "rewards.view_purchase": "Newest purchases",
    "rewards.view_redemption": "Redemptions",
    "rewards.view_account": "Lots, in the order in which they are used",
    "rewards.view_adjustment": "Adjustments",
    "merchants.view_click": "Visits to stores",
    "rewards.view_transfer": "Newest transfers",
    "rewards.view_member": "What staff did",
}


@pytest.fixture(autouse=True)
def alice() -> Member:
    publish_program(rule())
    return make_member("alice")


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def url(member: Member | None = None, page: str = "change") -> str:
    member = member or Member.objects.get(customer_id="alice")
    return reverse(f"admin:rewards_member_{page}", args=[member.pk])


def words(page: Any) -> str:
    """What the page says, one space between words."""
    html = re.sub(r"<script.*?</script>", "", page.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def words_of(row: Any) -> str:
    return " ".join(" ".join(map(str, row)).split())


def titles(page: Any) -> list[str]:
    return [str(table.title) for table in page.context["tables"]]


def give(amount: int, **changes: Any) -> Adjustment:
    points = Unit.objects.get(code="points")
    values = {"unit": points, "amount": amount, "reason": "goodwill", "note": "A call."}
    member = Member.objects.get(customer_id="alice")
    by = make_superuser("giver")
    return adjustments.adjust(member, **values, **changes, by=by, at=timezone.now())


class TestTheHead:
    def test_it_says_each_kind_of_balance_and_what_expires_next(self, root):
        earn(total=30_000)
        member = Member.objects.get()
        redeem(member, reward=make_reward(), amount=50, key="k", at=timezone.now())
        give(20, expires_after_days=30)
        said = words(root.get(url()))
        assert "Available 270 points" in said
        assert "On its way 50 points" in said
        assert "Owed -" in said
        assert re.search(r"Expires next 20 points after \w+\. ?\d+, 20\d\d", said)

    def test_what_is_owed_is_told_with_its_order(self, root):
        earn(total=9100)
        member = Member.objects.get(customer_id="alice")
        redeem(member, reward=make_reward(), amount=50, key="k", at=NOW)
        take_back()
        page = root.get(url())
        assert "Owed 50 points" in words(page)
        assert "Debts, oldest first" in titles(page)

    def test_a_frozen_balance_is_said_first(self, root):
        member = Member.objects.get()
        Freeze.objects.create(member=member, check_name="It adds up.", frozen_at=NOW)
        assert "The balance is frozen: It adds up." in words(root.get(url()))
        looks = client_of(make_staff("rewards.view_member"))
        assert "frozen" not in words(looks.get(url()))

    def test_enrolling_somebody_has_no_head(self, root):
        page = root.get(reverse("admin:rewards_member_add"))
        assert "Available" not in words(page)


class TestTheSections:
    def test_a_new_member_has_each_with_what_to_do_next(self, root):
        page = root.get(url())
        assert titles(page) == list(SECTIONS.values())
        assert all(table.note and not table.rows for table in page.context["tables"])
        assert "No data" not in words(page)

    def test_each_says_what_there_is_and_leads_to_all_of_it(self, root):
        click = make_click()
        earn(click_reference=click.reference)
        member = Member.objects.get()
        redeem(member, reward=make_reward(), amount=50, key="k", at=timezone.now())
        root.post(
            url(page="adjust"),
            {
                "unit": Unit.objects.get(code="points").pk,
                "amount": "5",
                "reason": "goodwill",
                "note": "A call.",
                "key": str(uuid4()),
            },
        )
        page = root.get(url())
        found = {str(table.title): table for table in page.context["tables"]}
        said = {title: words_of(t.rows[0]) for title, t in found.items()}
        assert "btnorder-1" in said["Newest purchases"]
        assert "91 points" in said["Newest purchases"]
        assert "A mug" in said["Redemptions"]
        assert "+5 points" in said["Adjustments"]
        assert "btnorder-1" in said["Visits to stores"]
        assert "+5 points" in said["What staff did"]
        for title in set(found) - {"Lots, in the order in which they are used"}:
            followed = root.get(found[title].more)
            assert followed.status_code == 200, title
            if title != "What staff did":
                assert followed.context["cl"].result_list, title

    @pytest.mark.parametrize("permission", SECTIONS)
    def test_a_role_sees_what_its_permissions_open(self, permission):
        page = client_of(make_staff("rewards.view_member", permission)).get(url())
        assert set(titles(page)) == {"What staff did", SECTIONS[permission]}
        assert ("Available" in words(page)) is (permission == "rewards.view_account")
        assert ("as of any day" in words(page)) is (
            permission == "rewards.view_transfer"
        )

    def test_of_many_purchases_the_newest_are_asked_for_at_once(self, root):
        earn()
        store = Merchant.objects.get()
        make_click(store)
        few = count_queries(root, url())
        for n in range(2, 51):
            earn(str(n))
        make_transfers(50)
        for _n in range(20):
            make_click(store)
        assert count_queries(root, url()) == few <= MOST_QUERIES
        page = root.get(url())
        [purchases] = [
            t for t in page.context["tables"] if t.title == "Newest purchases"
        ]
        assert len(purchases.rows) == 10
