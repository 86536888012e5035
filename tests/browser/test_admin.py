"""Admin in a browser: pages without a complaint, and what needs a hand on the mouse."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from ingestion import processing
from rewards.models import Edition, Member, NetworkAccount, Purchase, Reward, Rule, Unit
from rewards.program import draft
from tests.builders import (
    MERCHANT,
    balances,
    make_api_key,
    make_member,
    post_webhook,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    webhook_body,
)
from tests.rewards.redeeming import make_card
from tests.staff import client_of, make_superuser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.once]
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def staff(page: Page, live_server: Any) -> Page:
    """The browser, with a superuser signed in."""
    session = client_of(make_superuser()).cookies["session"].value
    cookie = {"name": "session", "value": session, "url": live_server.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    return page


@pytest.fixture
def world(client: Any) -> None:
    over = {"merchants": [MERCHANT], "ends_at": "2020-01-01T00:00:00+00:00"}
    publish_program(rule(), rule("extra", group="bonus", when=over))
    settle_reports(report(merchant_name="Lumen & Oak Lamps and Furniture"))
    make_card()
    make_api_key()
    post_webhook(client, b"not JSON")
    processing.drain()


def addresses() -> list[str]:
    purchase, member = Purchase.objects.get(), Member.objects.get()
    account, edition = NetworkAccount.objects.get(), Edition.objects.get()
    return [
        "/admin/",
        *(f"/admin/rewards/{name}/" for name in ("purchase", "account", "transfer")),
        *(f"/admin/rewards/{name}/" for name in ("rule", "unit", "edition", "apikey")),
        "/admin/ingestion/inboundevent/",
        "/admin/ingestion/health/",
        *(f"/admin/ingestion/{name}/" for name in ("alarm", "poll", "window", "job")),
        *(f"/admin/ingestion/{name}/" for name in ("doubt", "reconciliation")),
        *(f"/admin/merchants/{name}/" for name in ("merchant", "click")),
        *(f"/admin/merchants/{name}/" for name in ("cataloguesync", "trackinghost")),
        "/admin/rewards/rule/add/",
        "/admin/rewards/endpoint/add/",
        f"/admin/rewards/reward/{Reward.objects.get().pk}/codes/",
        "/admin/rewards/edition/publish/",
        f"/admin/rewards/edition/{edition.pk}/change/",
        f"/admin/rewards/purchase/{purchase.pk}/change/",
        f"/admin/rewards/purchase/{purchase.pk}/assign/",
        f"/admin/rewards/networkaccount/{account.pk}/leave_out/",
        f"/admin/rewards/member/{member.pk}/change/",
        f"/admin/rewards/rule/{Rule.objects.first().pk}/change/",
        f"/admin/rewards/unit/{Unit.objects.first().pk}/change/",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_open_without_a_complaint_and_fit_a_phone(
    scheme: Any, world: None, staff: Page
) -> None:
    staff.emulate_media(color_scheme=scheme)
    staff.set_viewport_size(PHONE)  # type: ignore[arg-type]
    wider = []
    for address in addresses():
        assert staff.goto(address).status == 200, address  # type: ignore[union-attr]
        width = staff.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wider.append((address, width))
    assert not wider


def test_the_rule_form_shows_what_its_reward_needs(world: None, staff: Page) -> None:
    staff.goto("/admin/rewards/rule/add/")

    def shown(name: str) -> Locator:
        return staff.locator(f"[name={name}]")

    expect(shown("points")).to_be_visible()
    expect(shown("percent")).to_be_hidden()
    staff.select_option("[name=kind]", "share")
    expect(shown("percent")).to_be_visible()
    expect(shown("of")).to_be_visible()
    expect(shown("points")).to_be_hidden()
    staff.select_option("[name=kind]", "per_amount")
    expect(shown("per")).to_be_visible()
    expect(shown("percent")).to_be_hidden()


def test_a_rule_is_made_for_a_store_not_yet_known(world: None, staff: Page) -> None:
    staff.goto("/admin/rewards/rule/add/")
    staff.fill("[name=label_text]", "Three points a dollar")
    staff.fill("[name=key]", "three")
    staff.select_option("[name=unit]", label="points")
    staff.select_option("[name=kind]", "per_amount")
    staff.fill("[name=points]", "3")
    staff.fill("[name=per]", "1.00")
    for name, text in (("merchants", "org-not-yet"), ("currencies", "USD")):
        search = staff.locator(f".field-{name} .select2-search__field")
        search.fill(text)
        # Enter takes what is highlighted, once the server has answered.
        found = staff.locator(".select2-results__option--highlighted", has_text=text)
        found.wait_for()
        search.press("Enter")
    staff.click("[name=_save]")
    staff.wait_for_url("**/rewards/rule/")
    made = Rule.objects.get(key="three")
    assert made.when == {"merchants": ["org-not-yet"], "currencies": ["USD"]}
    assert made.reward["kind"] == "per_amount"


def test_opening_and_saving_a_rule_changes_nothing(world: None, staff: Page) -> None:
    before = draft.raw()
    extra = Rule.objects.get(key="extra")
    staff.goto(f"/admin/rewards/rule/{extra.pk}/change/")
    staff.click("[name=_save]")
    staff.wait_for_url("**/rewards/rule/")
    assert draft.raw() == before


def test_rules_are_dragged_into_another_order(world: None, staff: Page) -> None:
    staff.goto("/admin/rewards/rule/")
    handles = staff.locator("#result_list [x-sort\\:handle]")
    handles.nth(1).drag_to(handles.nth(0))
    expect(staff.locator("#result_list tbody").first).to_contain_text("extra")
    staff.click("[name=_save]")
    staff.wait_for_load_state()
    assert list(Rule.objects.values_list("key", flat=True)) == ["extra", "base"]


def test_a_purchase_is_assigned(world: None, staff: Page) -> None:
    make_member("bob")
    staff.goto(f"/admin/rewards/purchase/{purchase().pk}/change/")
    staff.click("text=Assign to a member")
    staff.fill("[name=customer_id]", "bob")
    staff.fill("[name=reason]", "He sent the receipt.")
    staff.click("button:text('Assign')")
    staff.wait_for_url("**/change/")
    expect(staff.locator("#main")).to_contain_text("The purchase belongs to bob now.")
    expect(staff.locator("#main")).to_contain_text("He sent the receipt.")
    assert balances("bob") == {("points", "pending"): 91}


def test_a_ticked_event_is_processed_again(
    world: None, staff: Page, client: Any, settings: Any
) -> None:
    settings.BUTTON_ORGANIZATION_ID = "org-somebody-else"
    post_webhook(client, webhook_body())
    processing.drain()
    settings.BUTTON_ORGANIZATION_ID = ""
    staff.goto("/admin/ingestion/inboundevent/?outcome=quarantined")
    staff.locator("tr", has_text="is not ours").locator("input.action-select").check()
    staff.select_option("[name=action]", "process_selected_again")
    staff.click("button:text('Run')")
    staff.get_by_role("button", name="Process all of them again").click()
    expect(staff.locator("#main")).to_contain_text("1 of 1 done.")
    assert balances("alice")["points", "pending"] == 91 + 155


def test_purchases_are_filtered_by_a_store(world: None, staff: Page) -> None:
    staff.goto("/admin/rewards/purchase/")
    staff.click("text=Filters")
    staff.select_option("[name=status__exact]", "validated")
    staff.click("button:text('Apply Filters')")
    staff.wait_for_url("**status__exact=validated**")
    assert not staff.locator("#result_list").count()
