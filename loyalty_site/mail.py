"""Where mail goes, from one URL."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BACKENDS = {"consolemail": "console", "dummymail": "dummy"}
SMTP_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


@dataclass(frozen=True)
class Mail:
    """What Django's EMAIL_ settings say."""

    backend: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    use_tls: bool = False
    use_ssl: bool = False


def configured(url: str) -> Mail:
    """The settings of EMAIL_URL. Raises ImproperlyConfigured."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _malformed() from None
    if parts.scheme in BACKENDS:
        return Mail(backend=_backend(BACKENDS[parts.scheme]))
    if parts.scheme not in SMTP_PORTS or not host:
        raise _malformed()
    return Mail(
        backend=_backend("smtp"),
        host=host,
        port=port or SMTP_PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_tls=parts.scheme == "smtp+tls",
        use_ssl=parts.scheme == "smtp+ssl",
    )


def _backend(name: str) -> str:
    return f"django.core.mail.backends.{name}.EmailBackend"


def _malformed() -> ImproperlyConfigured:
    """Says nothing of the URL: there is a password in it."""
    return ImproperlyConfigured(
        "EMAIL_URL is malformed: write smtp+tls://user:password@host:587 (or smtp://,"
        " smtp+ssl://, consolemail://); write @ : / in a password as %40 %3A %2F."
    )
