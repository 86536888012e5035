"""Staff who look at a member's pages: all to be seen, nothing to be sent, and told."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse
from django.utils import timezone

from merchants.models import Click
from rewards import restrictions
from rewards.models import Member, PayoutDetails, Redemption
from rewards.pages import viewing
from rewards.privacy.erasure import erase
from rewards.redemptions.reserving import redeem
from tests.builders import (
    NOW,
    make_api_key,
    make_click,
    make_member,
    make_merchant,
    publish_program,
    purchase,
    rule,
)
from tests.rewards.redeeming import make_card, make_reward
from tests.rewards.spending import earn
from tests.rewards.visitors import sign_in, text_of
from tests.staff import PASSWORD, client_of, make_staff, make_superuser

pytestmark = pytest.mark.django_db

BANNER = "These are the pages of"
SEES = ("rewards.view_member", "rewards.view_as_member")


@pytest.fixture(autouse=True)
def world(settings: Any) -> None:
    """Alice with orders, visits, a gift card and something more to redeem for."""
    settings.BUTTON_ORGANIZATION_ID = "org-1"
    settings.DEMO = True
    publish_program(rule())
    store = make_merchant(external_id="org-9")
    earn("1", 30_000, click_reference=make_click(store).reference)
    alice = Member.objects.get(customer_id="alice")
    redeem(alice, reward=make_card("CODE-1"), amount=50, key="k", at=NOW)
    make_reward()


@pytest.fixture
def clerk() -> User:
    return make_staff(*SEES)


def begin(by: User, customer_id: str = "alice") -> Client:
    """The browser of staff who have begun to look."""
    client = client_of(by)
    page = client.post(page_of("see_pages", customer_id))
    assert page.status_code == 302
    assert page.url == "/"
    return client


def page_of(action: str, customer_id: str = "alice") -> str:
    member = make_member(customer_id)
    return reverse(f"admin:rewards_member_{action}", args=[member.pk])


def addresses() -> dict[str, str]:
    """Every address outside the admin and the API, by its name."""
    values: dict[str, Any] = {
        "store": {"slug": "lumen-oak"},
        "go": {"slug": "lumen-oak"},
        "redeem-for": {"key": "mug"},
        "redemption": {"public_id": Redemption.objects.get().public_id},
        "redemption-code": {"public_id": Redemption.objects.get().public_id},
        "purchase": {"pk": purchase().pk},
    }
    names = [*_names("rewards.pages.urls"), *_names("ingestion.urls")]
    return {
        name: reverse(name, kwargs=values.get(name))
        for name in names
        if name.partition("-")[0] != "webhook"
    }


def _names(urls: str) -> Iterator[str]:
    yield from (p.name for p in get_resolver(urls).url_patterns if p.name)


def rows() -> dict[str, int]:
    """Everything that is stored, but sessions."""
    names = connection.introspection.table_names()
    with connection.cursor() as cursor:
        found = {}
        for name in names:
            if name != "django_session":
                cursor.execute(f'SELECT COUNT(*) FROM "{name}"')
                found[name] = cursor.fetchone()[0]
    return found


def shown(client: Client, path: str = "/") -> str:
    return client.get(path).content.decode()


class TestLooking:
    def test_every_page_is_the_members_with_a_banner(self, clerk):
        alice, looking = sign_in("alice"), begin(clerk)
        opened = 0
        for name, path in addresses().items():
            own = alice.get(path)
            if name in ("go", "sign-in") or own.status_code != 200:
                continue
            page = looking.get(path)
            assert page.status_code == 200, path
            assert text_of(page) == text_of(own), path
            assert BANNER in page.content.decode()
            assert "no-store" in page.headers["Cache-Control"]
            assert "Sign out" not in page.content.decode()
            opened += 1
        assert opened >= 10

    def test_a_member_without_a_login_has_pages_too(self, clerk):
        make_member("bob")
        assert "bob" in shown(begin(clerk, "bob"))

    def test_of_the_blocked_it_shows_that_they_are(self, clerk):
        alice = Member.objects.get(customer_id="alice")
        by = make_superuser()
        restrictions.block(alice, reason="Fraud.", by=by, at=timezone.now())
        page = begin(clerk).get("/")
        assert page.status_code == 403
        assert "This membership is blocked." in text_of(page)
        assert BANNER in page.content.decode()

    def test_it_is_in_the_audit_log(self, clerk):
        begin(clerk)
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_repr) == (clerk, "alice")
        assert entry.change_message.startswith("Saw their pages, until ")

    def test_a_page_reads_and_never_writes(self, clerk):
        looking = begin(clerk)
        before = rows()
        for path in addresses().values():
            with CaptureQueriesContext(connection) as queries:
                looking.get(path)
            sent = {query["sql"].partition(" ")[0] for query in queries}
            assert sent <= {"SELECT", "DECLARE"}, path
        assert rows() == before

    def test_the_admin_stays_the_staffs_own(self, clerk):
        looking = begin(clerk)
        assert looking.get(page_of("change")).status_code == 200
        assert BANNER not in shown(looking, page_of("change"))


class TestSendingNothing:
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
    def test_every_address_refuses_it(self, clerk, method):
        looking, before = begin(clerk), rows()
        form = {
            "amount": "50",
            "nonce": "x",
            "url": "https://lumenoak.example/",
            "method": "bank",
            "details": "DE02 1203 0000",
            "username": "clerk",
            "password": PASSWORD,
        }
        for path in addresses().values():
            answer = getattr(looking, method)(path, form if method == "post" else None)
            assert answer.status_code == 403, path
            assert "Nothing can be sent" in text_of(answer)
        assert rows() == before
        assert BANNER in shown(looking), "and it goes on"

    def test_a_confirmed_redemption_is_refused(self, clerk):
        looking = begin(clerk)
        nonce = looking.get("/redeem/for/mug/").context["nonce"]
        given = {"amount": "50", "nonce": nonce}
        assert looking.post("/redeem/for/mug/", given).status_code == 403
        assert Redemption.objects.count() == 1
        assert not PayoutDetails.objects.exists()

    @pytest.mark.parametrize("method", ["get", "head"])
    def test_no_link_leads_to_a_store(self, clerk, method):
        looking, before = begin(clerk), Click.objects.count()
        assert getattr(looking, method)("/go/lumen-oak/").status_code == 403
        assert Click.objects.count() == before

    @pytest.mark.django_db(transaction=True)  # what is refused breaks one off
    def test_the_database_takes_nothing_from_a_page_that_would_write(
        self, clerk, monkeypatch
    ):
        monkeypatch.setattr(viewing, "DEPARTURES", frozenset())
        looking, before = begin(clerk), Click.objects.count()
        assert looking.get("/go/lumen-oak/").status_code == 403
        assert Click.objects.count() == before

    def test_the_api_is_not_reached_by_it(self, clerk):
        make_api_key()
        looking = begin(clerk)
        answer = looking.get("/api/v1/members/alice/")
        assert answer.status_code == 401
        answer = looking.post("/api/v1/members/alice/links/", {"merchant": "org-9"})
        assert answer.status_code == 403


class TestBeginning:
    @pytest.mark.parametrize("held", [(), SEES[:1], ("rewards.change_member",)])
    def test_only_with_the_permission(self, held):
        client = client_of(make_staff(*held, username="other"))
        assert client.post(page_of("see_pages")).status_code == 403
        assert BANNER not in shown(client)
        assert not LogEntry.objects.exists()

    def test_a_look_begins_by_a_form_of_ours_alone(self, clerk):
        client = Client(enforce_csrf_checks=True)
        client.force_login(clerk)
        assert client.get(page_of("see_pages")).status_code == 200
        assert client.post(page_of("see_pages")).status_code == 403
        assert BANNER not in shown(client)

    def test_who_was_erased_has_no_pages(self, clerk):
        alice = Member.objects.get(customer_id="alice")
        erase(alice, by=None, at=NOW)
        url = reverse("admin:rewards_member_see_pages", args=[alice.pk])
        client = client_of(clerk)
        assert client.post(url).context["form"].non_field_errors()
        assert BANNER not in shown(client)

    def test_members_themselves_are_not_touched(self, clerk):
        alice = sign_in("alice")
        begin(clerk)
        assert BANNER not in shown(alice)
        assert alice.get("/activity/").status_code == 200
        assert alice.session["_auth_user_id"] == str(
            Member.objects.get(customer_id="alice").user_id
        )


class TestEnding:
    def over(self, looking: Client) -> None:
        """The next request ends it, a sent form too, and then there is no more."""
        before = rows()
        answer = looking.post("/redeem/payout/", {"method": "bank", "details": "DE"})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
        assert rows() == before
        assert BANNER not in shown(looking)

    def test_by_leaving(self, clerk):
        looking = begin(clerk)
        left = looking.post(page_of("leave"))
        assert left.url == page_of("change")
        assert BANNER not in shown(looking)

    def test_by_itself(self, clerk, monkeypatch):
        looking = begin(clerk)
        later = timezone.now() + viewing.LASTS
        monkeypatch.setattr(timezone, "now", lambda: later)
        self.over(looking)

    def test_not_before(self, clerk, monkeypatch):
        looking = begin(clerk)
        later = timezone.now() + viewing.LASTS - timedelta(seconds=30)
        monkeypatch.setattr(timezone, "now", lambda: later)
        assert BANNER in shown(looking)

    def test_when_the_permission_goes(self, clerk):
        looking = begin(clerk)
        clerk.user_permissions.clear()
        self.over(looking)

    def test_when_they_are_staff_no_more(self, clerk):
        looking = begin(clerk)
        User.objects.filter(pk=clerk.pk).update(is_staff=False)
        answer = looking.get("/")
        assert answer.status_code == 302
        assert BANNER not in shown(looking)

    def test_when_the_member_is_erased(self, clerk):
        looking = begin(clerk)
        erase(Member.objects.get(customer_id="alice"), by=None, at=NOW)
        self.over(looking)

    @pytest.mark.parametrize("how", ["logged out", "inactive", "another password"])
    def test_with_the_session(self, clerk, how):
        looking = begin(clerk)
        if how == "logged out":
            looking.post(reverse("admin:logout"))
        elif how == "inactive":
            User.objects.filter(pk=clerk.pk).update(is_active=False)
        else:
            clerk.set_password("another battery staple")
            clerk.save()
        looking.get("/")
        page = looking.get("/activity/")
        assert page.status_code == 302
        assert page.url.startswith("/sign-in/")

    def test_whoever_signs_in_next_has_none_of_it(self, clerk):
        looking = begin(clerk)
        other = make_staff(*SEES, username="other")
        looking.force_login(other)
        assert BANNER not in shown(looking)

    def test_their_own_membership_comes_back(self, clerk):
        own = make_member("clerk")
        own.user = clerk
        own.save()
        looking = begin(clerk)
        assert looking.get("/activity/").context["user"].member.pk != own.pk
        looking.post(page_of("leave"))
        assert looking.get("/activity/").context["user"].member.pk == own.pk
