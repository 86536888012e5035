"""The rule form's fields, a class for each part of the sentence that a rule is."""

from collections.abc import Iterable
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from merchants.currencies import EXPONENTS
from merchants.models import Merchant
from rewards.admin.rule_widgets import (
    WIDE,
    AmountField,
    MerchantsWidget,
    TagsField,
    amount_widget,
)
from rewards.models import Member, NetworkAccount

ZONES = [(zone, zone) for zone in sorted(available_timezones())]
FIRST = (
    ("", _("whichever order it is")),
    ("ever", _("their first order ever")),
    ("merchant", _("their first order at the store")),
)
SHOPPERS = (
    ("new-user-order", _("new to the store")),
    ("existing-user-order", _("bought there before")),
)
CHANNELS = (("app", _("in the app")), ("webview", _("in a web view")))
DAYS = (
    ("monday", _("Monday")),
    ("tuesday", _("Tuesday")),
    ("wednesday", _("Wednesday")),
    ("thursday", _("Thursday")),
    ("friday", _("Friday")),
    ("saturday", _("Saturday")),
    ("sunday", _("Sunday")),
)
KINDS = (
    ("fixed", _("the same for every order")),
    ("per_amount", _("so much per amount spent")),
    ("share", _("a percentage back")),
    ("multiplier", _("a multiple of the base award")),
    ("top_up", _("at least so much in all")),
)
AMOUNTS = (("order_total", _("the order total")), ("commission", _("our commission")))
PERIODS = (
    ("day", _("a day")),
    ("week", _("a week, from Monday")),
    ("month", _("a month")),
    ("year", _("a year")),
    ("ever", _("ever")),
)
NEWEST_MEMBERS = 1000


def _segments() -> Iterable[tuple[str, str]]:
    newest = Member.objects.values_list("segments", flat=True)[:NEWEST_MEMBERS]
    used = {str(segment) for segments in newest for segment in segments}
    return [(segment, segment) for segment in sorted(used)]


def _store_categories() -> Iterable[tuple[str, str]]:
    known = Merchant.objects.exclude(categories=[]).values_list("categories", flat=True)
    used = {str(category) for categories in known for category in categories}
    return [(category, category) for category in sorted(used)]


def _accounts() -> Iterable[tuple[str, str]]:
    known = NetworkAccount.objects.exclude(external_id="")
    return [
        (id, f"{name} ({id})" if name else id)
        for id, name in known.values_list("external_id", "name")
    ]


class WhoFields(forms.Form):
    """When a member…"""

    segments = TagsField(
        label=_("Is in one of the segments"),
        suggest=_segments,
        help_text=_("Empty: every member."),
    )
    first_purchase = forms.ChoiceField(
        label=_("Places"), required=False, choices=FIRST, widget=UnfoldAdminSelectWidget
    )
    order_categories = forms.MultipleChoiceField(
        label=_("And is, as the store says"),
        required=False,
        choices=SHOPPERS,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


class OrderFields(forms.Form):
    """…shops…"""

    merchants = TagsField(
        label=_("At"),
        widget=MerchantsWidget,
        help_text=_(
            "Search by name; an id can be typed too, known here or not."
            " Empty: every store."
        ),
    )
    merchant_categories = TagsField(
        label=_("At stores for"),
        suggest=_store_categories,
        help_text=_("Categories of stores in the catalogue."),
    )
    currencies = forms.MultipleChoiceField(
        label=_("Paying in"),
        required=False,
        choices=[(code, code) for code in sorted(EXPONENTS)],
        widget=UnfoldAdminSelect2MultipleWidget({**WIDE}),
        help_text=_("Currency of the order total. Empty: every currency."),
    )
    min_order_total = forms.CharField(
        label=_("Spending at least"), required=False, widget=amount_widget("money")
    )
    max_order_total = forms.CharField(
        label=_("Spending at most"), required=False, widget=amount_widget("money")
    )
    channels = forms.MultipleChoiceField(
        label=_("Using"),
        required=False,
        choices=CHANNELS,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    countries = TagsField(
        label=_("In the countries"), help_text=_("Codes of two letters, such as US.")
    )
    accounts = TagsField(
        label=_("Reported in the accounts"),
        suggest=_accounts,
        help_text=_("Our accounts at the network."),
    )


class TimeFields(forms.Form):
    """…at a time…"""

    starts_at = forms.SplitDateTimeField(
        label=_("From"), required=False, widget=UnfoldAdminSplitDateTimeWidget
    )
    ends_at = forms.SplitDateTimeField(
        label=_("Until, not included"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    zone = forms.ChoiceField(
        label=_("Those times are of"),
        choices=ZONES,
        widget=UnfoldAdminSelect2Widget({**WIDE}),
    )
    weekdays = forms.MultipleChoiceField(
        label=_("On"),
        required=False,
        choices=DAYS,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None ticked: every day."),
    )
    time_zone = forms.ChoiceField(
        label=_("Those days are of"),
        required=False,
        choices=[("", _("the program's own time zone")), *ZONES],
        widget=UnfoldAdminSelect2Widget({**WIDE}),
    )


class ExpressionFields(forms.Form):
    """…and something special holds…"""

    expression = forms.CharField(
        label=_("Expression"),
        required=False,
        widget=UnfoldAdminTextareaWidget(
            {"rows": 3, "spellcheck": "false", "class": "font-mono"}
        ),
    )


class ItemFields(forms.Form):
    """…counting only some items…"""

    categories = TagsField(
        label=_("In the categories"),
        help_text=_("Of the items, as the store reports them; capitals don't matter."),
    )
    skus = TagsField(label=_("With the SKUs"))
    gtins = TagsField(label=_("With the GTINs"))
    item_attributes = TagsField(
        label=_("With the attributes"), help_text=_("Written key=value.")
    )


class RewardFields(forms.Form):
    """…they get…"""

    kind = forms.ChoiceField(
        label=_("They get"), choices=KINDS, widget=UnfoldAdminSelectWidget
    )
    points = forms.CharField(
        label=_("Namely"), required=False, widget=amount_widget("unit")
    )
    per = forms.CharField(
        label=_("For each"), required=False, widget=amount_widget("per")
    )
    whole = forms.BooleanField(
        label=_("Whole steps only"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("On: 1.99 per 1.00 counts once. Off: in proportion."),
    )
    percent = forms.CharField(
        label=_("Percent"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"suffix": "%", "inputmode": "decimal"}),
    )
    factor = forms.CharField(
        label=_("Times the base award"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}),
        help_text=_("2 doubles it, 1.5 adds half, 100 makes a hundred of one."),
    )
    of = forms.ChoiceField(
        label=_("Of"), required=False, choices=AMOUNTS, widget=UnfoldAdminSelectWidget
    )


class LimitFields(forms.Form):
    """…at most…"""

    per_order = AmountField(label=_("An order"))
    per_member = AmountField(label=_("A member"))
    per_member_period = forms.ChoiceField(
        label=_("Counted over"),
        required=False,
        choices=PERIODS,
        initial="month",
        widget=UnfoldAdminSelectWidget,
        help_text=_("By the program's calendar; what a return frees counts again."),
    )
    per_member_count = forms.IntegerField(
        label=_("Orders of one member"),
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("How many orders of a member the rule pays, ever."),
    )
    budget = AmountField(label=_("In all"), help_text=_("The rule's whole budget."))
