"""What a member sees in a real browser: by day and night, on a desk and a phone."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from merchants import clicks
from merchants.models import Click, Merchant
from rewards import demo
from rewards.models import Purchase
from rewards.reports import LineItem
from tests.builders import NOW, ORDERED, report, settle_reports
from tests.rewards.storefront import make_offer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
]

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
STORE = "/stores/paper-lantern-books/"
LAMP = LineItem(description="Desk lamp", quantity=1, amount=8900, total=8900)
MUG = LineItem(description="Enamel mug", quantity=2, amount=1800, total=3600)


@pytest.fixture(autouse=True)
def world(settings):
    """A demo member with an order in every state."""
    settings.DEMO = True
    settings.BUTTON_ORGANIZATION_ID = "org-02f4c8e96b1d7a50"
    demo.make_world(at=NOW)
    for number, store in enumerate(demo.STORES):
        settle_reports(order(number, store.external_id))
    stores = [store.external_id for store in demo.STORES]
    changed = {"order_total": 8900, "commission": 712, "lines": (LAMP,)}
    settle_reports(order(1, stores[1], **changed, modified_at=NOW))
    settle_reports(order(2, stores[2], status="validated", modified_at=NOW))
    settle_reports(order(3, stores[3], status="declined", modified_at=NOW))


def order(number: int, merchant: str, **changes):
    values = {
        "transaction_id": f"tx-{number}",
        "order_id": f"btnorder-{number}",
        "merchant": merchant,
        "customer_id": demo.CUSTOMER_ID,
        "order_total": 12500,
        "commission": 1000,
        "lines": (LAMP, MUG),
        "attributed_at": ORDERED + timedelta(days=number),
    }
    return report(**{**values, **changes})


@pytest.fixture(params=["light", "dark"])
def scheme(request, page: Page) -> str:
    page.emulate_media(color_scheme=request.param)
    return request.param


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def size(request, page: Page) -> None:
    page.set_viewport_size(request.param)


def enter(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Look around as the demo member").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your balance")


def refuse_faults(page: Page) -> None:
    """No accessibility rule is broken, and nothing sticks out to the side."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("scheme", "size")
def test_every_page_is_accessible_and_fits(page: Page):
    for path in ("/", "/sign-in/", "/stores/", STORE):
        page.goto(path)
        refuse_faults(page)
    enter(page)
    refuse_faults(page)
    for path in ("/activity/", "/stores/", "/stores/?q=nobody", STORE, "/visits/"):
        page.goto(path)
        refuse_faults(page)
    for purchase in Purchase.objects.order_by("pk")[:4]:
        page.goto(f"/activity/{purchase.pk}/")
        refuse_faults(page)


@pytest.mark.usefixtures("scheme", "size")
def test_what_a_visit_leaves_behind_is_accessible_and_fits(page: Page):
    merchant = Merchant.objects.get(external_id=demo.LANTERN.external_id)
    make_offer(merchant, "8", kind="category", label="Atlases and maps", tag="Holiday")
    make_offer(merchant, "4")
    make_offer(merchant, "0", kind="exclusion", label="Gift cards")
    enter(page)
    page.goto(STORE)
    refuse_faults(page)
    leave_for_the_store(page)
    settle_reports(
        order(9, merchant.external_id, click_reference=Click.objects.get().reference)
    )
    page.goto("/visits/")
    refuse_faults(page)
    paste(page, "https://paperlantern.example/atlas")
    refuse_faults(page)


def leave_for_the_store(page: Page) -> str:
    """Press the button, and say which address off the site the browser went to."""
    page.route("https://r.bttn.io/**", lambda route: route.fulfill(body="the store"))
    page.get_by_role("link", name="Shop now").click()
    expect(page.locator("body")).to_have_text("the store")
    return page.url


def paste(page: Page, url: str) -> None:
    page.goto("/stores/")
    page.get_by_label("Paste a product link").fill(url)
    page.get_by_role("button", name="Check").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("This link leads to Paper Lantern Books")


def test_a_stranger_signs_in_and_leaves_from_the_stores_page(page: Page):
    user = User.objects.get(username=demo.CUSTOMER_ID)
    user.set_password("not-so-secret")
    user.save()
    page.goto(STORE)
    page.get_by_role("link", name="Sign in to shop").click()
    page.get_by_label("Username").fill(demo.CUSTOMER_ID)
    page.get_by_label("Password").fill("not-so-secret")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Paper Lantern Books")
    assert not Click.objects.exists()
    reference = parse_qs(urlsplit(leave_for_the_store(page)).query)["btn_pub_ref"]
    assert [Click.objects.get().reference] == reference


def test_a_pasted_link_leads_off_the_site_by_a_link(page: Page):
    enter(page)
    paste(page, "https://paperlantern.example/atlas?page=2")
    target = parse_qs(urlsplit(leave_for_the_store(page)).query)["btn_url"]
    assert target == ["https://paperlantern.example/atlas?page=2"]
    page.goto("/visits/")
    number = clicks.number(Click.objects.get())
    expect(page.get_by_role("main")).to_contain_text(number)


def test_a_member_finds_why_from_the_start_page(page: Page):
    enter(page)
    page.get_by_role("link", name="All activity").click()
    page.get_by_role("link", name="Fern & Field").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Enamel mug removed. 375 points is now 89 points.")
    expect(main).to_contain_text("2 % of your order of $89.00")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_available_is_the_largest_figure(page: Page):
    enter(page)
    largest = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((e) => e.childElementCount === 0 && e.textContent.trim())
            .sort((a, b) => parseFloat(getComputedStyle(b).fontSize)
                          - parseFloat(getComputedStyle(a).fontSize))
            .slice(0, 2).map((e) => e.textContent)"""
    )
    assert largest == ["375", "$5.00"]


def test_everything_is_reached_by_keyboard(page: Page):
    enter(page)
    page.goto("/activity/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Little Orbit Toys")


def test_pages_need_no_javascript(browser, live_server):
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    page = context.new_page()
    enter(page)
    page.get_by_role("link", name="Cove Outdoor").click()
    expect(page.get_by_role("heading", name="Why this reward")).to_be_visible()
    context.close()
