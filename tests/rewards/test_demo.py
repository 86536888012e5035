"""The demo world: made once, the same the second time, and never in your way."""

import re
import stat
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

from merchants.models import Merchant
from rewards import demo
from rewards.models import Edition, GiftCode, Member, Reward, Rule, Unit
from rewards.program import draft, vocabulary
from rewards.redemptions import catalogue
from tests.builders import NOW, balances, program, report, rule, settle_reports
from tests.rewards.redeemers import make_reward

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo_on(settings, tmp_path):
    settings.DEMO = True
    settings.DATA_DIR = tmp_path


def say_demo() -> str:
    out = StringIO()
    call_command("demo", stdout=out)
    return out.getvalue()


def printed_password(said: str) -> str:
    found = re.search(r"user staff   password (\S+)", said)
    assert found, said
    return found[1]


def test_it_makes_a_program_stores_a_member_and_a_login():
    said = say_demo()
    assert "Published the demo program as edition 1 (8 rules, 7 stores)." in said
    assert ".venv/bin/python manage.py send_demo_webhook" in said
    assert Unit.objects.count() == 2
    assert Merchant.objects.filter(listed=True).count() == len(demo.STORES)
    assert Member.objects.get().user.username == "demo-member"


def test_the_second_run_changes_nothing(django_assert_max_num_queries):
    first = say_demo()
    with django_assert_max_num_queries(30):
        second = say_demo()
    assert "Published" not in second
    assert printed_password(first) == printed_password(second)
    assert Edition.objects.count() == Member.objects.count() == 1
    assert User.objects.count() == 2


def test_it_offers_something_to_redeem_for():
    say_demo()
    codes = GiftCode.objects.count()
    say_demo()
    offers = catalogue.on_offer(at=NOW)
    assert [(o.reward.kind, o.reward.unit.code) for o in offers] == [
        ("manual", "points"),
        ("gift_code", "points"),
        ("payout", "USD"),
    ]
    assert offers[0].reward.minimum == 100
    assert offers[1].left == codes == GiftCode.objects.count()


def test_your_own_catalogue_stays_alone():
    draft.replace(vocabulary.parse(program(rule())))
    mug = make_reward()
    say_demo()
    assert list(Reward.objects.all()) == [mug]


def test_the_stores_look_like_the_networks_own():
    for store in demo.STORES:
        assert re.fullmatch(r"org-[0-9a-f]{16}", store.external_id)
        assert store.homepage_url == f"https://{store.hosts[0]}/"
        assert store.hosts[0].endswith(".example")
    assert len({store.external_id for store in demo.STORES}) == len(demo.STORES)


def test_the_member_has_no_password():
    demo.make_member(at=NOW)
    user = User.objects.get(username="demo-member")
    assert not user.has_usable_password()
    assert not user.is_staff


def test_a_program_of_your_own_is_left_alone():
    draft.replace(vocabulary.parse(program(rule("mine"))))
    assert "Published" not in say_demo()
    assert not Edition.objects.exists()
    assert Rule.objects.get().key == "mine"


def test_the_program_names_stores_that_there_are():
    program = vocabulary.parse_text(demo.PROGRAM.read_text(encoding="utf-8"))
    named = {id for one in program.rules for id in one.when.merchants}
    assert named < {store.external_id for store in demo.STORES}
    assert "LIGHTING" in demo.STORES[5].elsewhere.values()


def test_orders_that_waited_for_a_program_are_settled():
    settle_reports(report(customer_id=demo.CUSTOMER_ID))
    demo.make_world(at=NOW)
    assert balances(demo.CUSTOMER_ID) == {
        ("points", "pending"): 91,
        ("USD", "pending"): 227,
    }


def test_the_password_is_kept_where_only_the_owner_reads():
    password = printed_password(say_demo())
    assert stat.S_IMODE(demo.password_file().stat().st_mode) == 0o600
    staff = authenticate(username="staff", password=password)
    assert staff.is_superuser


def test_a_password_that_staff_changed_is_not_shown():
    say_demo()
    staff = User.objects.get(username="staff")
    staff.set_password("another one")
    staff.save()
    said = say_demo()
    assert "password already" in said
    assert "changepassword staff" in said


def test_without_demo_the_password_is_shown_once_and_kept_nowhere(settings):
    settings.DEMO = False
    printed_password(say_demo())
    assert not demo.password_file().exists()
    assert "changepassword staff" in say_demo()


def test_an_old_file_that_others_may_read_is_replaced():
    demo.password_file().write_text("of an earlier database")
    demo.password_file().chmod(0o644)
    password = printed_password(say_demo())
    assert demo.password_file().read_text().strip() == password
    assert stat.S_IMODE(demo.password_file().stat().st_mode) == 0o600
