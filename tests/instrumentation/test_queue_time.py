"""Time in the queue: each proxy's way to write a time, and whatever else stands in a header."""

from __future__ import annotations

import pytest

from logging_pkg.instrumentation.request.queue_time import MAX_QUEUE_MS, queue_time_ms

NOW = 1_750_000_000.5


@pytest.mark.parametrize(
    "header",
    ["t=1750000000.250", "1750000000.250", "t=1750000000250", "1750000000250", "t=1750000000250000", "1750000000250.0"],
)
def test_seconds_milliseconds_and_microseconds(header: str) -> None:
    """nginx, Heroku and Apache; 250 ms each."""
    assert queue_time_ms(header, NOW) == 250.0


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=",
        "now",
        "t=1750000000.750",  # the future: its clock is ahead
        "t=1749990000",  # hours ago
        "-1750000000",
        "t=17500000002",
        "1e9",
        "nan",
        "inf",
        "t=1750000000.250, t=1",
        "t=1750000000.250\n",
        " 1750000000",
        "\u0661\u0667\u0665\u0660\u0660\u0660\u0660\u0660\u0660\u0660",
        "1" * 100_000,
        b"1750000000",
    ],
)
def test_anything_else_is_not_known(header: object) -> None:
    """Neither an exception nor a number that cannot be."""
    assert queue_time_ms(header, NOW) is None


def test_ten_minutes_are_the_most_that_is_believed() -> None:
    """At the bound, and just beyond it."""
    assert queue_time_ms("1750000000", 1_750_000_000 + MAX_QUEUE_MS / 1000) == MAX_QUEUE_MS
    assert queue_time_ms("1750000000", 1_750_000_000 + MAX_QUEUE_MS / 1000 + 0.001) is None
