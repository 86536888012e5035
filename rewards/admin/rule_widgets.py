"""Fields and widgets of the rule form that Django has none for."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse_lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextInputWidget,
)

from merchants.models import Merchant
from rewards.admin.wording import merchant_names

Choices = Iterable[tuple[str, Any]]
WIDE = {"data-width": "100%"}  # not as wide as the longest choice


class TagsWidget(UnfoldAdminSelect2MultipleWidget):
    """A list to choose from and to type into: what is chosen is always offered."""

    choices: Choices

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({**WIDE, "data-tags": "true", **(attrs or {})})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        """What was chosen, without what PostgreSQL can't even be asked for."""
        said = super().value_from_datadict(data, files, name) or []
        return [text.replace("\0", "") for text in said]

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> list[Any]:
        offered = dict(iter(self.choices))
        others = [(text, text) for text in value if text not in offered]
        self.choices = [*offered.items(), *others]
        return super().optgroups(name, value, attrs)


class MerchantsWidget(TagsWidget):
    """Merchants, looked up on the server as staff type; other ids may be typed."""

    def __init__(self) -> None:
        super().__init__({"data-ajax--url": reverse_lazy("admin:rewards_rule_stores")})

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> list[Any]:
        names = merchant_names(value)
        self.choices = [(id, merchant_choice(id, names.get(id, ""))) for id in value]
        return super().optgroups(name, value, attrs)


class MerchantWidget(UnfoldAdminSelect2Widget):
    """One merchant, looked up in the same way."""

    def __init__(self) -> None:
        super().__init__(
            {
                **WIDE,
                "data-tags": "true",
                "data-allow-clear": "true",
                "data-placeholder": "-",
                "data-ajax--url": reverse_lazy("admin:rewards_rule_stores"),
            },
            choices=[("", "")],
        )


def merchant_choice(id: str, name: str) -> str:
    return f"{name} ({id})" if name else id


def merchants_like(term: str, *, most: int) -> list[dict[str, str]]:
    """The first merchants whose name or id has this in it, for an autocomplete."""
    named = Q()
    for column in ("name", "own_name", "external_id"):
        named |= Q(**{f"{column}__icontains": term})
    found = Merchant.objects.filter(named).values_list("external_id", "name")
    return [{"id": id, "text": merchant_choice(id, name)} for id, name in found[:most]]


class TagsField(forms.MultipleChoiceField):
    """Several texts; they need not be among those suggested."""

    widget = TagsWidget

    def __init__(self, *, suggest: Callable[[], Choices] = list, **kwargs: Any) -> None:
        super().__init__(required=False, choices=suggest, **kwargs)

    def valid_value(self, value: str) -> bool:
        return True


class AmountField(forms.DecimalField):
    """An amount in major units, with what it is counted in shown beside it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            min_value=0,
            max_digits=21,
            widget=amount_widget("unit"),
            **kwargs,
        )


def amount_widget(counted_in: str) -> UnfoldAdminTextInputWidget:
    """``counted_in``: unit, or money, or percent; the page's script says which."""
    attrs = {"suffix": _suffix(counted_in), "inputmode": "decimal"}
    return UnfoldAdminTextInputWidget(attrs)


def _suffix(counted_in: str) -> SafeString:
    return format_html('<span data-counted-in="{}"></span>', counted_in)
