"""Random lives of members' balances: earned, given, spent, expired, taken back."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.rewards.money_machine import MoneyMachine

EXAMPLES = {"nightly": 200}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 12)


@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_every_invariant_holds_after_every_step() -> None:
    run_state_machine_as_test(
        MoneyMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
