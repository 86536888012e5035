"""Pages for what goes wrong: ours, in plain words, without anything private."""

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.views import defaults

from tests.rewards.visitors import sign_in, text_of


@pytest.mark.django_db
def test_an_unknown_address_has_a_page_of_ours():
    answer = sign_in("alice").get("/nowhere/")
    assert answer.status_code == 404
    assert "There is nothing here" in text_of(answer)
    assert "alice" not in answer.content.decode()


@pytest.mark.parametrize(
    ("view", "error", "said"),
    [
        (defaults.bad_request, ValueError("secret"), "We could not read that"),
        (defaults.permission_denied, PermissionError("secret"), "not yours to see"),
        (defaults.page_not_found, LookupError("secret"), "There is nothing here"),
    ],
)
def test_each_error_is_said_in_words(view, error, said):
    answer = view(RequestFactory().get("/"), error)
    assert said in text_of(answer)
    assert "secret" not in answer.content.decode()


def test_our_mistake_needs_nothing_but_its_template():
    answer = defaults.server_error(RequestFactory().get("/"))
    assert "That is our mistake" in text_of(answer)


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_error_pages_lead_home_and_hold_no_style_of_their_own(name):
    page = render_to_string(f"{name}.html")
    assert 'href="/"' in page
    assert "<script" not in page
    assert "style=" not in page
