"""Numbers of tables from recorded series are those of the lines.

In: lines of half an hour ago in a real Loki, the series that the ruler would have recorded of them in a real Prometheus.
Out: assertions that PromQL and LogQL agree. Never: a sample made up.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from logging_pkg.analysis.tables import QUANTILES, Table
from logging_pkg.console import servers
from logging_pkg.console.recorded import INTERVAL_S, recorded_query
from logging_pkg.console.selection import Selection
from logging_pkg.loki_client import LokiClient, Vector
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.ruler import ruler_of
from logging_pkg.pipeline.backfill.rules import only, recording_groups
from logging_pkg.pipeline.backfill.run import backfill
from logging_pkg.pipeline.backfill.task import Task
from logging_pkg.pipeline.event_tables import GOOGLE_API, ROUTES
from logging_pkg.stack import Stack
from tests.console.conftest import panel, settled, shown
from tests.pipeline.events import line, push

ROOT = Path(__file__).resolve().parents[2]
_SECOND = 1_000_000_000
SERIES = [
    "route_method_status_class:http_requests:rate_5m",
    *(f"route:http_response_time_ms:{name}_5m" for name in QUANTILES),
    "route:http_queries_per_request:avg_5m",
    "route:http_error_ratio:avg_5m",
    "operation_status_class:google_api_calls:rate_5m",
    *(f"operation:google_api_duration_ms:{name}_5m" for name in QUANTILES),
    "operation:google_api_error_ratio:avg_5m",
]
QUANTILE = re.compile(r":p\d\d_5m$")
CHOSEN = Selection(service="recorded")


@pytest.fixture(scope="module")
def told(stack_binaries: object) -> Iterator[Stack]:
    """Requests, attempts and syncs from 50 to 15 minutes ago, and their series."""
    chosen, now_ns = random.Random(5), time.time_ns()
    lines = []
    for number in range(300):
        moment = now_ns - 3000 * _SECOND + number * 7 * _SECOND
        is_error = int(chosen.random() < 0.2)
        values: dict[str, Any] = {"duration_ms": chosen.uniform(10, 900), "is_error": is_error}
        request = {
            "route": chosen.choice(["/a/", "/b/"]),
            "response_time_ms": values["duration_ms"],
            "query_count": chosen.randrange(9),
            "status_code": 500 if is_error else 200,
            "is_error": is_error,
        }
        lines += [
            line("http.request_finished", "recorded", moment, **request),
            line("google_api.call_finished", "recorded", moment, operation="events.list", **values),
            line("sync.run_finished", "recorded", moment, kind=chosen.choice(["full", "incremental"])),
        ]
    with Stack(("loki", "prometheus")) as stack, LokiClient(stack.loki_url) as client:
        push(client, lines)
        groups = only(recording_groups(ROOT / "loki" / "rules"), SERIES)
        added_up = only(groups, [name for name in SERIES if not QUANTILE.search(name)])
        # Steps of INTERVAL_S meet each sample once; a mean and the rate it is weighted with share a group, so an interval.
        intervals = {group.name.split(":")[0]: group.interval_ns // _SECOND for group in added_up}
        assert intervals == {"http.request_finished": 2 * INTERVAL_S, "google_api.call_finished": INTERVAL_S}
        assert len(added_up) == len(intervals)
        task = Task(now_ns - 3100 * _SECOND, now_ns)
        results = backfill([client], Prometheus(stack.prometheus_url), groups, ruler_of(client), task)
        assert all(result.written for result in results)
        yield stack


@pytest.fixture
def asked(told: Stack, addresses: Callable[..., None]) -> Stack:
    addresses(loki_url=told.loki_url, prometheus_url=told.prometheus_url)
    return told


def values_of(table: Table, answer: Vector) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels[name] for name in table.by): sample.value for sample in answer.samples}


def samples(stack: Stack, name: str, by: str) -> dict[str, dict[float, float]]:
    """A series as it is stored: by a label's value, the time and value of each sample."""
    query = f'{name}{{service_name="recorded"}}[{CHOSEN.window_s}s]'
    answer = requests.get(f"{stack.prometheus_url}/api/v1/query", params={"query": query}, timeout=10).json()
    return {
        item["metric"][by]: {moment: float(value) for moment, value in item["values"]}
        for item in answer["data"]["result"]
    }


def asked_for(table: Table, title: str) -> dict[tuple[str, ...], float]:
    column = next(column for column in table.columns if column.title == title)
    query = recorded_query(table, column, CHOSEN)
    assert query is not None
    return values_of(table, servers.prometheus_instant(query))


@pytest.mark.parametrize("table", [ROUTES, GOOGLE_API], ids=lambda table: table.title)
def test_events_are_counted_by_their_lines(table: Table) -> None:
    """Rates over 5 minutes, added up, would lack most of what has just happened."""
    (count,) = (column for column in table.columns if column.function == "count")
    assert recorded_query(table, count, CHOSEN) is None


@pytest.mark.parametrize(
    ("table", "title", "quantile"),
    [(ROUTES, name, f"route:http_response_time_ms:{name}_5m") for name in QUANTILES]
    + [(GOOGLE_API, name, f"operation:google_api_duration_ms:{name}_5m") for name in QUANTILES],
)
def test_a_recorded_quantile_is_the_worst_of_its_samples(asked: Stack, table: Table, title: str, quantile: str) -> None:
    """Which is what its heading says."""
    stored = samples(asked, quantile, table.by[0])
    assert stored
    assert asked_for(table, title) == {(group,): max(found.values()) for group, found in stored.items()}


@pytest.mark.parametrize(
    ("title", "mean"),
    [("queries", "route:http_queries_per_request:avg_5m"), ("errors", "route:http_error_ratio:avg_5m")],
)
def test_a_recorded_mean_is_weighted_by_the_events_of_each_sample(asked: Stack, title: str, mean: str) -> None:
    """sum(mean * n) / sum(n) over the stored samples of the same moment."""
    weights = samples(asked, SERIES[0], "route")
    expected = {}
    for route, means in samples(asked, mean, "route").items():
        assert means.keys() == weights[route].keys(), "both are recorded in one evaluation"
        total = sum(value * weights[route][moment] for moment, value in means.items())
        expected[route,] = total / sum(weights[route].values())
    assert len(expected) == 2
    assert asked_for(ROUTES, title) == pytest.approx(expected, rel=1e-6)


def test_the_page_says_what_its_quantiles_are(asked: Stack, staff: Client, addresses: Callable[..., None]) -> None:
    """Worst of 5 minutes from recorded series, and of the whole time where there is no Prometheus."""
    addresses(loki_url=asked.loki_url, prometheus_url=asked.prometheus_url)
    table = panel(settled(staff, "/console/routes/", service="recorded"), "Routes")
    assert "p95, worst 5 min" in shown(table)
    assert "max_over_time(route:http_response_time_ms:p95_5m{service_name=&quot;recorded&quot;}[3600s])" in table
    addresses(loki_url=asked.loki_url, prometheus_url="")
    table = panel(settled(staff, "/console/routes/", service="recorded"), "Routes")
    assert "worst" not in shown(table)
    assert "quantile_over_time(0.95," in table
