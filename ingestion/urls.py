"""Addresses of the member pages that may ask Button."""

from django.urls import path

from ingestion.pages import pasted_link

urlpatterns = [path("go/", pasted_link, name="pasted-link")]
