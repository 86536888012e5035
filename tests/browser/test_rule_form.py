"""The rule form in a browser: live words, stores as they are typed, no mouse needed."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from merchants.models import Merchant
from rewards.models import Rule
from tests.builders import (
    MERCHANT,
    make_merchant,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.staff import client_of, make_superuser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.once]
ADD = "/admin/rewards/rule/add/"
LIST = "/admin/rewards/rule/"


@pytest.fixture
def staff(page: Page, live_server: Any) -> Page:
    """The browser, with a superuser signed in, and an order to try rules on."""
    make_merchant()
    publish_program(rule(), rule("second", label="Second"))
    settle_reports(report())
    session = client_of(make_superuser()).cookies["session"].value
    cookie = {"name": "session", "value": session, "url": live_server.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    return page


def change(key: str) -> str:
    return f"/admin/rewards/rule/{Rule.objects.get(key=key).pk}/change/"


def test_a_rule_is_restated_and_tried_while_it_is_typed(staff: Page) -> None:
    staff.goto(change("base"))
    words, lines = staff.locator("#restated-words"), staff.locator("#trial-lines")
    expect(words).to_contain_text("Members get 1 point per 1.00 of the order total.")
    staff.fill("[name=points]", "3")
    expect(words).to_contain_text("today it earns 91 points; with this draft")
    expect(words).to_contain_text("273 points")
    expect(lines).to_contain_text("3 per 1.00 of 91.00 USD")
    staff.fill("[name=points]", "three")
    expect(words).to_contain_text("Namely: must be a decimal")
    expect(lines).to_be_empty()
    assert words.get_attribute("aria-live") == "polite"
    assert Rule.objects.get(key="base").reward["points"] == "1"


def test_a_store_is_found_and_chosen_from_the_keyboard(staff: Page) -> None:
    Merchant.objects.create(external_id="org-b", name="Paper Lantern")
    staff.goto(ADD)
    staff.select_option("[name=unit]", label="points")
    staff.fill("[name=points]", "2")
    store = staff.locator(".field-merchants .select2-search__field")
    store.press_sequentially("lumen")
    expect(staff.locator(".select2-results")).to_contain_text("Lumen & Oak")
    expect(staff.locator(".select2-results")).not_to_contain_text("Paper Lantern")
    staff.locator(".select2-results__option", has_text="Lumen & Oak").wait_for()
    while "Lumen" not in staff.inner_text(".select2-results__option--highlighted"):
        store.press("ArrowDown")
    store.press("Enter")
    words = staff.locator("#restated-words")
    expect(words).to_contain_text("Members shopping at Lumen & Oak get 2 points")
    chosen = staff.eval_on_selector("[name=merchants]", "list => list.value")
    assert chosen == MERCHANT


def test_amounts_show_what_they_are_counted_in(staff: Page) -> None:
    staff.goto(ADD)
    suffix = staff.locator(".field-points [data-counted-in]")
    staff.select_option("[name=unit]", label="points")
    expect(suffix).to_have_text("points")
    staff.select_option("[name=unit]", label="USD")
    expect(suffix).to_have_text("USD")


def test_each_kind_of_reward_shows_its_own_fields(staff: Page) -> None:
    staff.goto(ADD)
    fields = ("points", "per", "whole", "percent", "factor", "of")
    for kind, needed in {
        "fixed": {"points"},
        "per_amount": {"points", "per", "whole", "of"},
        "share": {"percent", "of"},
        "multiplier": {"factor"},
        "top_up": {"points"},
    }.items():
        staff.select_option("[name=kind]", kind)
        for name in fields:
            field = staff.locator(f"[name={name}]")
            expect(field).to_be_visible(visible=name in needed)


def test_an_example_is_clicked_into_the_expression(staff: Page) -> None:
    staff.goto(change("base"))
    staff.click("text=…and an expression holds…")
    staff.click("text=Facts and examples")
    staff.click("button:text('purchase.order_total >= 5000')")
    field = staff.locator("[name=expression]")
    expect(field).to_have_value("purchase.order_total >= 5000")
    expect(field).to_be_focused()
    words = staff.locator("#restated-words")
    expect(words).to_contain_text("Only when: purchase.order_total >= 5000")
    field.fill("purchase.totl > 1")
    expect(words.locator("pre")).to_contain_text("^")


def test_a_made_up_order_is_tried(staff: Page) -> None:
    staff.goto(change("base"))
    expect(staff.locator("[name=trial-total]")).to_be_hidden()
    staff.select_option("[name=trial-source]", "made_up")
    staff.fill("[name=trial-total]", "12.50")
    staff.press("[name=trial-total]", "Enter")
    words = staff.locator("#restated-words")
    expect(words).to_contain_text("On a made-up order of $12.50")
    expect(staff).to_have_url(staff.url.split("?")[0])


def test_rules_change_places_from_the_keyboard(staff: Page) -> None:
    staff.goto(LIST)
    staff.get_by_role("button", name="Move “Second” up").press("Enter")
    expect(staff.locator("#main")).to_contain_text("“Second” was moved.")
    keys = list(Rule.objects.values_list("key", flat=True))
    assert keys == ["second", "base"]


def test_a_server_that_does_not_answer_is_said_to(staff: Page) -> None:
    staff.goto(change("base"))
    expect(staff.locator("#restated-words")).to_contain_text("Members get 1 point")
    silent = staff.locator("#restated-silent")
    expect(silent).to_be_hidden()
    staff.route("**/rule/live/**", lambda route: route.fulfill(status=204, body=""))
    staff.fill("[name=points]", "4")
    expect(silent).to_be_visible()
    staff.unroute("**/rule/live/**")
    staff.fill("[name=points]", "5")
    expect(silent).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_we_added_is_accessible_and_fits(
    scheme: Any, width: int, staff: Page
) -> None:
    staff.emulate_media(color_scheme=scheme)
    staff.set_viewport_size({"width": width, "height": 900})
    staff.goto(change("base"))
    expect(staff.locator("#trial-lines table")).to_be_visible()
    staff.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert staff.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(staff, options={"runOnly": ["wcag2a", "wcag2aa", "wcag22aa"]})
    assert not found.violations_count, found.generate_report()
