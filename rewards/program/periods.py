"""The periods of limits: days, weeks from Monday, months, years, or for ever. Pure."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


def period_start(period: str, at: datetime, *, zone: ZoneInfo) -> date | None:
    """The first day, in that zone, of the period that holds this time.

    It names the period: two times are in the same one if this is the same. None for
    ``ever``.
    """
    if period == "ever":
        return None
    day = at.astimezone(zone).date()
    match period:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
    return day
