"""Tests of reading instants that people and files give."""

from datetime import UTC, datetime, timedelta

import pytest

from rewards.instants import parse_instant, parse_rfc3339

RIGHT = {
    "2026-11-01": datetime(2026, 11, 1, tzinfo=UTC),
    "2026-11-01T00:00:00Z": datetime(2026, 11, 1, tzinfo=UTC),
    "2026-11-01t00:00:00z": datetime(2026, 11, 1, tzinfo=UTC),
    "2026-11-01 00:00:00+00:00": datetime(2026, 11, 1, tzinfo=UTC),
    "2026-11-01T00:00:00-05:00": datetime(2026, 11, 1, 5, tzinfo=UTC),
    "2026-11-01T00:00:00.25Z": datetime(2026, 11, 1, 0, 0, 0, 250_000, tzinfo=UTC),
    "2026-11-01T00:00:00.123456789Z": datetime(
        2026, 11, 1, 0, 0, 0, 123_456, tzinfo=UTC
    ),
}
WRONG = [
    "",
    "now",
    "1790000000",
    "20261101",
    "2026-11-01T00:00:00",
    "2026-11-01T00:00Z",
    "2026-11-01T24:00:01Z",
    "2026-02-29T00:00:00Z",
    "2026-11-01T00:00:00+25:00",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-11-01T00:00:00Z\n",
    "２０２６-11-01T00:00:00Z",
]


@pytest.mark.parametrize("text", RIGHT)
def test_an_instant_is_read(text):
    assert parse_instant(text) == RIGHT[text]
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", WRONG)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^is not "):
        parse_instant(text)


def test_a_file_keeps_the_offset_that_was_written():
    read = parse_rfc3339("2026-11-01T00:00:00-05:00")
    assert read.utcoffset() == timedelta(hours=-5)


def test_a_file_needs_more_than_a_date():
    with pytest.raises(ValueError, match="offset"):
        parse_rfc3339("2026-11-01")
