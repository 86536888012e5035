"""A member's page for staff, and the member's own pages as staff see them."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import ConsoleMessage, Page, expect

from rewards import restrictions
from rewards.models import Member
from rewards.redemptions.reserving import redeem
from tests.builders import make_click, make_merchant, publish_program, rule
from tests.rewards.redeeming import make_reward
from tests.rewards.spending import earn, take_back
from tests.staff import client_of, make_superuser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.once]

SIZES = {
    "phone": {"width": 390, "height": 844},
    "desk": {"width": 1280, "height": 900},
}


@pytest.fixture
def alice(transactional_db: None) -> Member:
    """Alice, of whom there is something in every section, and who is on hold."""
    publish_program(rule())
    click = make_click(make_merchant(external_id="org-9"))
    earn("1", 30_000, click_reference=click.reference)
    earn("2", 9_100)
    alice, at = Member.objects.get(), timezone.now()
    redeem(
        alice, reward=make_reward(minimum=350, maximum=350), amount=350, key="k", at=at
    )
    take_back("2", at=at)
    by = make_superuser("other")
    restrictions.hold(alice, until=None, reason="A test.", by=by, at=at)
    return alice


@pytest.fixture
def staff(page: Page, live_server: Any) -> Page:
    """The browser, with a superuser signed in, where the console says nothing bad."""
    session = client_of(make_superuser()).cookies["session"].value
    cookie = {"name": "session", "value": session, "url": live_server.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    return page


def complaints(page: Page) -> list[str]:
    """What the console will say of a page."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    page.on("console", note)
    return found


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [v["id"] for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_readable_everywhere(
    size: str, scheme: Any, alice: Member, staff: Page
) -> None:
    said = complaints(staff)
    staff.emulate_media(color_scheme=scheme)
    staff.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    for page in ("change", "hold"):
        staff.goto(f"/admin/rewards/member/{alice.pk}/{page}/")
        staff.wait_for_load_state()
        width = staff.evaluate("document.documentElement.scrollWidth")
        assert width <= SIZES[size]["width"], page
        assert serious(staff) == [], page
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_staff_look_at_the_members_pages_and_leave(
    scheme: Any, alice: Member, staff: Page
) -> None:
    said = complaints(staff)
    staff.emulate_media(color_scheme=scheme)
    staff.set_viewport_size(SIZES["phone"])  # type: ignore[arg-type]
    staff.goto(f"/admin/rewards/member/{alice.pk}/see-pages/")
    staff.click("button:text('See their pages')")
    expect(staff.locator("aside")).to_contain_text("These are the pages of alice")
    for path in ("/", "/redeem/", "/activity/"):
        staff.goto(path)
        assert staff.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious(staff) == [], path
    assert said == []
    staff.click("button:text('Leave')")
    staff.wait_for_url(f"**/member/{alice.pk}/change/")
    expect(staff.locator("#main")).to_contain_text("Saw their pages, until")
    staff.goto("/")
    expect(staff.locator("aside")).to_have_count(0)
