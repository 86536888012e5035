"""Tests of /healthz and /readyz."""

from unittest.mock import patch

from django.db import OperationalError, connection
from django.test import SimpleTestCase, TestCase


class HealthzTests(SimpleTestCase):
    """It must answer without a database, so these tests have none."""

    def test_answers_ok(self):
        response = self.client.get("/healthz")
        self.assertEqual((response.status_code, response.content), (200, b"ok"))

    def test_refuses_a_post(self):
        self.assertEqual(self.client.post("/healthz").status_code, 405)


class ReadyzTests(TestCase):
    def test_migrated_database_is_ready(self):
        response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.json(), {"status": "ok"})
        self.assertIn("no-store", response["Cache-Control"])

    def test_names_a_missing_migration(self):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertIn("sessions.0001_initial", response.json()["faults"]["migrations"])

    def test_names_an_unreachable_database(self):
        with patch.object(
            connection, "ensure_connection", side_effect=OperationalError
        ):
            response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json()["faults"], {"database": "can't be reached"})


class ForeignHostTests(TestCase):
    def test_a_probe_by_address_is_answered(self):
        for path in ("/healthz", "/readyz"):
            response = self.client.get(path, headers={"host": "10.0.0.5"})
            self.assertEqual(response.status_code, 200)
