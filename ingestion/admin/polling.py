"""Polling as staff see it: how each account is followed, and how far it is read."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from ingestion.admin.rereading import RereadingAdmin
from ingestion.admin.stretches import StretchForm
from ingestion.health.standing import progress
from ingestion.models import Doubt, Job, Poll, Window
from ingestion.polling import ask_for
from merchants.admin.audit import AuditedAdmin
from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    link,
)
from rewards.admin.wording import NOTHING, badge, when

MOST = 20


@admin.register(Poll)
class PollAdmin(AuditedAdmin, DecidingAdmin, TabledAdmin):
    """Staff set the pace. How far it got is the poller's own business."""

    empty_says = gettext_lazy(
        "No account is polled. Accounts are found daily, once BUTTON_API_KEY is set."
    )
    list_display = ("title", "state", "mark", "read_at", "due_at")
    list_select_related = ("account",)
    list_disable_select_all = True
    fields = (
        ("of_account", "state"),
        "enabled",
        ("busy_minutes", "quiet_minutes"),
        "busy_from",
        ("mark", "read_at"),
        "due_at",
        "error",
    )
    readonly_fields = ("of_account", "state", "mark", "read_at", "due_at", "error")
    actions_detail = ("poll_now", "backfill")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Poll, form: ModelForm, change: bool
    ) -> None:
        """Write what staff changed, and nothing that the poller may be writing."""
        obj.save(update_fields=form.changed_data)

    @display(description=gettext_lazy("account"))
    def title(self, poll: Poll) -> str:
        return account_name(poll)

    @display(description=gettext_lazy("account"))
    def of_account(self, poll: Poll) -> SafeString | str:
        return link(poll.account, account_name(poll))

    @display(description=gettext_lazy("state"))
    def state(self, poll: Poll) -> SafeString:
        return state_of(poll)

    def get_tables(self, request: HttpRequest, obj: Poll) -> list[Table]:
        windows = Window.objects.filter(account=obj.account_id)
        return [window_table(windows[:MOST], _("Newest windows"))]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        poll = self.get_object(request, object_id)
        if poll is None or not poll.enabled:
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description=gettext_lazy("Poll now"),
        permissions=["decide"],
        url_path="poll-now",
        icon="sync",
    )
    def poll_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        poll = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            due = Poll.objects.filter(pk=poll.pk, enabled=True)
            if not due.update(due_at=datetime.now(UTC)):
                return ""
            self.log_change(request, poll, "Polled now")
            return _("It is due now, and polled as soon as a worker is free.")

        question = Question(
            title=_("Poll %s now?") % account_name(poll),
            submit=_("Poll now"),
            act=act,
        )
        return self.ask(request, poll, question)

    @action(
        description=gettext_lazy("Backfill"),
        permissions=["decide"],
        url_path="backfill",
        icon="history",
    )
    def backfill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        poll = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            purpose, now = Window.Purpose.BACKFILL, datetime.now(UTC)
            windows = ask_for(poll.account, purpose=purpose, **said, at=now)
            self.log_change(request, poll, f"Backfill of {len(windows)} windows")
            return _("A worker reads it within minutes; its windows show how far.")

        question = Question(
            title=_("Backfill %s") % account_name(poll),
            explanation=_(
                "Everything that changed at Button on these days is read again, week by"
                " week. What is known already changes nothing."
            ),
            submit=_("Backfill"),
            form=StretchForm,
            act=act,
        )
        return self.ask(request, poll, question)


@admin.register(Window)
class WindowAdmin(ReadOnlyAdmin, GrowingAdmin, RereadingAdmin):
    empty_says = gettext_lazy(
        "No stretch has been polled yet. Backfill one from the page of an account "
        "under Polling."
    )
    list_display = (
        *("title", "account", "stretch", "done", "rows", "news", "finished_at"),
    )
    list_select_related = ("account",)
    list_filter = (("purpose", ChoicesDropdownFilter),)
    fields = (
        ("account", "purpose"),
        ("start", "end", "by"),
        "done",
        ("pages", "rows", "news"),
        ("newest", "restarts"),
        "note",
        ("opened_at", "finished_at"),
    )

    @display(description=gettext_lazy("window"))
    def title(self, window: Window) -> str:
        return str(window)

    @display(description=gettext_lazy("stretch"))
    def stretch(self, window: Window) -> str:
        return stretch_of(window)

    @display(description=gettext_lazy("read"))
    def done(self, window: Window) -> SafeString | str:
        return progress_bar(window, at=datetime.now(UTC))


@admin.register(Doubt)
class DoubtAdmin(ReadOnlyAdmin, GrowingAdmin):
    empty_says = gettext_lazy(
        "Nobody is in doubt: no two reports of one second contradict each other."
    )
    list_display = ("title", "start", "end", "due_at", "settled_at")
    list_select_related = ("purchase",)
    fields = ("of_purchase", ("start", "end"), "due_at", "of_window", "settled_at")

    @display(description=gettext_lazy("purchase"))
    def title(self, doubt: Doubt) -> str:
        return str(doubt.purchase)

    @display(description=gettext_lazy("purchase"))
    def of_purchase(self, doubt: Doubt) -> SafeString | str:
        return link(doubt.purchase)

    @display(description=gettext_lazy("read in"))
    def of_window(self, doubt: Doubt) -> SafeString | str:
        return link(doubt.window)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    empty_says = gettext_lazy(
        "No periodic work has been done. Start celery worker and celery beat."
    )
    list_display = ("name", "due_at", "finished_at", "held_until", "said")
    fields = ("name", ("due_at", "finished_at"), "held_until", "error")

    @display(description=gettext_lazy("error"))
    def said(self, job: Job) -> str:
        return Truncator(job.error).chars(80) or NOTHING


def account_name(poll: Poll) -> str:
    account = poll.account
    return f"{account.name} ({account})" if account.name else str(account)


def state_of(poll: Poll) -> SafeString:
    if not poll.enabled:
        return badge(_("off"))
    if poll.error:
        return badge(_("failing"), "danger")
    if poll.read_at is None:
        return badge(_("not read yet"), "info")
    return badge(_("read"), "success")


def stretch_of(window: Window) -> str:
    end = when(window.end) if window.end else _("the newest")
    return _("%(start)s to %(end)s") % {"start": when(window.start), "end": end}


def window_table(windows: QuerySet[Window], title: Any) -> Table:
    now = datetime.now(UTC)
    rows = [
        [
            link(window),
            stretch_of(window),
            progress_bar(window, at=now),
            str(window.rows),
            str(window.news),
            when(window.finished_at),
        ]
        for window in windows
    ]
    headers = [
        *(_("Window"), _("Stretch"), _("Read")),
        *(_("Transactions"), _("Unknown before"), _("Finished")),
    ]
    note = "" if rows else _("Nothing has been read yet.")
    return Table(title, headers, rows, note)


def progress_bar(window: Window, *, at: datetime) -> SafeString | str:
    """How much is read, as a bar; in pages where nobody can tell how many there are."""
    percent = progress(window, at=at)
    if percent is None:
        return _("page %d") % window.pages
    return render_to_string("admin/progress.html", {"percent": percent})
