"""Content-Security-Policy: strict everywhere, with named exceptions by path."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


class ContentSecurityPolicy(CSPMiddleware):
    """django-csp can exclude a prefix, but not give it a policy of its own."""

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        for prefix, sources in settings.CSP_ADDED_BY_PREFIX.items():
            if request.path_info.startswith(prefix) and parts.update is None:
                parts.update = sources
        return parts
