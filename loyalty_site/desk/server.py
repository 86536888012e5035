"""The server itself, for its health page: workers, migrations, versions, storage."""

import platform
from collections.abc import Iterator
from datetime import datetime, timedelta

import django
from django.conf import settings
from django.db import connection
from django.template.defaultfilters import filesizeformat
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ingestion.models import InboundEvent, Job
from loyalty_site.health import find_missing_migrations
from merchants.admin.tables import Table

EACH_MINUTE = "alarms"
LATE = timedelta(minutes=5)
LARGEST = 8

_POSTGRESQL_SIZE = "SELECT pg_database_size(current_database())"
_SQLITE_SIZE = (
    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
)
_LARGEST = """
    SELECT relname, greatest(reltuples, 0)::bigint, pg_total_relation_size(oid) AS size
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    ORDER BY size DESC LIMIT %s
"""


def figures(at: datetime) -> Iterator[dict[str, str]]:
    yield _workers(at)
    missing = find_missing_migrations()
    yield {
        "title": _("Migrations"),
        "value": str(len(missing)) if missing else _("all applied"),
        "note": _("not applied: %s") % ", ".join(missing) if missing else "",
    }
    yield {
        "title": _("Version"),
        "value": settings.VERSION,
        "note": f"Django {django.__version__}, Python {platform.python_version()},"
        f" {_database()}",
    }
    yield _storage(at)


def tables() -> list[Table]:
    """What takes most room; SQLite doesn't tell."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_LARGEST, [LARGEST])
        found = cursor.fetchall()
    rows = [[name, f"{count:,}", filesizeformat(size)] for name, count, size in found]
    headers = [_("Table"), _("Rows, about"), _("With its indexes")]
    return [Table(_("What takes most room"), headers, rows)]


def _workers(at: datetime) -> dict[str, str]:
    """Beat and a worker are alive if what is to be done each minute has been done."""
    job = Job.objects.filter(name=EACH_MINUTE).values_list("finished_at").first()
    done = job[0] if job else None
    alive = done is not None and at - done < LATE
    ago = _("%s ago") % timesince(done, at, depth=1) if done else _("never")
    return {
        "title": _("Workers and beat"),
        "value": _("at work") if alive else _("silent"),
        "note": _("last did what is due each minute: %s") % ago
        if alive
        else _("last did their work: %s. Start celery worker and celery beat.") % ago,
    }


def _storage(at: datetime) -> dict[str, str]:
    postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(_POSTGRESQL_SIZE if postgres else _SQLITE_SIZE)
        [size] = cursor.fetchone()
    since = at - timedelta(days=1)
    count = InboundEvent.objects.filter(received_at__gt=since).count()
    said = ngettext("%d event in the last day", "%d events in the last day", count)
    return {
        "title": _("Database"),
        "value": filesizeformat(size),
        "note": said % count,
    }


def _database() -> str:
    found = connection.get_database_version()
    return f"{connection.display_name} {'.'.join(map(str, found))}"
