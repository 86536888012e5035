"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application

from loyalty_site.database import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_site.settings")

application = get_wsgi_application()
refuse_unsafe_start()
