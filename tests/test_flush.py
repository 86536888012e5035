"""Tests that tests themselves leave a clean, guarded database behind."""

from django.contrib.auth.models import User
from django.test import TransactionTestCase

from rewards import appendonly


class FlushTests(TransactionTestCase):
    """Whichever comes second finds what the first one left."""

    def test_a_row_is_gone_for_the_next_test(self):
        self.assertFalse(User.objects.exists())
        User.objects.create(username="left behind")

    def test_a_row_is_gone_for_the_next_test_too(self):
        self.test_a_row_is_gone_for_the_next_test()

    def test_triggers_are_back(self):
        self._fixture_teardown()
        self.assertEqual(appendonly.missing(), [])
