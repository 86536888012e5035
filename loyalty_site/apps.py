"""What the site does at start-up."""

from django.apps import AppConfig, apps
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from loyalty_site.database import refuse_unsafe


class LoyaltySiteConfig(AppConfig):
    name = "loyalty_site"

    def ready(self) -> None:
        from loyalty_site import checks, roles  # noqa: F401  (checks registers them)

        connection_created.connect(refuse_unsafe)

        # After the last app's migrations: by then every permission exists.
        post_migrate.connect(roles.install, sender=apps.get_app_config("ingestion"))
