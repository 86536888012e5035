"""Questions of an orchestrator: does the process serve, and can it do its work?"""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from loyalty_site.metrics import metrics


class HealthGuard:
    """Middleware that answers probes whatever host they name, as an address would."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = PROBES.get(request.path_info)
        return view(request) if view else self.get_response(request)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The broker is no part of this: pages and webhooks work without one."""
    faults = find_faults()
    if faults:
        return JsonResponse({"status": "unavailable", "faults": faults}, status=503)
    return JsonResponse({"status": "ok"})


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


def find_faults() -> dict[str, str]:
    try:
        missing = find_missing_migrations()
    except DatabaseError:
        return {"database": "can't be reached"}
    if missing:
        return {"migrations": f"not applied: {', '.join(missing)}"}
    return {}


def find_missing_migrations() -> list[str]:
    connection.ensure_connection()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, backwards in plan]
