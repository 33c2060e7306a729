"""What the recording rules compute in a real Loki is what Python computes from the same lines."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from logging_pkg.exceptions import LokiError
from logging_pkg.loki_client import Entry, Stream
from logging_pkg.pipeline.generate import RECORDING_RULES
from logging_pkg.schemas import Metric
from tests.pipeline.events import ENV, REGISTRY, line, push

if TYPE_CHECKING:
    from logging_pkg.loki_client import LokiClient
    from logging_pkg.stack import Stack

PROJECT = Path(__file__).parents[2]
SERVICE = "recording-rules"
WINDOWS_S = {"1m": 60, "5m": 300, "1h": 3600, "25h": 90_000}
OFFSET_S = 30
RULES = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load((PROJECT / RECORDING_RULES).read_text())["groups"]
    for rule in group["rules"]
}
#: Values of dimensions that are no enum; null where the schema admits it.
TEXTS = {
    "action": ["alpha", "beta_b"],
    "level": ["info", "error"],
    "quota_day": ["2026-11-22", "2026-11-23"],
}


def expected_rules() -> Iterator[tuple[str, str, Metric, str]]:
    """Series name, event, metric and operation of every rule the schemas ask for, spelt out anew."""
    for event, schema in REGISTRY.events.items():
        for metric in schema.metrics:
            window = metric.window or "5m"
            unit = "" if metric.unit == "1" or metric.name.endswith("_" + metric.unit) else "_" + metric.unit
            prefix = f"{'_'.join(metric.by) or 'service'}:{metric.name}{unit}"
            operations = {"histogram": ["p50", "p95", "p99"], "gauge": ["avg"]}.get(
                metric.kind, ["sum" if metric.field else "rate"]
            )
            for operation in operations:
                yield f"{prefix}:{operation}_{window}", event, metric, operation


@pytest.fixture(scope="module")
def stored(loki_server: Stack) -> tuple[int, dict[str, list[tuple[float, dict[str, Any]]]]]:
    """Store 300 lines of every event over 40 minutes; return the time of evaluation, ns, and lines with their ages, s."""
    from logging_pkg.loki_client import LokiClient

    chosen = random.Random(42)
    now_ns = time.time_ns() // 1000 * 1000
    lines: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for event, schema in REGISTRY.events.items():
        fields = {name for metric in schema.metrics for name in (*metric.by, metric.field, metric.weight) if name}
        lines[event] = []
        for _ in range(300):
            # Clear of the edges of every window, on both sides of each.
            age = chosen.choice([chosen.uniform(31, 89), chosen.uniform(91, 329), chosen.uniform(331, 2400), 29, 5])
            values = {name: some_value(REGISTRY.field(event, name), name, chosen) for name in fields}
            made = line(event, SERVICE, now_ns - int(age * 1e6) * 1000, **values)
            lines[event].append((age, made))
    with LokiClient(loki_server.loki_url) as client:
        push(client, [made for of_event in lines.values() for _age, made in of_event])
    return now_ns, lines


def some_value(schema: Any, name: str, chosen: random.Random) -> Any:
    """A random valid value of a field a metric uses."""
    if "enum" in schema:
        return chosen.choice(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "integer" in kinds:
        return chosen.randint(1, 5000)
    if "number" in kinds:
        return chosen.uniform(schema.get("minimum", 0), 5000)
    return chosen.choice(TEXTS.get(name, ["alpha", "beta.b"]) + ([None] if "null" in kinds else []))


def computed(operation: str, values: list[float], window_s: int) -> float:
    """The metric's definition in plain Python."""
    match operation:
        case "rate":
            return sum(values) / window_s  # of ones, or of what each line stands for
        case "sum":
            return sum(values)
        case "avg":
            return sum(values) / len(values)
        case _:
            ordered = sorted(values)
            rank = int(operation[1:]) / 100 * (len(ordered) - 1)
            below = int(rank)
            above = min(below + 1, len(ordered) - 1)
            return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def test_the_rules_are_those_the_schemas_ask_for() -> None:
    """No series more, none less, each with the name its grammar gives."""
    assert sorted(RULES) == sorted(record for record, *_ in expected_rules())


@pytest.mark.parametrize(
    ("record", "event", "metric", "operation"), list(expected_rules()), ids=lambda value: str(value)[:60]
)
def test_a_recorded_value_is_what_python_computes(
    record: str, event: str, metric: Metric, operation: str, stored: Any, loki: LokiClient
) -> None:
    """Exact for every series: the window ends 30 s ago, nulls are left out, nothing is grouped away or invented."""
    now_ns, lines = stored
    window_s = WINDOWS_S[metric.window or "5m"]
    series: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for age, made in lines[event]:
        if OFFSET_S < age < OFFSET_S + window_s:
            number = metric.field or metric.weight
            series[tuple(made[name] or "" for name in metric.by)].append(made[number] if number else 1)
    expected = {key: computed(operation, values, window_s) for key, values in series.items()}
    samples = [
        sample for sample in loki.query(RULES[record], now_ns).samples if sample.labels["service_name"] == SERVICE
    ]
    found = {tuple(sample.labels.get(name, "") for name in metric.by): sample.value for sample in samples}
    assert len(expected) > (len(metric.by) > 0)
    assert found == pytest.approx(expected, rel=1e-9)
    assert {name for sample in samples for name in sample.labels} == {"service_name", "env", *metric.by}


def test_null_is_left_out_and_text_fails_a_rule_without_the_error_filter(loki: LokiClient) -> None:
    """The reason for `__error__=""` behind every unwrap: one foreign line must not silence a rule."""
    now_ns = time.time_ns() // 1000 * 1000
    service = "null-values"
    push(
        loki,
        [
            line("google_api.call_finished", service, now_ns - age * 10**9, page=page)
            for age, page in ((40, 3), (50, None))
        ],
    )
    query = (
        f'sum by (env) (sum_over_time({{event="google_api.call_finished", service_name="{service}"}} '
        '| json page="page" | unwrap page | __error__="" [5m]))'
    )
    (sample,) = loki.query(query, now_ns).samples
    assert (sample.value, sample.labels) == (3, {"env": ENV})
    foreign = Entry(now_ns - 45 * 10**9, '{"page": "three"}')
    loki.push([Stream({"service_name": service, "env": ENV, "event": "google_api.call_finished"}, [foreign])])
    (sample,) = loki.query(query, now_ns).samples
    assert sample.value == 3
    with pytest.raises(LokiError, match="SampleExtractionErr"):
        loki.query(query.replace(' | __error__=""', ""), now_ns)


def test_an_average_by_groups_leaves_out_what_has_no_value(loki: LokiClient) -> None:
    """Loki's frontend counts such a line where it splits the average into shards: ours is told not to."""
    now_ns = time.time_ns() // 1000 * 1000
    service = "averages"
    push(
        loki,
        [
            line("cache.usage_reported", service, now_ns - age * 10**9, alias="default", size_bytes=size)
            for age, size in ((40, 2), (45, 4), (50, None))
        ],
    )
    query = (
        f'avg_over_time({{event="cache.usage_reported", service_name="{service}"}} '
        '| json alias="alias", size_bytes="size_bytes" | unwrap size_bytes | __error__="" [5m]) by (alias)'
    )
    (sample,) = loki.query(query, now_ns).samples
    assert (sample.value, sample.labels) == (3, {"alias": "default"})
