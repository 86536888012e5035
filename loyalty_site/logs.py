"""Logging: a line of JSON an event, colours on a terminal, never a secret."""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "[removed]"
SECRET_NAMES = re.compile(
    r"authorization|cookie|password|secret|token|signature|api_?key|database_url", re.I
)
SECRET_TEXTS = re.compile(
    r"(?m)\bsk-[\w-]+|\b(?:Bearer|Basic)\s+[\w.~+/=-]+|://[^/\s@]+@"
    # PostgreSQL quotes the row that broke a constraint, and rows hold request bodies.
    r"|^DETAIL:.*$"
    # A member's id is in an address of the API, and what staff search for in a query:
    # both would outlast the member's erasure.
    r"|(?<=/api/v1/members/).+|(?<=/\?)\S+"
)


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Remove values whose name or shape says that they are secret."""
    return _masked(event)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_TEXTS.sub(MASK, value)
    if isinstance(value, Mapping):
        return {
            name: MASK if SECRET_NAMES.search(str(name)) else _masked(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value


def configure(*, console: bool) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return _logging(before=common, last=_renderer(console))


def _renderer(console: bool) -> Processor:
    if console:
        return structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer()


def _logging(*, before: list[Processor], last: Processor) -> dict[str, Any]:
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": before,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            last,
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "structured"}
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # The tick would write lines each second; Celery itself reports failures.
            "django_structlog.celery": {"level": "CRITICAL"},
            "httpx2": {"level": "WARNING"},  # it logs each address, ids and all
            "celery.worker.request": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            # Its handlers would write everything a second time.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
        },
    }
