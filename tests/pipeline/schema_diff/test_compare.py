"""Every kind of change is named once, and nothing where nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.pipeline.schema_diff import KINDS, differences
from logging_pkg.pipeline.schema_diff.changes import BREAKING, COMPATIBLE, ENVELOPE
from logging_pkg.schemas import load_directory, load_registry
from tests.pipeline.schema_diff.declarations import DOCUMENT, NAME, registry, write

Change = Callable[[dict[str, Any]], Any]


def without(field: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        del document["properties"][field]
        document["required"] = [name for name in document["required"] if name != field]

    return change


def having(field: str, **keywords: Any) -> Change:
    """A field with other keywords; `...` takes one away."""

    def change(document: dict[str, Any]) -> None:
        schema = document["properties"].setdefault(field, {"description": "New."})
        schema |= {name.replace("_", "-") if name.startswith("x_") else name: value for name, value in keywords.items()}
        document["properties"][field] = {name: value for name, value in schema.items() if value is not ...}

    return change


def metric(number: int, **parts: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["x-metrics"][number] |= parts

    return change


def requiring(*names: str) -> Change:
    return lambda document: document.update(required=list(names))


def both(*changes: Change) -> Change:
    return lambda document: [change(document) for change in changes]


def nested(**members: Any) -> Change:
    return lambda document: document["properties"]["lines"]["items"].update(members)


CHANGES: list[tuple[Change, str, str, str]] = [
    (without("shop"), "field-removed", "shop", "shop is gone"),
    (both(without("customer"), having("buyer", type="string", x_sensitive="hashed")), "field-removed", "customer", "buyer is new and alike: renamed?"),
    (both(having("tenant", type="string"), requiring(*DOCUMENT["required"], "tenant")), "field-required", "tenant", "new, required"),
    (requiring(*DOCUMENT["required"], "shop"), "field-required", "shop", "optional → required"),
    (requiring("channel", "duration_ms"), "field-optional", "line_count", "required → optional"),
    (having("tenant", type="string"), "field-added", "tenant", "new, optional"),
    (having("line_count", type="integer"), "type-narrowed", "line_count", "integer or null → integer"),
    (having("shop", maxLength=200), "type-widened", "shop", "maxLength 64 → maxLength 200"),
    (having("channel", enum=["web"]), "option-removed", "channel", '"phone" is no option any more'),
    (having("channel", enum=["web", "phone", "shop"]), "option-added", "channel", '"shop" is an option now'),
    (having("customer", x_dimension={"bound": 5, "why": "x"}), "dimension-added", "customer", "at most 5 values"),
    (having("shop", x_dimension={"bound": 50, "why": "x"}), "dimension-bound-changed", "shop", "at most 9 values → 50"),
    (having("customer", x_sensitive=...), "sensitivity-changed", "customer", "hashed → in clear"),
    (metric(1, unit="s"), "unit-changed", "", "order_time: unit ms → s"),
    (metric(0, name="orders_placed"), "metric-renamed", "", "orders → orders_placed"),
    (lambda document: document["x-metrics"].pop(), "metric-removed", "", "order_lines is gone"),
    (metric(1, by=["channel"]), "metric-changed", "", "order_time: by [shop] → [channel]"),
    (metric(2, field="duration_ms"), "metric-changed", "", "field line_count → duration_ms; the series keep their names and mean"),
    (lambda document: document["x-metrics"].append({"name": "n", "kind": "counter"}), "metric-added", "", "n is new"),
    (lambda document: document.update({"x-level": "warning"}), "level-changed", "", "info → warning"),
    (lambda document: document.update(deprecated=True), "deprecated", "", "may be removed"),
    (nested(required=["sku", "count"]), "field-required", "lines[].count", "optional → required"),
    (nested(properties={"sku": {"type": "string"}}), "field-removed", "lines[].count", "count is gone"),
    (nested(additionalProperties=False), "type-narrowed", "lines[]", "further members are refused"),
    (having("lines", items=...), "type-widened", "lines", "items may be anything now"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind", "field", "message"), CHANGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_change_is_named_with_its_field_and_what_was_and_is(
    tmp_path: Path, change: Change, kind: str, field: str, message: str
) -> None:
    """Once, and whether it breaks something."""

    def also_valid(document: dict[str, Any]) -> None:
        change(document)
        if kind == "field-removed" and field == "shop":
            document["x-metrics"][1]["by"] = []

    found = differences(registry(tmp_path / "old"), registry(tmp_path / "new", also_valid))
    (named,) = [one for one in found if one.kind == kind]
    assert (named.event, named.field) == (NAME, field)
    assert message in named.message
    assert named.is_breaking == (kind in BREAKING)


def test_kinds_that_change_more_than_one_thing(tmp_path: Path) -> None:
    """A dimension or number that goes takes the metrics with it; events come and go."""
    old = registry(tmp_path / "old")

    def unbounded(document: dict[str, Any]) -> None:
        having("shop", x_dimension=...)(document)
        having("duration_ms", type=["number", "string"])(document)
        del document["x-metrics"][1]

    kinds = {change.kind for change in differences(old, registry(tmp_path / "new", unbounded))}
    assert kinds == {"dimension-removed", "type-not-numeric", "metric-removed"}
    write(tmp_path / "other", name="shop.order_paid")
    other = load_directory(tmp_path / "other")
    assert [(change.event, change.kind) for change in differences(old, other)] == [
        ("shop.order_paid", "event-added"),
        (NAME, "event-removed"),
    ]
    tested = {kind for _change, kind, _field, _message in CHANGES} | kinds | {"event-added", "event-removed"}
    assert tested == set(KINDS)
    assert not set(BREAKING) & set(COMPATIBLE)


def test_a_metric_that_ends_names_its_series_here_and_in_metrics(tmp_path: Path) -> None:
    """What alerts, panels and Prometheus queries may name."""
    found = differences(registry(tmp_path / "old"), registry(tmp_path / "new", metric(1, unit="s", name="order_time")))
    (change,) = [one for one in found if one.kind == "unit-changed"]
    assert change.series == ("shop:order_time_ms:p50_5m", "shop:order_time_ms:p95_5m", "shop:order_time_ms:p99_5m")
    (change,) = differences(registry(tmp_path / "old"), registry(tmp_path / "gone", lambda d: d["x-metrics"].pop(0)))
    assert change.series == ("channel:orders:rate_5m", "orders_total")


def test_the_envelope_is_compared_too(tmp_path: Path) -> None:
    """Its fields are in every line."""
    envelope = {"properties": {"tenant": {"type": "string"}}, "required": []}
    for name, document in (("old", envelope), ("new", {**envelope, "properties": {}})):
        write(tmp_path / name)
        (tmp_path / name / "envelope.json").write_text(json.dumps(document))
    (change,) = differences(load_directory(tmp_path / "old"), load_directory(tmp_path / "new"))
    assert (change.event, change.kind, change.field) == (ENVELOPE, "field-removed", "tenant")


def test_a_schema_against_itself_has_no_difference(tmp_path: Path) -> None:
    """Neither the project's own nor one that has everything; descriptions and dates are none."""
    own = load_registry()
    assert differences(own, own) == []
    assert differences(own, load_registry()) == []

    def described(document: dict[str, Any]) -> None:
        document |= {"description": "Other.", "x-since": "2.0", "examples": [{}]}
        document["properties"]["shop"] |= {"description": "Other.", "examples": ["a"]}

    assert differences(registry(tmp_path / "old"), registry(tmp_path / "new", described)) == []
