"""Staff accounts and groups, such that nobody can give himself more than he has."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from loyalty_site.roles import AUDITOR, ROLES
from merchants.admin.audit import AuditedAdmin
from rewards.members import note_changed_sign_in

# Deleting many rows at once is nobody's work here; it only happens by accident.
admin.site.disable_action("delete_selected")

admin.site.unregister(User)
admin.site.unregister(Group)


class PasswordForm(AdminPasswordChangeForm):
    """Sets a password, after which the login's member redeems nothing for a while."""

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            user = super().save(commit)
            note_changed_sign_in(user, at=datetime.now(UTC))
        return user


@admin.register(User)
class UserAdmin(BaseUserAdmin, AuditedAdmin):
    """Only a superuser changes staff, and what anybody may do.

    Nobody is deleted: what they did would lose its author. Make them inactive.
    """

    empty_says = gettext_lazy("There is nobody. Add a login.")
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = PasswordForm

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        shown = ("last_login", "date_joined")
        if request.user.is_superuser:
            return shown
        return (*shown, "is_staff", "is_superuser", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        open_to_all = obj is None or not (obj.is_staff or obj.is_superuser)
        return allowed and (request.user.is_superuser or open_to_all)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if change and "username" in form.changed_data:
            note_changed_sign_in(obj, at=datetime.now(UTC))


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, AuditedAdmin):
    """A group's permissions are its members', so they are a superuser's to give.

    The roles that are shipped stay as they are: each upgrade makes them so again.
    """

    empty_says = gettext_lazy("There are no groups.")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "may") if _is_shipped(obj) else ("name", "permissions")

    @display(description=gettext_lazy("may"))
    def may(self, group: Group) -> SafeString:
        held = group.permissions.select_related("content_type")
        return format_html_join("", "<p>{}</p>", ((one.name,) for one in held))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser and not _is_shipped(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser and not _is_shipped(obj)


def _is_shipped(group: Group | None) -> bool:
    return group is not None and (group.name in ROLES or group.name == AUDITOR)
