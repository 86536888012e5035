"""Times that staff give as the clocks of a place show them."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils.formats import date_format
from django.utils.timezone import make_naive
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2Widget

from rewards.models import Edition, Program
from rewards.program.phrases import moment


class LocalTimesForm(forms.Form):
    """A form whose ``times`` are of a time zone that is chosen beside them."""

    times: tuple[str, ...] = ()

    zone = forms.ChoiceField(
        label=gettext_lazy("Time zone of these times"),
        required=False,
        choices=[(zone, zone) for zone in sorted(available_timezones())],
        widget=UnfoldAdminSelect2Widget({"data-width": "100%"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].initial = Program.load().time_zone

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        zone = ZoneInfo(said.get("zone") or self.fields["zone"].initial)
        for name in self.times:
            if at := said.get(name):
                try:
                    said[name] = instant(make_naive(at), zone=zone)
                except forms.ValidationError as error:
                    self.add_error(name, error)
        return said


def instant(local: datetime, *, zone: ZoneInfo) -> datetime:
    """When clocks there show this, in UTC.

    Raises ValidationError where they never do, or do twice, or where the year is one
    that not every zone can tell.
    """
    if not MINYEAR < local.year < MAXYEAR:
        raise forms.ValidationError(_("The year is out of range."))
    first, second = (
        local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)
    )
    if first.astimezone(zone).replace(tzinfo=None) != local:
        raise forms.ValidationError(
            _("Clocks in %(zone)s skip %(time)s: choose a time before or after.")
            % {"zone": zone.key, "time": _minute(local)}
        )
    if first != second:
        raise forms.ValidationError(
            _(
                "Clocks in %(zone)s show %(time)s twice. Give it in UTC: %(first)s is"
                " the first, %(second)s the second."
            )
            % {
                "zone": zone.key,
                "time": _minute(local),
                "first": _minute(first),
                "second": _minute(second),
            }
        )
    return first


def by_its_clocks(at: datetime | None, edition: Edition) -> str:
    """An instant as the edition's own time zone tells it."""
    return moment(at, zone=ZoneInfo(edition.content.get("time_zone", "UTC")))


def _minute(at: datetime) -> str:
    return date_format(at.replace(tzinfo=None), "j F Y, H:i")
