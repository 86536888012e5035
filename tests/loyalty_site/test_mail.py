"""Tests of reading EMAIL_URL."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from loyalty_site.mail import configured

pytestmark = pytest.mark.once


def test_a_server_with_a_login_by_tls() -> None:
    mail = configured("smtp+tls://ann%40example.com:p%40ss%3A%2F@mail.example.com")
    assert mail.backend == "django.core.mail.backends.smtp.EmailBackend"
    assert (mail.host, mail.port) == ("mail.example.com", 587)
    assert (mail.user, mail.password) == ("ann@example.com", "p@ss:/")
    assert (mail.use_tls, mail.use_ssl) == (True, False)


@pytest.mark.parametrize(
    ("url", "port", "ssl"),
    [
        ("smtp://mail", 25, False),
        ("smtp+ssl://mail", 465, True),
        ("smtp://m:26", 26, False),
    ],
)
def test_each_scheme_has_its_port(url: str, port: int, ssl: bool) -> None:
    mail = configured(url)
    assert (mail.port, mail.use_ssl, mail.use_tls) == (port, ssl, False)


def test_without_a_server() -> None:
    assert configured("consolemail://").backend.endswith("console.EmailBackend")
    assert configured("dummymail://").backend.endswith("dummy.EmailBackend")


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "smtp://",
        "http://secret@m",
        "smtp://secret@m:x",
        "smtp://[secret",
    ],
)
def test_what_is_malformed_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL is malformed") as caught:
        configured(url)
    assert "secret" not in str(caught.value)
