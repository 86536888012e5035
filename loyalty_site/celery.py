"""The Celery application; its settings are Django's, prefixed CELERY_."""

import os

from celery import Celery, bootsteps
from celery.signals import setup_logging
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_site.settings")

app = Celery("loyalty_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class RefuseUnsafeDatabase(bootsteps.Step):
    """Raises before the worker takes any task."""

    def __init__(self, parent: object, **options: object) -> None:
        from loyalty_site.database import refuse_unsafe_start

        super().__init__(parent, **options)
        refuse_unsafe_start()


app.steps["worker"].update((RefuseUnsafeDatabase, DjangoStructLogInitStep))


@setup_logging.connect
def keep_own_logging(**kwargs: object) -> None:
    """Stop Celery, by being here, from configuring what Django has configured."""
