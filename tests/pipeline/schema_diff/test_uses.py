"""Whom a breaking change hits: each reader with its file, line and name, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from logging_pkg.pipeline.readers import Readers
from logging_pkg.pipeline.schema_diff import Change
from logging_pkg.pipeline.schema_diff.uses import Uses
from tests.pipeline.schema_diff.declarations import NAME, registry
from tests.pipeline.schema_diff.project import write_project

ALERTS, BOARD, RUNBOOK = "loki/rules/alerts.yaml", "grafana/dashboards/shop.json", "docs/runbooks/PhoneOrders.md"
TESTS = "loki/tests/alerts_test.yaml"


@pytest.fixture
def uses(tmp_path: Path) -> Uses:
    return Uses(Readers(write_project(tmp_path / "project"), registry(tmp_path / "schemas")))


def hits(
    uses: Uses, kind: str, field: str = "", series: tuple[str, ...] = (), option: object = None
) -> list[tuple[str, int, str, str]]:
    places = uses.of(Change(NAME, kind, field, "", series, option))
    return [(place.path, place.line, place.kind, place.name) for place in places]


def test_an_event_that_goes_hits_whoever_names_or_selects_it(uses: Uses) -> None:
    """By name or pattern; who reads all events does not depend on one of them; generated documents follow."""
    assert hits(uses, "event-removed") == [
        (RUNBOOK, 3, "document", ""),
        (RUNBOOK, 6, "document", ""),
        (BOARD, 22, "panel", "Shop: Orders"),
        (ALERTS, 5, "alert", "PhoneOrders"),
        (ALERTS, 8, "alert", "PhoneOrders"),
        (TESTS, 5, "test", "fires on phone orders"),
        (TESTS, 7, "test", "fires on phone orders"),
        (TESTS, 10, "test", "fires on phone orders"),
        ("vector.toml", 1, "file", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field", "expected"),
    [
        ("field-removed", "duration_ms", [(RUNBOOK, 6, "document", "")]),
        ("type-narrowed", "shop", [(ALERTS, 5, "alert", "PhoneOrders"), (TESTS, 6, "test", "fires on phone orders")]),
        ("type-not-numeric", "duration_ms", [(RUNBOOK, 6, "document", "")]),
        ("field-removed", "lines[].sku", [(ALERTS, 8, "alert", "PhoneOrders")]),
        ("field-removed", "lines", [(ALERTS, 8, "alert", "PhoneOrders")]),
        ("field-removed", "lines[].count", []),
        ("sensitivity-changed", "customer", [(ALERTS, 10, "alert", "AnyEvent")]),
        ("dimension-removed", "shop", [(ALERTS, 5, "alert", "PhoneOrders")]),
        ("dimension-removed", "channel", []),
        ("field-removed", "line_count", [(TESTS, 7, "test", "fires on phone orders")]),
        ("field-required", "shop", []),
        ("type-widened", "shop", []),
    ],
)
def test_a_field_hits_who_reads_it(
    uses: Uses, kind: str, field: str, expected: list[tuple[str, int, str, str]]
) -> None:
    """Extracted, filtered, grouped or unwrapped, under whatever label; a dimension only who groups by it."""
    assert hits(uses, kind, field) == expected


def test_an_option_hits_who_asks_for_it(uses: Uses) -> None:
    """As a value or by a pattern it matches, and tests that give it; not who reads the field otherwise."""
    assert hits(uses, "option-removed", "channel", option="phone") == [
        (BOARD, 22, "panel", "Shop: Orders"),
        (ALERTS, 5, "alert", "PhoneOrders"),
        (TESTS, 6, "test", "fires on phone orders"),
    ]
    assert hits(uses, "option-removed", "channel", option="web") == [(TESTS, 7, "test", "fires on phone orders")]


def test_a_metric_hits_who_names_its_series(uses: Uses) -> None:
    """In panels, links and tests; part of a longer name is another name."""
    assert hits(uses, "metric-removed", series=("shop:order_time_ms:p95_5m",)) == [
        (BOARD, 11, "panel", "Shop: Order time")
    ]
    assert hits(uses, "metric-renamed", series=("channel:orders:rate_5m", "orders_total")) == [
        (ALERTS, 7, "alert", "PhoneOrders")
    ]
    assert hits(uses, "metric-removed", series=("orders:rate_5m", "order_time_ms")) == []


def test_what_is_hit_is_quoted(uses: Uses) -> None:
    """`file:line  kind name: text`, to go to and to search for."""
    (place,) = uses.of(Change(NAME, "type-not-numeric", "duration_ms", ""))
    assert str(place) == "docs/runbooks/PhoneOrders.md:6  document: duration_ms"


def test_a_project_without_such_files_has_no_hits(tmp_path: Path) -> None:
    """Nor an error."""
    (tmp_path / "empty").mkdir()
    uses = Uses(Readers(tmp_path / "empty", registry(tmp_path / "schemas")))
    assert hits(uses, "event-removed") == []


def test_tests_of_prometheus_rules_are_readers_of_series(tmp_path: Path) -> None:
    """Whoever takes a metric away has to change the tests of both servers' rules."""
    for directory in ("tests", "prometheus_tests"):
        (tmp_path / "loki" / directory).mkdir(parents=True)
        (tmp_path / "loki" / directory / "a_test.yaml").write_text(
            "tests:\n  - name: a test\n    promql_expr_test: [{expr: 'a:b:sum_5m > 1'}]\n"
        )
    places = sorted(Readers(tmp_path, registry(tmp_path / "schemas")).mentions(["a:b:sum_5m"]))
    assert [(place.path, place.line, place.kind, place.name) for place in places] == [
        ("loki/prometheus_tests/a_test.yaml", 3, "test", "a test"),
        ("loki/tests/a_test.yaml", 3, "test", "a test"),
    ]
