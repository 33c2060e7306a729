"""Tests of logging_pkg.analysis.tables.

In: events made here. Out: assertions on rows. Never: a server.
"""

from __future__ import annotations

import math
import statistics

import pytest

from logging_pkg.analysis.tables import Column, Table, TableRow, quantile, table_rows

_TABLE = Table("T", "a.b_done", ("route", "code"), (Column("n", "count"), Column("mean", "mean", "ms")), "mean")


def test_groups_have_their_numbers_and_stand_in_order() -> None:
    """The highest first, those without a number last, ties by name; null and missing fields are the empty text."""
    events = [
        {"event": "a.b_done", "route": "/slow", "code": 200, "ms": 30},
        {"event": "a.b_done", "route": "/slow", "code": 200, "ms": 50},
        {"event": "a.b_done", "route": "/b", "code": None, "ms": 10.5},
        {"event": "a.b_done", "route": "/a", "ms": 10.5},
        {"event": "a.b_done", "route": "/none", "code": 200, "ms": None},
        {"event": "other.thing_done", "route": "/slow", "code": 200, "ms": 1},
    ]
    rows = table_rows(_TABLE, events)
    assert rows == [
        TableRow(("/slow", "200"), (2.0, 40.0)),
        TableRow(("/a", ""), (1.0, 10.5)),
        TableRow(("/b", ""), (1.0, 10.5)),
        TableRow(("/none", "200"), (1.0, None)),
    ]
    assert table_rows(_TABLE, events, limit=2) == rows[:2]


def test_only_what_the_table_asks_for_counts() -> None:
    """`where` compares texts, as a label filter does."""
    table = Table("T", "a.b_done", (), (Column("n", "count"),), "n", (("is_error", "1"),))
    events = [{"event": "a.b_done", "is_error": flag} for flag in (1, 0, 1, None)]
    assert table_rows(table, events) == [TableRow((), (2.0,))]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.95, 1.0])
def test_quantiles_are_those_of_the_standard_library(share: float) -> None:
    """Type 7: `inclusive` in `statistics`."""
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.3]
    cuts = [min(values), *statistics.quantiles(values, n=100, method="inclusive"), max(values)]
    assert quantile(share, values) == pytest.approx(cuts[int(share * 100)])
    assert quantile(share, [7.0]) == 7.0
    assert math.isnan(quantile(share, []))
