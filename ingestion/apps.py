"""The ingestion app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = _("Ingestion")

    def ready(self) -> None:
        from ingestion import erasure
        from rewards.privacy.erasure import register

        register(erasure.scrub)
