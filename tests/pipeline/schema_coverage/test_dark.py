"""Which rules, alerts and panels hang on something never seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logging_pkg.pipeline.readers import Readers
from logging_pkg.pipeline.schema_coverage import Coverage, in_the_dark
from logging_pkg.schemas import Registry, load_directory
from logging_pkg.schemas.examples import example_lines
from tests.pipeline.schema_diff.declarations import NAME, write
from tests.pipeline.schema_diff.project import write_project


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    write(tmp_path / "schemas", lambda document: document.pop("x-metrics"), "shop.order_paid")
    return load_directory(write(tmp_path / "schemas"))


def dark(tmp_path: Path, registry: Registry, *lines: dict[str, Any]) -> dict[tuple[str, str, int], tuple[str, ...]]:
    coverage = Coverage(registry)
    for line in lines:
        coverage.add(line)
    found = in_the_dark(coverage, Readers(write_project(tmp_path / "project"), registry))
    return {(one.place.kind, one.place.name, one.place.line): one.lacks for one in found}


def line(registry: Registry, event: str = NAME, **fields: Any) -> dict[str, Any]:
    whole = {
        "channel": "phone",
        "customer": "x",
        "lines": [{"sku": "a"}],
        "shop": "a",
        "line_count": 1,
        "duration_ms": 1,
    }
    return next(example_lines(registry, event, 1, first=0)) | whole | fields


def test_everything_hangs_on_an_event_that_never_came(tmp_path: Path, registry: Registry) -> None:
    """Whoever names it, or a series of it; documents and tests do not count."""
    assert dark(tmp_path, registry) == {
        ("alert", "PhoneOrders", 5): (f"event {NAME}",),
        ("alert", "AnyEvent", 10): (f"event shop.order_paid or {NAME}",),
        ("panel", "Shop: Order time", 11): (f"event {NAME}",),
        ("panel", "Shop: Orders", 22): (f"event shop.order_paid or {NAME}",),
    }


def test_nothing_is_left_when_everything_came(tmp_path: Path, registry: Registry) -> None:
    """Of the options those that are asked for."""
    assert dark(tmp_path, registry, line(registry)) == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"channel": "web"}, {("alert", "PhoneOrders"): (f'channel "phone" of {NAME}',), ("panel", "Shop: Orders"): (f'channel "phone" of {NAME}',)}),
        ({"customer": ...}, {("alert", "AnyEvent"): (f"field customer of {NAME}",)}),
        ({"lines": []}, {("alert", "PhoneOrders"): (f"field lines[].sku of {NAME}",)}),
        ({"shop": ...}, {("alert", "PhoneOrders"): (f"field shop of {NAME}",)}),
    ],
)  # fmt: skip
def test_a_field_or_option_that_never_came(
    tmp_path: Path, registry: Registry, fields: dict[str, Any], expected: dict[tuple[str, str], tuple[str, ...]]
) -> None:
    """Named once per reader, however often it reads it."""
    made = {name: value for name, value in line(registry, **fields).items() if value is not ...}
    assert {key[:2]: lacks for key, lacks in dark(tmp_path, registry, made).items()} == expected


def test_a_series_whose_metric_had_no_value(tmp_path: Path, registry: Registry) -> None:
    """The panel that shows it, although its event came; only null is said."""
    panel = tmp_path / "project/grafana/dashboards/lines.json"
    write_project(tmp_path / "project")
    panel.write_text(
        '{"title": "L", "panels": [{"title": "Lines", "targets": [{"expr": "service:order_lines:avg_5m"}]}]}'
    )
    rules = tmp_path / "project/loki/rules/more.yaml"
    rules.write_text(
        "groups:\n- name: g\n  rules:\n  - record: a:b:c\n    expr: "
        'sum(sum_over_time({event="shop.order_placed"} | json n="line_count" | unwrap n [5m]))\n'
    )
    found = dark(tmp_path, registry, line(registry, line_count=None))
    assert {key[:2]: lacks for key, lacks in found.items()} == {
        ("panel", "L: Lines"): ("metric order_lines",),
        ("rule", "a:b:c"): (f"field line_count of {NAME}, which was only null",),
    }
