"""The floor of bench-intake: a Django view that does one INSERT, and nothing else."""

import os
from uuid import uuid4

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path


def insert(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_inboundevent (network, source, digest, event_type,"
            " delivery_id, attempt_id, body, received_at, attempts, claimed_by,"
            " outcome, reason) VALUES ('button', 'webhook', %s, 'tx-pending', 'hook',"
            " 'attempt', %s, now(), 0, '', '', '')",
            [uuid4().bytes, request.body],
        )
    return HttpResponse(headers={"Content-Length": "0"})


urlpatterns = [path("webhooks/button/", insert)]

if os.environ.get("BARE"):
    import django

    django.setup()
    settings.MIDDLEWARE = []
    settings.ROOT_URLCONF = __name__
    application = WSGIHandler()
