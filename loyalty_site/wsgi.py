"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application

from ingestion.door import WebhookDoor
from loyalty_site.database import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_site.settings")

application = WebhookDoor(get_wsgi_application())
refuse_unsafe_start()
