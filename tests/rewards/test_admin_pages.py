"""Every admin page of rewards: it opens, asks few queries, and deletes nothing."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from rewards.models import (
    Account,
    ApiKey,
    Edition,
    Member,
    NetworkAccount,
    Program,
    Purchase,
    Rule,
    Transfer,
    Unit,
)
from tests.builders import make_api_key, publish_program, report, rule, settle_reports
from tests.staff import client_of, count_queries, make_staff, make_superuser

pytestmark = pytest.mark.django_db
MODELS = (
    *(Account, ApiKey, Edition, Member, NetworkAccount, Program, Purchase, Rule),
    *(Transfer, Unit),
)
NEVER_DELETED = tuple(model for model in MODELS if model is not Rule)
names = pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: model._meta.model_name
)


def url_of(model: Any, page: str, *args: object) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def make_orders(first: int, last: int) -> None:
    """Orders of as many members at as many stores, each with something earned."""
    settle_reports(
        *(
            report(
                transaction_id=f"tx-{n}",
                order_id=f"btnorder-{n}",
                customer_id=f"member-{n}",
                merchant=f"org-{n}",
            )
            for n in range(first, last)
        )
    )


@pytest.fixture
def world() -> None:
    publish_program()
    Program.load()
    make_api_key()
    make_orders(0, 3)


@pytest.fixture
def root() -> Any:
    return client_of(make_superuser())


@names
def test_every_list_opens(model: Any, world: None, root: Any) -> None:
    assert root.get(url_of(model, "changelist"), follow=True).status_code == 200


@names
def test_every_object_opens(model: Any, world: None, root: Any) -> None:
    page = root.get(url_of(model, "change", model.objects.first().pk))
    assert page.status_code == 200


@names
def test_who_may_only_view_sees_objects_and_saves_nothing(
    model: Any, world: None
) -> None:
    clerk = client_of(make_staff(f"rewards.view_{model._meta.model_name}"))
    url = url_of(model, "change", model.objects.first().pk)
    assert clerk.get(url).status_code == 200
    assert clerk.post(url, {}).status_code == 403


@names
def test_staff_without_permission_see_nothing(model: Any, world: None) -> None:
    clerk = client_of(make_staff())
    assert clerk.get(url_of(model, "changelist")).status_code == 403
    object_url = url_of(model, "change", model.objects.first().pk)
    assert clerk.get(object_url).status_code == 403


@pytest.mark.parametrize("model", NEVER_DELETED, ids=lambda m: m._meta.model_name)
def test_nothing_but_a_draft_rule_can_be_deleted(
    model: Any, world: None, root: Any
) -> None:
    before = model.objects.count()
    url = url_of(model, "delete", model.objects.first().pk)
    assert root.post(url, {"post": "yes"}).status_code == 403
    assert model.objects.count() == before


def test_deleting_what_is_selected_is_offered_nowhere(root: Any) -> None:
    request = root.get(url_of(Purchase, "changelist")).wsgi_request
    request.user = make_superuser("second")
    offered = {
        model._meta.label
        for model, page in admin.site._registry.items()
        if "delete_selected" in page.get_actions(request)
    }
    assert not offered


@pytest.mark.parametrize(
    "model",
    [Account, Member, NetworkAccount, Purchase, Transfer],
    ids=lambda m: m._meta.model_name,
)
def test_a_longer_list_asks_no_more_queries(model: Any, root: Any) -> None:
    publish_program()
    make_orders(0, 10)
    url = url_of(model, "changelist")
    count_queries(root, url)
    few = count_queries(root, url)
    make_orders(10, 60)
    assert count_queries(root, url) == few


def test_more_rules_ask_no_more_queries(root: Any) -> None:
    def rules(many: int) -> list[dict[str, Any]]:
        when = {"merchants": ["org-1", "org-2"]}
        return [rule(f"rule-{n}", group="bonus", when=when) for n in range(many)]

    publish_program(*rules(10))
    url = url_of(Rule, "changelist")
    count_queries(root, url)
    few = count_queries(root, url)
    publish_program(*rules(60), at=None)
    assert count_queries(root, url) == few


@pytest.mark.parametrize("model", [Purchase, Transfer, Account, Member])
def test_growing_tables_are_never_counted(model: Any, world: None, root: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        root.get(url_of(model, "changelist") + "?_facets=True")
    counted = f'COUNT(*) AS "__count" FROM "{model._meta.db_table}"'
    counts = [query for query in queries if counted in query["sql"]]
    assert not counts


def test_naming_an_object_asks_nothing(
    world: None, django_assert_num_queries: Any
) -> None:
    models = apps.get_app_config("rewards").get_models()
    found = [model.objects.first() for model in models]
    with django_assert_num_queries(0):
        assert all(str(obj) for obj in found if obj)


@pytest.mark.parametrize("id", ["0", "nonsense", "9" * 30])
def test_an_address_of_nothing_is_no_server_error(
    id: str, world: None, root: Any
) -> None:
    for url in (
        url_of(Purchase, "assign", id),
        url_of(Edition, "withdraw", id),
        url_of(ApiKey, "revoke", id),
    ):
        assert root.get(url).status_code == 404


def test_ledger_pages_have_no_form_to_save(world: None, root: Any) -> None:
    for model in (Account, Transfer):
        url = url_of(model, "change", model.objects.first().pk)
        assert 'name="_save"' not in root.get(url).content.decode()
        assert root.post(url, {"amount": 1}).status_code == 403
