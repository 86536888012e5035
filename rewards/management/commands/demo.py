"""Make a small world to try the server in, and say how."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from rewards import demo

SEND = ".venv/bin/python manage.py send_demo_webhook"


class Command(BaseCommand):
    help = "Make a demo program, stores, a member and a staff login. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        edition = demo.make_world(at=datetime.now(UTC))
        login = demo.make_staff()
        if edition:
            self.stdout.write(
                f"Published the demo program as edition {edition.number}"
                f" ({len(edition.content['rules'])} rules, {len(demo.STORES)} stores)."
            )
        site = f"http://127.0.0.1:{settings.WEB_PORT}"
        self.stdout.write(f"\nMember pages  {site}/")
        self.stdout.write(f"Admin         {site}/admin/   {_said(login)}")
        if sandbox := demo.sandbox_url():
            self.stdout.write(f"Sandbox       {sandbox}/   plays Button, and the shops")
        self.stdout.write("\nReport an order, signed, just as Button would:")
        self.stdout.write(f"  {SEND}\n")


def _said(login: demo.StaffLogin) -> str:
    if login.password:
        return f"user {login.username}   password {login.password}"
    return (
        f"user {login.username}, who has a password already;"
        f" to set another: manage.py changepassword {login.username}"
    )
