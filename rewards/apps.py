"""The rewards app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Rewards")

    def ready(self) -> None:
        from rewards import appendonly, lookups  # noqa: F401  # registers itself

        # SQLite drops a table's triggers whenever a migration rebuilds the table,
        # so they are put back after every migrate, not once in a migration.
        post_migrate.connect(appendonly.install, sender=self)
