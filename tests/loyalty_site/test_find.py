"""One box finds a member, an order, a visit or a redemption by any of its names."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from rewards.admin.mixins import change_url
from rewards.models import Member, Purchase
from tests.builders import make_click, make_member, publish_program, purchase, rule
from tests.rewards.redeemers import ask, make_reward
from tests.rewards.spending import earn
from tests.staff import client_of, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def order() -> Purchase:
    """alice's order, which came back with her click, and one of bob's."""
    publish_program(rule())
    alice = make_member("alice")
    Member.objects.filter(pk=alice.pk).update(email="a.lice@example.com")
    click = make_click(own_reference="mine-1")
    earn(total=20_000, order_number="Store-77", click_reference=click.reference)
    earn("2", customer_id="bob")
    return purchase("btnorder-1")


def find(term: str, user: User | None = None):
    client = client_of(user or make_superuser())
    return client.get(reverse("find"), {"q": term})


@pytest.mark.parametrize("term", ["btnorder-1", " tx-1 ", "Store-77", "mine-1"])
def test_an_order_by_any_of_its_names_is_opened_at_once(order: Purchase, term: str):
    answer = find(term)
    assert answer.status_code == 302
    assert answer["Location"] == change_url(order)


@pytest.mark.parametrize("term", ["a.lice@example.com", "A.Lice@example.com"])
def test_a_member_by_mail_however_it_is_written(term: str) -> None:
    answer = find(term)
    assert answer["Location"] == change_url(Member.objects.get(customer_id="alice"))


def test_a_customer_id_finds_all_that_is_theirs() -> None:
    redemption = ask(make_reward())
    page = text_of(find("alice"))
    for said in ("a.lice@example.com", "btnorder-1", redemption.public_id):
        assert said in page
    assert "btnorder-2" not in page


def test_a_click_finds_the_visit_and_its_order(order: Purchase) -> None:
    assert order.click is not None
    page = text_of(find(order.click.reference))
    assert change_url(order) in page
    assert change_url(order.click) in page


def test_a_redemption_by_its_number() -> None:
    redemption = ask(make_reward())
    assert find(redemption.public_id)["Location"] == change_url(redemption)


@pytest.mark.parametrize("term", ["alic", "STORE-77", "%", "'", "x" * 999, "a\0b"])
def test_what_bears_no_such_name_is_not_found(term: str) -> None:
    assert "Nothing is called" in text_of(find(term))


def test_an_empty_box_says_what_it_takes() -> None:
    assert "Write a customer id" in text_of(find(""))


def test_only_what_one_may_see_is_found() -> None:
    clerk = make_staff("rewards.view_member")
    answer = find("alice", clerk)
    assert answer["Location"] == change_url(Member.objects.get(customer_id="alice"))
    nobody = make_staff(username="nobody")
    assert "Nothing is called" in text_of(find("alice", nobody))


def test_strangers_are_sent_to_sign_in(client) -> None:
    assert client.get(reverse("find"), {"q": "alice"}).status_code == 302
    assert client.post(reverse("find"), {"q": "alice"}).status_code != 200


def test_the_box_stands_on_every_page() -> None:
    support = make_staff(username="support")
    support.groups.add(Group.objects.get(name="Support"))
    page = text_of(client_of(support).get(reverse("admin:index")))
    assert f'action="{reverse("find")}"' in page


def test_ever_so_many_orders_cost_as_many_queries() -> None:
    client = client_of(make_superuser())

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("find"), {"q": "alice"})
        return len(asked)

    few = queries()
    for number in range(3, 9):
        earn(str(number))
    assert queries() == few <= 12
