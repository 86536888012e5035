"""System checks: `manage.py check`; with `--deploy`, those that judge a production."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections


@register(Tags.database)
def check_database(
    app_configs: object, databases: Sequence[str] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report what would otherwise stop the first connection."""
    faults: list[CheckMessage] = []
    for alias in databases or []:
        try:
            connections[alias].ensure_connection()
        except ImproperlyConfigured as error:
            hint = "Keep DATABASES as settings.py makes it, on a local file system."
            faults.append(Error(str(error), hint=hint, id="loyalty.E001"))
    return faults


@register(Tags.security, deploy=True)
def check_strangers(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    """Report what would let strangers in."""
    faults: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        faults.append(
            Error(
                "ALLOWED_HOSTS takes any name.",
                hint="List the names that visitors use; links are built on them.",
                id="loyalty.E002",
            )
        )
    if settings.DEMO:
        faults.append(
            Error(
                "DEMO lets anybody sign in.",
                hint=f"Unset it, also in {settings.DATA_DIR / 'run.env'}.",
                id="loyalty.E003",
            )
        )
    return faults


@register(deploy=True)
def check_intake(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    if settings.BUTTON_WEBHOOK_SECRETS:
        return []
    return [
        Warning(
            "BUTTON_WEBHOOK_SECRETS is empty, so every webhook is answered 503.",
            hint="Copy the secret of your webhook from Button's dashboard.",
            id="loyalty.W001",
        )
    ]


@register(deploy=True)
def check_margin(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    if settings.PUBLISH_MARGIN:
        return []
    return [
        Warning(
            "PUBLISH_MARGIN is 0: an order on its way may meet younger rules.",
            hint="Set it to 300 seconds or more.",
            id="loyalty.W002",
        )
    ]


@register(deploy=True)
def check_scale(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    faults: list[CheckMessage] = []
    if connection.vendor == "sqlite":
        faults.append(
            Info(
                "The database is SQLite: one machine, one writer at a time.",
                hint="Set DATABASE_URL to a PostgreSQL for more.",
                id="loyalty.I001",
            )
        )
    if settings.HTTPS and not settings.TRUST_PROXY:
        faults.append(
            Info(
                "HTTPS is on and TRUST_PROXY off.",
                hint="Behind a proxy that ends TLS, each page would redirect for ever.",
                id="loyalty.I002",
            )
        )
    return faults
