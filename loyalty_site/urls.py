"""Every address of the site."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from ingestion.admin import health
from loyalty_site.desk import search, server

favicon = RedirectView.as_view(url=static("loyalty_site/icon.svg"))

urlpatterns = [
    path(
        "admin/ingestion/health/",
        admin.site.admin_view(health.page),
        {"server": server.figures, "storage": server.tables},
        name="health",
    ),
    path("admin/find/", admin.site.admin_view(search.page), name="find"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("rewards.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path(
        "api/docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api-schema"),
        name="api-docs",
    ),
    path("favicon.ico", favicon),
    path("", include("rewards.pages.urls")),
    path("", include("ingestion.urls")),
]
