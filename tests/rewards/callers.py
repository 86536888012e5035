"""A host application that calls the API, for tests."""

from typing import Any

from django.core.cache import cache
from django.test import TestCase

from rewards.models import Decision, Member, Purchase, Report, Settlement, Transfer
from tests.builders import make_api_key

WRITTEN = (Decision, Member, Purchase, Report, Settlement, Transfer)


def count_rows() -> dict[str, int]:
    """How many rows each table of consequence has: equal before and after a refusal."""
    return {model.__name__: model.objects.count() for model in WRITTEN}


class ApiTestCase(TestCase):
    """Calls below /api/v1/ with a key of its own."""

    key: str

    @classmethod
    def setUpTestData(cls) -> None:
        cls.key = make_api_key()

    def setUp(self) -> None:
        cache.clear()
        self.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.key}"

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def put(self, path: str, body: Any = None, **extra: Any) -> Any:
        if body is None:
            return self.client.put(f"/api/v1/{path}", **extra)
        extra.setdefault("content_type", "application/json")
        return self.client.put(f"/api/v1/{path}", body, **extra)

    def assert_problem(self, response: Any, status: int, *said: str) -> dict[str, Any]:
        """Check that this is a problem document of that status, saying these things."""
        self.assertEqual(response.status_code, status, response.content)
        self.assertEqual(response["Content-Type"], "application/problem+json")
        self.assertEqual(response["Cache-Control"], "no-store")
        problem = response.json()
        self.assertEqual(problem["status"], status)
        self.assertLessEqual({"type", "title", "detail"}, problem.keys())
        for words in said:
            self.assertIn(words, problem["detail"])
        return problem
