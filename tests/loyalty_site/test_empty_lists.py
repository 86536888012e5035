"""Every list that is empty says what fills it; a search without result, what to do."""

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.staff import client_of, make_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LISTS = [
    (f"{model._meta.app_label}_{model._meta.model_name}", one)
    for model, one in admin.site._registry.items()
    if model._meta.model_name not in ("program", "user", "group")
]


@pytest.mark.parametrize(("name", "one"), LISTS, ids=[name for name, _ in LISTS])
def test_an_empty_list_says_what_fills_it(name: str, one: admin.ModelAdmin) -> None:
    page = client_of(make_superuser()).get(reverse(f"admin:{name}_changelist"))
    assert not list(page.context["cl"].result_list)
    assert str(one.empty_says).replace("'", "&#x27;") in text_of(page)  # type: ignore[attr-defined]


def test_a_search_without_result_offers_the_whole_list() -> None:
    url = reverse("admin:rewards_member_changelist")
    page = text_of(client_of(make_superuser()).get(url, {"q": "nobody"}))
    assert "Nothing matches" in page
    assert "There are no members yet" not in page
