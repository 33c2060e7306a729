"""What a stream exercises is counted by event, field, option and metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logging_pkg.pipeline.schema_coverage import Coverage
from logging_pkg.pipeline.schema_coverage.seen import MAX_NAMES
from logging_pkg.schemas import Registry, load_registry
from logging_pkg.schemas.examples import example_lines
from tests.pipeline.schema_diff.declarations import NAME, write

REGISTRY = load_registry()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return load_registry([write(tmp_path)])


def line(registry: Registry, **fields: Any) -> dict[str, Any]:
    return next(example_lines(registry, NAME, 1, first=0)) | {"line_count": None} | fields


def covered(registry: Registry, *lines: dict[str, Any] | None) -> Coverage:
    coverage = Coverage(registry)
    for each in lines:
        coverage.add(each)
    return coverage


def test_a_field_is_seen_missing_or_only_null(registry: Registry) -> None:
    """At every depth: lists of objects included."""
    seen = covered(registry, line(registry, shop="a", lines=[{"sku": "b"}])).events[NAME]
    assert seen.line_count == 1
    assert seen.never() == ["customer", "lines[].count"]
    assert seen.only_null() == ["line_count"]
    again = covered(registry, line(registry), line(registry, line_count=3)).events[NAME]
    assert again.only_null() == []
    assert "lines[].sku" in again.never()


def test_options_of_enums(registry: Registry) -> None:
    """Each value that came."""
    seen = covered(registry, line(registry, channel="web"), line(registry, channel="web")).events[NAME]
    assert seen.fields["channel"].options == {"web": 2, "phone": 0}
    assert seen.fields["channel"].missing_options == ["phone"]


def test_a_metric_needs_its_number(registry: Registry) -> None:
    """A null gives Loki nothing to unwrap; a count of events needs an event."""
    seen = covered(registry, line(registry)).events[NAME]
    assert seen.metrics == {"orders": 1, "order_time": 1, "order_lines": 0}


def test_what_is_no_valid_event_exercises_nothing(registry: Registry) -> None:
    """And is counted: unreadable, undeclared, invalid. A sentence in place of a name is not repeated."""
    coverage = covered(
        registry,
        None,
        {"event": "shop.order_lost"},
        {"event": "user a@b.example left"},
        {},
        line(registry, channel="fax"),
    )
    assert (coverage.unreadable_count, coverage.invalid_count, coverage.line_count) == (1, 1, 0)
    assert coverage.undeclared == {"shop.order_lost": 1, "(no event name)": 2}
    assert coverage.events[NAME].line_count == 0


def test_undeclared_names_without_end_take_no_memory_without_end() -> None:
    """After the first ones they are counted together."""
    coverage = covered(REGISTRY, *({"event": f"a.b{number}"} for number in range(MAX_NAMES + 5)))
    assert len(coverage.undeclared) == MAX_NAMES + 1
    assert coverage.undeclared["(further names)"] == 5


def test_only_wanted_events_are_to_be_covered() -> None:
    """Lines of others are valid all the same."""
    coverage = Coverage(REGISTRY, lambda name: name.startswith("sync."))
    coverage.add(next(example_lines(REGISTRY, "process.sampled", 1)))
    assert set(coverage.events) == {"sync.run_finished", "sync.schedule_checked"}
    assert coverage.line_count == 1


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_examples_of_an_event_cover_it(event: str) -> None:
    """Every field has a value and every metric its number within eight examples; options as many as there are examples."""
    seen = covered(REGISTRY, *example_lines(REGISTRY, event, 12)).events[event]
    assert (seen.never(), seen.only_null()) == ([], [])
    assert all(seen.metrics.values())
    assert not [path for path, field in seen.fields.items() if field.missing_options and "[]" not in path]
