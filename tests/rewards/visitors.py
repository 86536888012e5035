"""Visitors of the member pages, and what they read there."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from tests.builders import make_member


def sign_in(customer_id: str) -> Client:
    """A browser in which this member has signed in."""
    member = make_member(customer_id)
    if member.user is None:
        member.user = User.objects.create_user(customer_id)
        member.save(update_fields=["user"])
    client = Client()
    client.force_login(member.user)
    return client


def text_of(page: Any) -> str:
    """The words of the page's main part, one space between them."""
    [main] = re.findall(r"<main.*?</main>", page.content.decode(), re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())
