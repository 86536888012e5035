"""The first page of the admin: what waits for a person, and what each role sees."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from loyalty_site.desk import figures, waiting
from loyalty_site.roles import AUDITOR, ROLES
from rewards.models import Adjustment, Member, Purchase, Unit
from tests.builders import publish_program, report, rule, settle_reports, share
from tests.rewards.spending import earn
from tests.staff import client_of, count_queries, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db

HOME = "admin:index"


@pytest.fixture
def orders() -> None:
    """Today: one order that earned, one in review, one of nobody."""
    now = timezone.now()
    publish_program(
        rule(), rule("half", unit="USD", reward=share("50")), now=now - timedelta(9)
    )
    common = {"attributed_at": now - timedelta(minutes=5), "commission": 300}
    earn(at=now, **common)
    earn("2", at=now, **common)
    earn("2", at=now, status="declined", modified_at=now, **common)
    earn("3", at=now, customer_id="", **common)


def home(user: User | None = None) -> str:
    return text_of(client_of(user or make_superuser()).get(reverse(HOME)))


def holder(role: str) -> User:
    user = make_staff(username="holder")
    user.groups.add(Group.objects.get(name=role))
    return user


def test_a_new_server_says_what_to_do_first() -> None:
    page = home()
    assert "No order has arrived yet" in page
    assert "Nothing. Everything that can be decided by rules has been." in page


def test_what_waits_is_counted_and_links_to_its_queue(orders: None) -> None:
    counts = {one.queue.title: one for one in waiting.waiting(by=make_superuser())}
    assert counts["Purchases in review"].count == 1
    assert counts["Nobody's purchases"].count == 1
    client = client_of(User.objects.get())
    url = reverse("admin:rewards_purchase_changelist") + "?attention=unattributed"
    assert url in text_of(client.get(reverse(HOME)))
    listed = text_of(client.get(url))
    assert "btnorder-3" in listed
    assert "btnorder-1" not in listed


def test_every_queues_address_opens(orders: None) -> None:
    client = client_of(make_superuser())
    for queue in waiting.QUEUES:
        assert client.get(queue.url).status_code == 200, queue.title


def test_what_is_approved_by_others_is_counted_for_them_alone() -> None:
    clerk = make_staff("rewards.add_adjustment", "rewards.approve_adjustment")
    earner = Member.objects.create(customer_id="alice", joined_at=timezone.now())
    publish_program(rule())
    Adjustment.objects.create(
        member=earner,
        unit=Unit.objects.get(code="points"),
        amount=5,
        reason="goodwill",
        note="Because.",
        asked_by=clerk,
        asked_at=timezone.now(),
    )
    assert "Adjustments to approve" in home(clerk)
    author = make_staff("rewards.add_adjustment", username="author")
    assert "Adjustments to approve" not in home(author)


def test_a_long_queue_is_not_counted_to_its_end(orders: None, monkeypatch) -> None:
    monkeypatch.setattr(waiting, "MOST", 2)
    found = {one.queue.title: one.said for one in waiting.waiting(by=make_superuser())}
    assert found["Nobody's purchases"] == "1"
    for number in ("4", "5"):
        earn(number, at=timezone.now(), customer_id="")
    found = {
        one.queue.title: one.said for one in waiting.waiting(by=User.objects.get())
    }
    assert found["Nobody's purchases"] == "2+"


def test_the_figures_are_of_the_last_two_weeks(orders: None) -> None:
    now = timezone.now()
    assert figures.days(now)[-1].purchases == 3
    assert len(figures.days(now)) == figures.DAYS
    [cost] = figures.costs(now)
    assert (cost.currency, cost.commission) == ("USD", 900)
    [points, dollars] = figures.held(now)
    assert (points.unit.code, points.pending) == ("points", 0)
    assert dollars.available == 300


def test_the_rate_is_of_orders_that_are_decided() -> None:
    publish_program(rule())
    now = timezone.now()
    made = now - timedelta(days=75)
    for number, status in enumerate(["validated"] * 3 + ["declined", "pending"]):
        told = report(
            order_id=f"btnorder-{number}",
            transaction_id=f"tx-{number}",
            status=status,
            attributed_at=made,
        )
        settle_reports(told, at=now)
    rate = figures.validation(now)
    assert rate == (3, 1, 1)
    assert rate.percent == 75
    assert "75 %" in home()


def test_figures_are_asked_for_once_a_minute(orders: None) -> None:
    now = timezone.now()
    before = figures.days(now)
    Purchase.objects.filter(order_key="btnorder-3").update(attributed_at=now)
    earn("9", at=now, attributed_at=now)
    assert figures.days(now) == before
    cache.clear()
    assert figures.days(now) != before


@pytest.mark.parametrize(
    ("role", "sees", "not_sees"),
    [
        ("Support", "Orders without a member", "Days to sign off"),
        ("Finance", "Available to members", "Quarantine"),
        ("Operator", "Intake", "Available to members"),
        ("Program manager", "Rules to approve", "Quarantine"),
        (AUDITOR, "Quarantine", "Days to sign off"),
    ],
)
def test_each_role_sees_its_own(orders: None, role: str, sees: str, not_sees: str):
    page = home(holder(role))
    assert sees in page
    assert not_sees not in page


@pytest.mark.parametrize("role", [*ROLES, AUDITOR])
def test_every_role_has_a_home(orders: None, role: str) -> None:
    assert "Waits for somebody" in home(holder(role))


def test_ever_so_many_orders_cost_as_many_queries(orders: None) -> None:
    client = client_of(make_superuser())
    few = count_queries(client, reverse(HOME))
    for number in range(10, 20):
        earn(str(number), at=timezone.now(), customer_id="")
    assert count_queries(client, reverse(HOME)) == few <= 25
