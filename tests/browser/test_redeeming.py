"""Redeeming in a browser: by day and night, on a desk and a phone, by keys alone."""

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from rewards.models import Redemption, Reward, Unit
from tests.builders import publish_program, rule, share
from tests.rewards.redeeming import make_card, make_reward
from tests.rewards.spending import earn, spend, take_back
from tests.rewards.visitors import sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
]

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(autouse=True)
def alice(page: Page, live_server) -> None:
    """The browser, with a member signed in who can have one thing and not another."""
    now = timezone.now()
    publish_program(
        rule(expires_after_days=30),
        rule("half", unit="USD", reward=share("50")),
        now=now - timedelta(days=99),
    )
    earn(at=now)
    make_card("SECRET-1234", name="Paper Lantern gift card, 5 dollars")
    make_reward("lamp", minimum=200, maximum=None, description="It glows.")
    make_reward("tree", minimum=10, maximum=90, step=10)
    make_reward("cap", minimum=10, maximum=10, stock=0)
    usd = Unit.objects.get(code="USD")
    make_reward("paid", kind=Reward.Kind.PAYOUT, unit=usd, minimum=100, maximum=None)
    session = sign_in("alice").cookies["session"].value
    cookie = {"name": "session", "value": session, "url": live_server.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]


def refuse_faults(page: Page) -> None:
    """No accessibility rule is broken, and nothing sticks out to the side."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_code_is_bought_shown_and_remembered(page: Page, scheme, size):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    page.goto("/")
    expect(page.locator("main")).to_contain_text("to use by")
    refuse_faults(page)
    page.get_by_role("navigation").get_by_role("link", name="Redeem").click()
    refuse_faults(page)
    page.get_by_role("link", name=re.compile("Redeem.*gift card")).click()
    refuse_faults(page)
    page.get_by_role("button", name="Spend 50 points").click()
    expect(page.get_by_text("Your code is ready.").first).to_be_visible()
    refuse_faults(page)
    page.get_by_role("button", name="Show my code").click()
    expect(page.get_by_text("SECRET-1234")).to_be_visible()
    refuse_faults(page)
    page.goto("/statement/")
    expect(page.locator("main")).to_contain_text("Paper Lantern gift card")
    refuse_faults(page)
    page.goto("/redeem/payout/")
    refuse_faults(page)
    page.goto("/redeem/for/tree/?amount=15")
    expect(page.locator("main")).to_contain_text("in steps of")
    refuse_faults(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_debt_is_seen_and_accessible(page: Page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    now = timezone.now()
    spend(60, at=now)
    take_back(at=now)
    page.goto("/")
    expect(page.get_by_text("was returned, so 91 points was taken")).to_be_visible()
    refuse_faults(page)
    page.goto("/statement/")
    refuse_faults(page)


def test_keys_alone_are_enough(page: Page):
    page.goto("/redeem/for/tree/")
    page.get_by_label("How much").focus()
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Spend 20 points")
    expect(button).to_be_visible()
    reached = tab_to(page, "Spend 20 points")
    assert reached
    page.keyboard.press("Enter")
    expect(page.get_by_text("We are getting it ready.").first).to_be_visible()


def tab_to(page: Page, text: str) -> bool:
    """Press Tab until what has the focus says this; each stop has a visible ring."""
    focus = page.locator("a:focus, button:focus")
    for _ in range(30):
        page.keyboard.press("Tab")
        if focus.count():
            assert focus.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
            if focus.inner_text().replace("\u00a0", " ").strip() == text:
                return True
    return False


def test_a_double_click_spends_once(page: Page):
    page.goto("/redeem/for/tree/?amount=20")
    page.get_by_role("button", name="Spend 20 points").dblclick()
    expect(page.get_by_text("We are getting it ready.").first).to_be_visible()
    assert Redemption.objects.count() == 1


def test_going_back_and_sending_again_spends_once(page: Page):
    page.goto("/redeem/for/tree/?amount=20")
    nonce = page.locator("[name=nonce]").get_attribute("value")
    page.get_by_role("button", name="Spend 20 points").click()
    expect(page.get_by_text("We are getting it ready.").first).to_be_visible()
    page.goto("/redeem/for/tree/?amount=20")
    page.evaluate(f"document.querySelector('[name=nonce]').value = '{nonce}'")
    page.get_by_role("button", name="Spend 20 points").click()
    expect(page.get_by_text("We are getting it ready.").first).to_be_visible()
    assert Redemption.objects.count() == 1
