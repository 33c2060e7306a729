"""What a panel needs follows from the metric: titles, units, queries, legends."""

from __future__ import annotations

import re

import pytest

from logging_pkg.pipeline.generate import rules_of
from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.panels import all_panel_parts, panel_parts
from logging_pkg.schemas import load_registry

REGISTRY = load_registry()


def parts(event: str, name: str):
    schema = REGISTRY.events[event]
    return panel_parts(schema, next(metric for metric in schema.metrics if metric.name == name))


@pytest.mark.parametrize(
    ("event", "name", "title", "unit", "series", "legend"),
    [
        (
            "http.request_finished", "http_requests", "HTTP requests per second, by route, method, status_class", "cps",
            "route_method_status_class:http_requests:rate_5m", "{{route}} {{method}} {{status_class}}",
        ),
        (
            "http.request_finished", "http_response_time", "HTTP response time, by route", "ms",
            "route:http_response_time_ms:p50_5m", "p50 {{route}}",
        ),
        (
            "http.request_finished", "http_error_ratio", "HTTP error ratio, by route", "percentunit",
            "route:http_error_ratio:avg_5m", "{{route}}",
        ),
        (
            "google_api.call_finished", "google_api_quota", "Google API quota in 1m, by project", "short",
            "project:google_api_quota:sum_1m", "{{project}}",
        ),
        ("process.sampled", "process_memory", "Process memory", "bytes", "service:process_memory_bytes:avg_5m", "{{service_name}}"),
    ],
)  # fmt: skip
def test_a_metric_as_a_panel(event: str, name: str, title: str, unit: str, series: str, legend: str) -> None:
    """One of each kind."""
    made = parts(event, name)
    assert (made.title, made.unit, made.queries[0].series, made.queries[0].legend) == (title, unit, series, legend)
    assert made.queries[0].promql == series + '{service_name=~"$service_name", env=~"$env"}'
    assert event in made.description


def test_every_metric_has_its_parts() -> None:
    """A query per recorded series, with the LogQL of its rule; titles are all different."""
    every = all_panel_parts(REGISTRY)
    rules = {
        rule.record: rule.expr
        for event in REGISTRY.events.values()
        for metric in event.metrics
        for rule in rules_of(event, metric)
    }
    assert {query.series: query.logql for part in every for query in part.queries} == rules
    assert len({part.title for part in every}) == len(every)
    for part in every:
        assert part.description.endswith(("m.", "h."))
        assert part.unit
        for query in part.queries:
            parse(query.logql)
            grouped = re.search(r"by \(([^)]*)\)", query.logql).group(1).split(", ")
            assert set(re.findall(r"{{(\w+)}}", query.legend)) <= set(grouped)
