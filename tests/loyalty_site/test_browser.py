"""Tests that the policy lets pages work: each fails on anything the console says."""

import pytest
from django.contrib.auth.models import User

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.once]


def test_admin_signs_in_and_works(page):
    User.objects.create_superuser("staff", password="a long password")
    page.goto("/admin/")
    page.fill("input[name=username]", "staff")
    page.fill("input[name=password]", "a long password")
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    page.goto("/admin/auth/user/")
    page.click("tbody a:text('staff')")
    page.wait_for_selector("input[name=username]")
    assert page.locator("body").evaluate("() => typeof Alpine") == "object"


def test_api_page_is_drawn(page):
    page.goto("/api/docs/")
    page.wait_for_selector(".swagger-ui .info .title")


def test_the_policy_blocks_what_it_should(browser, live_server):
    """The proof that the tests above would see a violation."""
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto("/sign-in/")
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('style'),"
        " {textContent: 'body { color: red }'}))"
    )
    context.close()
    assert any("Content Security Policy" in complaint for complaint in complaints)
