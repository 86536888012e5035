"""Staff for tests of the admin pages: all-powerful, or with named permissions."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

PASSWORD = "correct horse battery"


def make_superuser(username: str = "root") -> User:
    return User.objects.create_superuser(username, password=PASSWORD)


def make_staff(*permissions: str, username: str = "clerk") -> User:
    """A staff login that holds only these permissions, as app.codename."""
    user = User.objects.create_user(username, password=PASSWORD, is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def count_queries(client: Client, url: str) -> int:
    """What a page asks once caches of the process are full, as they soon are."""
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def text_of(response: Any) -> str:
    """The page's text with its no-break spaces as spaces."""
    return response.content.decode().replace("\u00a0", " ")


def said(response: Any) -> list[str]:
    """The messages that the page after this response shows."""
    return [str(message) for message in response.context["messages"]]


def confirm(client: Client, url: str, ticked: dict[str, Any], **said: str) -> Any:
    """The page that tells what became of what is ticked, once staff have said yes."""
    asked = client.post(url, ticked)
    planned = [one.token for one in asked.context["planned"]]
    return client.post(url, {**ticked, "confirmed": "yes", "planned": planned, **said})


def became(response: Any) -> list[str]:
    """What that page says of each row, what failed first."""
    (table,) = response.context["tables"]
    return [str(row[-1]) for row in table.rows]
