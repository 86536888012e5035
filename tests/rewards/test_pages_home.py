"""The start page, and the balance that a member finds in its place."""

import pytest
from django.contrib.auth.models import User

from rewards import demo
from rewards.models import Unit
from tests.builders import (
    ORDERED,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db


def test_a_stranger_finds_the_start_page(client):
    page = client.get("/")
    assert "Sign in" in text_of(page)
    assert "send_demo_webhook" not in text_of(page)
    assert "demo member" not in text_of(page)


def test_the_demo_says_what_to_try(client, settings):
    settings.DEMO = True
    said = text_of(client.get("/"))
    assert ".venv/bin/python manage.py send_demo_webhook" in said
    assert "Look around as the demo member" in said
    assert "printed in the terminal" in said


def test_the_demo_leads_to_its_sandbox(client, settings):
    settings.DEMO, settings.BUTTON_API_URL = True, "http://127.0.0.1:8010"
    page = client.get("/")
    assert "Open the sandbox" in text_of(page)
    assert 'href="http://127.0.0.1:8010/"' in page.content.decode()
    assert "send_demo_webhook" not in text_of(page)


def test_the_start_page_never_tells_the_password(client, settings, tmp_path):
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    password = demo.make_staff().password
    assert password not in client.get("/").content.decode()


def test_staff_who_are_no_member_find_the_start_page_and_admin(client):
    client.force_login(User.objects.create_user("eve", is_staff=True))
    page = client.get("/")
    assert "belongs to no member" in text_of(page)
    assert 'href="/admin/"' in page.content.decode()


def test_a_member_sees_what_is_available_and_what_is_pending():
    publish_program(rule(), rule("half", unit="USD", reward=share("50")))
    settle_reports(
        report(),
        report(transaction_id="tx-2", order_id="order-2", status="validated"),
    )
    said = text_of(sign_in("alice").get("/"))
    assert "Available 91 points Pending 91 points not final yet" in said
    assert "Available $2.27 US dollars cash back Pending $2.27 not final yet" in said


def test_a_unit_that_left_the_program_is_shown_while_it_is_held():
    publish_program()
    settle_reports(report())
    Unit.objects.filter(code__in=["USD", "points"]).update(in_draft=False)
    said = text_of(sign_in("alice").get("/"))
    assert "91 points" in said
    assert "US dollars" not in said


def test_the_balance_shows_the_newest_five():
    publish_program()
    settle_reports(
        *(
            report(transaction_id=f"tx-{n}", order_id=f"o-{n}", order_total=n * 100)
            for n in range(1, 8)
        )
    )
    page = sign_in("alice").get("/")
    assert page.content.decode().count('href="/activity/') == 5 + 2  # and two links
    assert page.context["rows"][0].order_amount == "$7.00"


def test_a_new_member_is_told_what_to_do():
    publish_program()
    said = text_of(sign_in("alice").get("/"))
    assert "No purchases yet" in said
    assert "Go to a store through our links" in said


def test_pages_about_somebody_are_never_stored(client):
    publish_program()
    settle_reports(report())
    member = sign_in("alice")
    [row] = member.get("/activity/").context["rows"]
    for path in ("/", "/activity/", f"/activity/{row.id}/"):
        assert "no-store" in member.get(path)["Cache-Control"]
        assert "private" in member.get(path)["Cache-Control"]
    for path in ("/", "/sign-in/", "/activity/"):
        assert "no-store" in client.get(path)["Cache-Control"]


def test_every_page_names_its_language():
    publish_program()
    settle_reports(report(attributed_at=ORDERED))
    page = sign_in("alice").get("/", headers={"Accept-Language": "en"})
    assert '<html lang="en" dir="ltr">' in page.content.decode()
