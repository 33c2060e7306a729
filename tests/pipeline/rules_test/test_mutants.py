"""Mutants are what a slip of the keyboard in a limit would be, and none that no line could show."""

from __future__ import annotations

import pytest

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.rules_test.mutate import Mutant, Verdict, mutants_of, table
from tests.pipeline.rules_test.files import REGISTRY, alert

S = 1_000_000_000
COUNT = 'sum by (a) (count_over_time({b="c"}[1m]))'


def changes(expr: str) -> list[tuple[str, str, bool]]:
    """What was changed to what, and whether a test could notice; `for` left out."""
    mutants = mutants_of(alert(expr), 30 * S, REGISTRY)
    return [(m.original, m.changed, not m.indistinct) for m in mutants if not m.original.startswith("for")]


def test_a_limit_is_changed_by_a_hundredth() -> None:
    """In the expression, and nowhere else in it."""
    expr = 'avg_over_time({b="c"} | unwrap x [1m]) by (a) > 1000'
    assert changes(expr) == [("> 1000", "> 990", True), ("> 1000", "> 1010", True)]
    assert mutants_of(alert(expr), S, REGISTRY)[0].rule.expr == expr.replace("1000", "990")


def test_whole_numbers_are_changed_by_one() -> None:
    """Counts, and sums of fields that the schema says are integers."""
    assert changes(f"{COUNT} >= 5") == [(">= 5", ">= 4", True), (">= 5", ">= 6", True)]
    units = 'sum(sum_over_time({event="google_api.call_finished"} | json quota_units="quota_units" | unwrap quota_units [1m]))'
    assert changes(f"{units} >= 5") == [(">= 5", ">= 4", True), (">= 5", ">= 6", True)]
    flags = 'max_over_time({event="http.request_finished"} | json is_error="is_error" | unwrap is_error [1m]) by (a)'
    assert changes(f"{flags} > 0") == [("> 0", "> -1", True), ("> 0", "> 1", True)]
    lags = 'max_over_time({event="shipper.status_reported"} | json lag_s="lag_s" | unwrap lag_s [1m]) by (a)'
    assert changes(f"{lags} > 30") == [("> 30", "> 29.7", True), ("> 30", "> 30.3", True)]
    unknown = 'max_over_time({event="http.request_finished"} | unwrap nothing_declared [1m]) by (a)'
    assert changes(f"{unknown} > 0") == [("> 0", "> -0.01", True), ("> 0", "> 0.01", True)]


def test_factors_are_limits_too_and_a_quotient_is_no_whole_number() -> None:
    """0.8 of one count is compared with another."""
    assert changes(f"{COUNT} > 0.8 * {COUNT}") == [("0.8 *", "0.792 *", True), ("0.8 *", "0.808 *", True)]
    assert changes(f"{COUNT} / 60 >= 1") == [
        (">= 1", ">= 0.99", True),
        (">= 1", ">= 1.01", True),
        ("/ 60", "/ 59.4", True),
        ("/ 60", "/ 60.6", True),
    ]


def test_a_count_is_never_below_one() -> None:
    """So > 0 and > -1 are the same, >= 1 and > 0 likewise; > 1 is not."""
    assert changes(f"{COUNT} > 0") == [("> 0", "> -1", False), ("> 0", "> 1", True)]
    assert changes(f"{COUNT} >= 1") == [(">= 1", ">= 0", False), (">= 1", ">= 2", True)]
    assert changes(f"count({COUNT} > 2) > 0")[:2] == [("> 0", "> -1", False), ("> 0", "> 1", True)]


def test_for_is_changed_by_one_evaluation() -> None:
    """Not below 0."""
    mutants = mutants_of(alert("vector(1)", for_ns=60 * S), 30 * S, REGISTRY)
    assert [(m.original, m.changed, m.rule.for_ns) for m in mutants] == [
        ("for: 1m", "for: 30s", 30 * S),
        ("for: 1m", "for: 1m30s", 90 * S),
    ]
    assert [m.changed for m in mutants_of(alert("vector(1)"), 30 * S, REGISTRY)] == ["for: 30s"]


def test_what_cannot_be_taken_apart_is_said() -> None:
    """Rather than counted as tested."""
    with pytest.raises(RuleError, match=r"rules\.yaml:1: A: this LogQL cannot be taken apart"):
        mutants_of(alert("no logql ("), S, REGISTRY)


def test_the_table_sums_up_and_shows_survivors() -> None:
    """A mutant that is the same as its rule is none."""
    rule = alert("vector(1)")
    lines = table(
        [
            Verdict(Mutant(rule, "> 1", "> 2"), "a test"),
            Verdict(Mutant(rule, "> 1", "> 0"), ""),
            Verdict(Mutant(rule, "> 0", "> -1", "the same: a count is 1 or more"), ""),
        ]
    )
    assert lines == [
        "alert  in place of  was   found by",
        "A      > 1          > 2   a test",
        "A      > 1          > 0   ✗ no test: SURVIVED",
        "A      > 0          > -1  – the same: a count is 1 or more",
        "3 mutants: 1 found, 1 survived, 1 that no line can tell from the rule",
    ]
