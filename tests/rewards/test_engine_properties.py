"""The engine against an independent one, on random programs and orders."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rewards import comparison

pytestmark = pytest.mark.once
SEEDS = st.integers(0, 2**64)


@settings(max_examples=500)
@given(SEEDS)
def test_it_agrees_with_the_reference(seed: int) -> None:
    assert comparison.difference(Random(seed)) is None


@settings(max_examples=500)
@given(SEEDS)
def test_it_does_not_matter_how_an_order_was_given_back(seed: int) -> None:
    assert comparison.split_difference(Random(seed)) is None
