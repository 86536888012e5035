"""What the site does at start-up."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from loyalty_site.database import refuse_unsafe


class LoyaltySiteConfig(AppConfig):
    name = "loyalty_site"

    def ready(self) -> None:
        from loyalty_site import checks  # noqa: F401  (registers them)

        connection_created.connect(refuse_unsafe)
