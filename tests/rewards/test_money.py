"""Amounts for people: integers in, the reader's own way of writing out."""

from types import SimpleNamespace

import pytest
from django.utils.translation import override

from rewards.money import currency_amount, unit_amount, unit_name, unit_number

POINTS = SimpleNamespace(code="points", name="point", name_plural="points", decimals=0)
STARS = SimpleNamespace(code="stars", name="star", name_plural="stars", decimals=2)
DOLLARS = SimpleNamespace(code="USD", name="dollar", name_plural="dollars", decimals=2)


@pytest.mark.parametrize(
    ("amount", "unit", "said"),
    [
        (600, POINTS, "600\xa0points"),
        (1, POINTS, "1\xa0point"),
        (0, POINTS, "0\xa0points"),
        (-1, POINTS, "-1\xa0point"),
        (1_234_567, POINTS, "1,234,567\xa0points"),
        (100, STARS, "1.00\xa0star"),
        (150, STARS, "1.50\xa0stars"),
        (1, STARS, "0.01\xa0stars"),
        (302, DOLLARS, "$3.02"),
        (-302, DOLLARS, "-$3.02"),
    ],
)
def test_a_unit_amount_has_its_decimals_and_its_name(amount, unit, said):
    assert unit_amount(amount, unit=unit) == said


def test_the_figure_alone_keeps_a_currencys_sign():
    assert unit_number(1250, unit=POINTS) == "1,250"
    assert unit_number(1250, unit=DOLLARS) == "$12.50"
    assert unit_name(1, unit=POINTS) == "point"


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (9100, "USD", "$91.00"),
        (9100, "JPY", "¥9,100"),
        (9100, "EUR", "€91.00"),
        (1500, "KWD", "KWD1.500"),
        (1500, "IQD", "IQD1.500"),  # shops there use none of its decimals
        (5, "CLF", "CLF0.0005"),
        (-7, "USD", "-$0.07"),
        (10**18 + 1, "USD", "$10,000,000,000,000,000.01"),
        (12, "", "12"),
        (12, "???", "12\xa0???"),
    ],
)
def test_a_currency_has_the_decimals_of_iso_4217(amount, currency, said):
    assert currency_amount(amount, currency=currency) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "$1,234.56"),
        ("en-gb", "US$1,234.56"),
        ("es", "1.234,56\xa0US$"),
        ("de", "1.234,56\xa0$"),
        ("tlh", "$1,234.56"),  # a language that nobody has figures for
    ],
)
def test_the_readers_language_decides_the_signs(language, said):
    with override(language):
        assert currency_amount(123456, currency="USD") == said


def test_without_a_language_there_is_a_fallback():
    with override(None):
        assert unit_amount(1000, unit=POINTS) == "1,000\xa0points"
