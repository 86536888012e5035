"""Re-runs in the admin: previewed, approved by another, applied, undone exactly."""

from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from rewards import reruns
from rewards.backtests.running import run
from rewards.models import Edition, Rerun, Transfer
from tests.builders import (
    MERCHANT,
    ORDERED,
    balances,
    fixed,
    make_merchant,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.staff import (
    client_of,
    count_queries,
    make_staff,
    make_superuser,
    text_of,
)

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/rerun/"
NEW = f"{LIST}new/"
SKIPPED = {"zone": "America/New_York", "start_0": "2026-03-08", "start_1": "02:30"}
POWERS = ("view", "add", "change")


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


@pytest.fixture
def bob() -> Client:
    return client_of(make_staff(*(f"rewards.{verb}_rerun" for verb in POWERS)))


@pytest.fixture
def generous() -> Edition:
    """A second edition, which came after alice's order and would give her 500."""
    publish_program(rule())
    settle_reports(report())
    now = timezone.now()
    return publish_program(rule(reward=fixed("500")), now=now.replace(year=2025))


def filled_in(edition: Edition, **changes: Any) -> dict[str, Any]:
    """What a browser sends for the day of alice's order."""
    return {
        "edition": edition.pk,
        "start_0": f"{ORDERED:%Y-%m-%d}",
        "start_1": "00:00",
        "end_0": f"{ORDERED:%Y-%m-%d}",
        "end_1": "23:59",
        "zone": "UTC",
        "reason": "A promise that we made.",
        **changes,
    }


def ask(client: Client, edition: Edition, **changes: Any) -> Rerun:
    client.post(NEW, filled_in(edition, **changes))
    return Rerun.objects.get()


def preview(rerun: Rerun) -> None:
    """What a worker does."""
    run(rerun.preview)


def page_of(rerun: Rerun, action: str = "change") -> str:
    return reverse(f"admin:rewards_rerun_{action}", args=[rerun.pk])


def test_a_rerun_is_asked_for_and_moves_nothing(
    root: Client, generous: Edition
) -> None:
    before = Transfer.objects.count()
    rerun = ask(root, generous)
    assert (rerun.edition, rerun.asked_by and rerun.asked_by.username) == (
        generous,
        "root",
    )
    assert not rerun.preview.finished_at
    text = text_of(root.get(page_of(rerun)))
    assert "Workers preview it. Nothing moves until it is applied." in text
    assert reverse("admin:rewards_backtest_progress", args=[rerun.preview.pk]) in text
    assert Transfer.objects.count() == before


def test_a_preview_shows_what_it_would_change(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    preview(rerun)
    text = text_of(root.get(page_of(rerun)))
    assert "500 points" in text
    assert "+409 points" in text
    assert "It can be applied. Nothing has moved yet." in text
    assert balances() == {("points", "pending"): 91}


def test_without_its_preview_it_is_not_applied(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    assert "Preview it first" in text_of(root.post(page_of(rerun, "apply")))
    rerun.refresh_from_db()
    assert rerun.state == "draft"


def test_it_is_applied_and_undone_to_the_point(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    preview(rerun)
    assert "1 purchase is worked out under Edition 2" in text_of(
        root.get(page_of(rerun, "apply"))
    )
    root.post(page_of(rerun, "apply"))
    assert "being applied" in text_of(root.get(page_of(rerun))).lower()
    reruns.work_reruns(at=timezone.now())
    assert balances() == {("points", "pending"): 500}
    assert "1 purchase gets back exactly the awards" in text_of(
        root.get(page_of(rerun, "undo"))
    )
    assert "This field is required" in text_of(root.post(page_of(rerun, "undo"), {}))
    root.post(page_of(rerun, "undo"), {"reason": "It was a mistake."})
    reruns.work_reruns(at=timezone.now())
    assert balances() == {("points", "pending"): 91}
    rerun.refresh_from_db()
    assert rerun.state == "undone"


@override_settings(REQUIRE_APPROVAL=True)
def test_another_person_approves(root: Client, bob: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    preview(rerun)
    text = text_of(root.get(page_of(rerun)))
    assert "Somebody other than root has to approve" in text
    assert "second person" in text_of(root.post(page_of(rerun, "apply")))
    assert page_of(rerun, "approve") not in text
    assert "approve of it." in text_of(root.post(page_of(rerun, "approve")))
    assert page_of(rerun, "approve") in text_of(bob.get(page_of(rerun)))
    bob.post(page_of(rerun, "approve"))
    root.post(page_of(rerun, "apply"))
    rerun.refresh_from_db()
    assert (rerun.state, str(rerun.approved_by)) == ("applying", "clerk")


def test_a_page_offers_what_its_state_allows(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)

    def offered() -> set[str]:
        text = text_of(root.get(page_of(rerun)))
        actions = ("preview", "approve", "apply", "undo", "drop")
        return {name for name in actions if f'href="{page_of(rerun, name)}"' in text}

    assert offered() == {"preview", "apply", "drop"}
    root.post(page_of(rerun, "drop"))
    assert offered() == set()
    for action in ("approve", "apply", "drop", "undo", "preview"):
        answer = root.post(page_of(rerun, action), {"reason": "Again."})
        assert answer.status_code == 200, action
    rerun.refresh_from_db()
    assert (rerun.state, rerun.approved_at) == ("dropped", None)


def test_a_preview_is_asked_for_again(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    first = rerun.preview.pk
    root.post(page_of(rerun, "preview"))
    assert Rerun.objects.get().preview.pk != first


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": ""}, "This field is required"),
        ({"end_1": "00:00"}, "ends before it begins"),
        ({"merchants": ["org-nobody"]}, "No merchant has the id org-nobody."),
        (
            {"zone": "America/New_York", "start_0": "2026-03-08", "start_1": "02:30"},
            "skip",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, Any], told: str, root: Client, generous: Edition
) -> None:
    assert told in text_of(root.post(NEW, filled_in(generous, **changes)))
    assert not Rerun.objects.exists()


def test_stores_and_local_times_narrow_it(root: Client, generous: Edition) -> None:
    make_merchant("Toys", external_id="org-toys")
    rerun = ask(root, generous, merchants=["org-toys"], zone="Asia/Tokyo")
    assert f"{rerun.start:%H:%M}" == "15:00"
    assert not reruns.purchases(rerun).exists()
    assert "Toys" in text_of(root.get(LIST))


def test_the_bar_of_a_rerun_under_way(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    preview(rerun)
    root.post(page_of(rerun, "apply"))
    bar = page_of(rerun, "progress")
    assert bar in text_of(root.get(page_of(rerun)))
    assert 'aria-valuenow="0"' in text_of(root.get(bar))
    reruns.work_reruns(at=timezone.now())
    assert root.get(bar).headers["HX-Refresh"] == "true"


def test_each_action_asks_for_its_permission(root: Client, generous: Edition) -> None:
    rerun = ask(root, generous)
    viewer = client_of(make_staff("rewards.view_rerun", username="viewer"))
    assert viewer.get(page_of(rerun)).status_code == 200
    for action in ("preview", "approve", "apply", "undo", "drop"):
        assert viewer.post(page_of(rerun, action)).status_code == 403
    assert viewer.post(NEW, filled_in(generous)).status_code == 403
    stranger = client_of(make_staff(username="stranger"))
    for url in (LIST, page_of(rerun), page_of(rerun, "progress")):
        assert stranger.get(url).status_code == 403


def test_more_reruns_cost_no_more_queries(root: Client, generous: Edition) -> None:
    ask(root, generous)
    few = count_queries(root, LIST)
    for _ in range(3):
        root.post(NEW, filled_in(generous, merchants=[MERCHANT]))
    assert count_queries(root, LIST) == few
