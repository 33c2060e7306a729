"""Tests of logging_pkg.analysis.release_comparison.

In: rows made here. Out: assertions on verdicts. Never: a server.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from logging_pkg.analysis.release_comparison import compare
from logging_pkg.analysis.tables import TableRow, table_rows
from logging_pkg.pipeline.event_tables import RELEASE_ROUTES

_COLUMNS = RELEASE_ROUTES.columns


def row(route: str = "/", **changed: float) -> TableRow:
    usual = {"count": 200.0, "p50": 100.0, "p95": 180.0, "mean": 105.0, "stddev": 30.0, "queries": 3.0, "errors": 0.0}
    values = {**usual, **changed}
    return TableRow((route,), tuple(values[column.title] for column in _COLUMNS))


@pytest.mark.parametrize(
    ("after", "worse", "better"),
    [
        ({}, (), ()),
        ({"p95": 230.0, "mean": 120.0}, ("slower",), ()),
        ({"p95": 215.0, "mean": 120.0}, (), ()),  # not a fifth more
        ({"p95": 230.0, "mean": 112.0, "count": 30.0}, (), ()),  # not certain
        ({"p50": 60.0, "mean": 70.0}, (), ("faster",)),
        ({"queries": 3.5}, ("more queries",), ()),
        ({"queries": 3.4}, (), ()),
        ({"queries": 1.0, "errors": 0.02}, ("more errors",), ("fewer queries",)),
        ({"errors": 0.009}, (), ()),
    ],
)
def test_verdicts(after: dict[str, float], worse: tuple[str, ...], better: tuple[str, ...]) -> None:
    """Certain and large enough; or nothing is said."""
    (change,) = compare(_COLUMNS, [row()], [row(**after)])
    assert (change.worse, change.better, change.is_judged) == (worse, better, True)


def test_a_few_milliseconds_do_not_matter() -> None:
    """Twice of next to nothing is next to nothing."""
    fast = {"p50": 4.0, "p95": 8.0, "mean": 4.0, "stddev": 1.0}
    (change,) = compare(_COLUMNS, [row(**fast)], [row(**{name: 2 * value for name, value in fast.items()})])
    assert change.worse == ()


def test_few_events_new_and_gone_groups_are_not_judged() -> None:
    """They are there, with what is known of them; what got worse stands first."""
    before = [row("/a"), row("/few", count=29.0), row("/gone")]
    after = [row("/few", errors=1.0), row("/new"), row("/a", errors=0.5, count=31.0)]
    changes = compare(_COLUMNS, before, after)
    assert [(change.key[0], change.is_judged, change.worse) for change in changes] == [
        ("/a", True, ("more errors",)),
        ("/few", False, ()),
        ("/new", False, ()),
        ("/gone", False, ()),
    ]
    assert changes[2].before is None
    assert changes[3].after is None


@pytest.mark.parametrize(
    ("stretch", "share_found"), [(lambda _: 1.0, 0.0), (lambda _: 1.5, 1.0)], ids=["the same", "half as slow again"]
)
def test_on_samples(stretch: Callable[[int], float], share_found: float) -> None:
    """Of 200 pairs of releases with the skewed times of web pages: none alike is called slower, all slower ones are."""
    chosen = random.Random(7)

    def events(factor: float) -> list[dict[str, object]]:
        times = [chosen.lognormvariate(4.5, 0.6) * factor for _ in range(300)]
        base = {"event": "http.request_finished", "route": "/", "query_count": 3, "is_error": 0}
        return [{**base, "response_time_ms": ms} for ms in times]

    found = 0
    for number in range(200):
        old, new = (table_rows(RELEASE_ROUTES, events(factor)) for factor in (1.0, stretch(number)))
        found += compare(_COLUMNS, old, new)[0].worse == ("slower",)
    assert found / 200 == share_found
