"""The names of metrics in /metrics: Prometheus's grammar and base units, each once."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from logging_pkg.exceptions import RuleError
from logging_pkg.schemas import Metric, load_registry
from logging_pkg.schemas.metric_names import check_exposed_names, exposed_metric

REGISTRY = load_registry()
METRICS = [metric for event in REGISTRY.events.values() for metric in event.metrics]


def metric(name: str, kind: str, unit: str = "1", **more: Any) -> Metric:
    return Metric(
        **{"name": name, "kind": kind, "field": None, "unit": unit, "by": (), "window": None, "description": "", **more}
    )


@pytest.mark.parametrize(
    ("declared", "name", "type_", "factor"),
    [
        (metric("http_requests", "counter"), "http_requests_total", "counter", 1),
        (metric("cache_time", "counter", "ms"), "cache_time_seconds_total", "counter", 0.001),
        (metric("bytes_sent_total", "counter"), "bytes_sent_total", "counter", 1),
        (metric("http_response_time", "histogram", "ms"), "http_response_time_seconds", "histogram", 0.001),
        (metric("wait_us", "histogram", "us"), "wait_seconds", "histogram", 1e-6),
        (metric("age_h", "gauge", "h"), "age_seconds", "summary", 3600),
        (metric("lag", "gauge", "s"), "lag_seconds", "summary", 1),
        (metric("process_memory", "gauge", "bytes"), "process_memory_bytes", "summary", 1),
        (metric("error_ratio", "gauge", "ratio"), "error_ratio", "summary", 1),
        (metric("cpu", "gauge", "percent"), "cpu_ratio", "summary", 0.01),
        (metric("price", "gauge", "eur"), "price_eur", "summary", 1),
    ],
)
def test_each_kind_and_unit(declared: Metric, name: str, type_: str, factor: float) -> None:
    """Base units as suffix, once, and what to multiply with; `_total` last."""
    exposed = exposed_metric(declared)
    assert (exposed.name, exposed.type, exposed.factor) == (name, type_, factor)


def test_declared_metrics_have_names_that_prometheus_takes_and_no_two_the_same() -> None:
    """Over every metric, and every series of each."""
    check_exposed_names(REGISTRY)
    samples = [sample for declared in METRICS for sample in exposed_metric(declared).samples]
    assert len(set(samples)) == len(samples) > len(METRICS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", sample) for sample in samples)
    assert not [sample for sample in samples if re.search(r"_(ms|us|percent)(_|$)", sample)]


def test_two_metrics_of_one_name_are_refused_with_file_and_remedy() -> None:
    """Whatever they are grouped by: their recorded series would differ, in /metrics they would not."""
    event = REGISTRY.events["sync.run_finished"]
    for pair in (
        (metric("syncs", "counter"), metric("syncs", "counter", by=("kind",))),
        (metric("wait", "histogram", "ms"), metric("wait", "gauge", "s")),
    ):
        registry = replace(REGISTRY, events={event.name: replace(event, metrics=pair)})
        with pytest.raises(RuleError, match=r"sync\.run_finished\.json: .* is already; rename one of the two metrics"):
            check_exposed_names(registry)
