"""How often one API key may call."""

from math import ceil
from time import time

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView


class PerKey(BaseThrottle):
    """So many calls a minute for each key, counted from full minute to full minute."""

    calls = 1200
    seconds = 60

    def allow_request(self, request: Request, view: APIView) -> bool:
        window = int(time() // self.seconds)
        name = f"api-calls:{request.user.pk}:{window}"
        self.used = self._count(name)
        request._request.rate_limit = self.headers()  # type: ignore[attr-defined]
        return self.used <= self.calls

    def _count(self, name: str) -> int:
        try:
            return cache.incr(name)
        except ValueError:  # the first call this minute
            cache.set(name, 1, timeout=2 * self.seconds)
            return 1

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return self.seconds - time() % self.seconds

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.calls),
            "RateLimit-Remaining": str(max(self.calls - self.used, 0)),
            "RateLimit-Reset": str(ceil(self.wait())),
        }
