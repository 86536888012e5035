"""What staff change in a form: what stood before, what stands now, and why."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin.models import DELETION, LogEntry
from django.forms.models import model_to_dict
from django.http import HttpRequest
from unfold.admin import ModelAdmin

MOST = 500
"""So many characters of one value, and of the reason, are kept."""


class AuditedAdmin(ModelAdmin):
    """Every addition, change and deletion is logged with its values and its reason.

    As JSON that is not escaped: an erased person's name has to be found in it.
    """

    change_form_after_template = "admin/why.html"

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """What Django says of a form, with the values."""
        names = [name for name in form.changed_data if not _is_secret(form, name)]
        labels = [_label(form, name) for name in form.changed_data]
        told: dict[str, Any] = {"added": {}} if add else {"changed": {"fields": labels}}
        told["after"] = _values(form, names, form.cleaned_data)
        if not add:
            told["before"] = _values(form, names, form.initial)
        return _written(told, request)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            before = {
                str(obj._meta.get_field(name).verbose_name): _short(value)
                for name, value in model_to_dict(obj).items()
            }
            LogEntry.objects.log_actions(
                request.user.pk,  # type: ignore[arg-type]  # somebody is signed in
                [obj],
                DELETION,
                change_message=_written({"deleted": {}, "before": before}, request),
            )


def told(entry: LogEntry) -> dict[str, Any]:
    """What a form's change left here; actions note their own words instead."""
    if not entry.change_message.startswith("[{"):
        return {}
    [found] = json.loads(entry.change_message)
    return dict(found)


def _written(told: dict[str, Any], request: HttpRequest) -> str:
    if why := request.POST.get("why", "").strip():
        told["why"] = why[:MOST]
    return json.dumps([told], ensure_ascii=False)


def _is_secret(form: Any, name: str) -> bool:
    """What has no field is a password, changed by a form of its own."""
    field = form.fields.get(name)
    return field is None or isinstance(field.widget, forms.PasswordInput)


def _label(form: Any, name: str) -> str:
    field = form.fields.get(name)
    return str(field.label) if field else name


def _values(form: Any, names: Sequence[str], source: Any) -> dict[str, str]:
    return {
        _label(form, name): _short(_said(form.fields[name], source.get(name)))
        for name in names
    }


def _said(field: Any, value: Any) -> Any:
    """A value as its form shows it: objects and choices by their names."""
    if isinstance(field, forms.ModelMultipleChoiceField):
        return sorted(map(str, value or ()))
    if isinstance(field, forms.ModelChoiceField):
        return field.to_python(value) if value else ""
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        named = {str(key): label for key, label in choices}
        return named.get(str(value), value)
    return value


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))[:MOST]
    return str(value)[:MOST]
