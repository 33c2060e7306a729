"""How long a page of the console takes over many stored events, at its default range of an hour.

In: nothing. Out: p95 per page, with no answer kept, and of `logpipe trace`. Never: a page that is not whole, a Loki
without its rules running, a recorded sample that is not computed from the lines.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from logging_pkg.context import new_span_id
from logging_pkg.loki_client import Entry, LokiClient, Stream, Streams
from logging_pkg.schemas.conventions import STRUCTURED_METADATA
from logging_pkg.stack import Stack
from tests.performance.side_by_side import Row, benchmark_main
from tests.pipeline.events import ENV, line

#: Issue 7: pages of the console at the default range.
TARGET_MS = 500.0
STORED = 1_000_000
_HOUR_NS = 3600 * 1_000_000_000
_DAY_NS = 24 * _HOUR_NS
#: The series that tables and tiles of the console read; charts of other series are empty here.
RULES = [
    f"--rule={name}"
    for name in (
        "route_method_status_class:http_requests:rate_5m",
        *(f"route:http_response_time_ms:{quantile}_5m" for quantile in ("p50", "p95", "p99")),
        "route:http_queries_per_request:avg_5m",
        "route:http_error_ratio:avg_5m",
        "operation_status_class:google_api_calls:rate_5m",
        *(f"operation:google_api_duration_ms:{quantile}_5m" for quantile in ("p50", "p95", "p99")),
        "operation:google_api_error_ratio:avg_5m",
        "project:google_api_quota:sum_1m",
        "resource_kind_trigger_outcome:sync_runs:rate_5m",
        "resource_kind:sync_duration_ms:p95_5m",
        "resource:sync_success_ratio:avg_5m",
    )
]
_PER_PUSH = 4_000
#: How often each event comes, of a hundred.
_SHARES = {
    "http.request_finished": 60,
    "google_api.call_finished": 18,
    "function.call_finished": 10,
    "sync.run_finished": 6,
    "user.action_recorded": 3,
    "db.slow_query_detected": 1,
    "db.n_plus_one_detected": 1,
    "process.sampled": 1,
}


def measure(quick: bool) -> list[Row]:
    """Fill a Loki with a day of events, then ask for every page."""
    stored = STORED // 20 if quick else STORED
    with Stack(rules_directory=Path(__file__).parents[2] / "loki" / "rules") as stack:
        with LokiClient(stack.loki_url, timeout_s=60) as client:
            for stream in events_of_a_day(stored):
                client.push([stream])
        # What the ruler would have written in the hour before, had it run.
        _logpipe(
            "backfill", "--from", "65m", "--loki-url", stack.loki_url, "--prometheus-url", stack.prometheus_url, *RULES
        )
        rows = list(_traces(stack.loki_url, stored))
        command = [sys.executable, "-m", "tests.performance.console_pages", stack.loki_url, stack.prometheus_url]
        command += [stack.url("alertmanager"), "5" if quick else "20"]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    for page, times in orjson.loads(answer).items():
        p95 = sorted(times)[int(0.95 * (len(times) - 1))]
        name = f"console, {page}, p95 over {stored:,} events of a day"
        rows.append(Row(name, f"{p95:.0f} ms", f"<= {TARGET_MS:.0f} ms", p95 <= TARGET_MS))
    return rows


def _traces(loki_url: str, stored: int) -> Iterator[Row]:
    """`logpipe trace`, its start included, of an attempt of five hours ago: the longest way but for its start."""
    now_ns = time.time_ns()
    with LokiClient(loki_url) as client:
        asked = '{event="google_api.call_finished"}'
        answer = client.query_range(asked, now_ns - 5 * _HOUR_NS, now_ns - 4 * _HOUR_NS, limit=1)
    assert isinstance(answer, Streams)
    event = orjson.loads(answer.entries[0].line)
    for name, target_s in (("correlation_id", 1.0), ("api_call_id", 4.0)):
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            _logpipe("trace", event[name], "--loki-url", loki_url)
            taken.append(time.perf_counter() - start)
        worst = max(taken)
        yield Row(
            f"logpipe trace, by {name}, slowest of 5 over {stored:,} events",
            f"{worst:.2f} s",
            f"<= {target_s:g} s",
            worst <= target_s,
        )


def _logpipe(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "logging_pkg.cli", *arguments], check=True, stdout=subprocess.PIPE)


def events_of_a_day(stored: int) -> Iterator[Stream]:
    """A day's events in the order of time, each event's in pushes of a few thousand."""
    chosen, now_ns = random.Random(7), time.time_ns()
    for event, share in _SHARES.items():
        samples = [_sample(event, chosen) for _ in range(100)]
        count = stored * share // 100
        for first in range(0, count, _PER_PUSH):
            numbers = range(first, min(first + _PER_PUSH, count))
            entries = [_entry(chosen.choice(samples), now_ns - _DAY_NS + _DAY_NS * n // count) for n in numbers]
            yield Stream({"service_name": "bench", "env": ENV, "event": event}, entries)


def _sample(event: str, chosen: random.Random) -> dict[str, Any]:
    """A valid line with a route or operation of twenty, and a time of its own."""
    made = line(event, "bench", time.time_ns())
    values = {
        "route": f"/page/{chosen.randrange(20)}/",
        "response_time_ms": chosen.lognormvariate(4, 0.8),
        "duration_ms": chosen.lognormvariate(4, 0.8),
        "is_error": int(chosen.random() < 0.02),
        "query_count": chosen.randrange(1, 12),
        "caller": f"views.py:{chosen.randrange(10)}",
        "quota_minute_limit": 600,
        "quota_day_limit": 1_000_000,
    }
    return made | {name: value for name, value in values.items() if name in made}


def _entry(sample: dict[str, Any], time_ns: int) -> Entry:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ns // 1_000_000_000))
    span = new_span_id()
    made = sample | {
        "timestamp": f"{seconds}.{time_ns // 1000 % 1_000_000:06d}Z",
        "event_id": f"{span}{span}-1",
        "correlation_id": f"{time_ns // 1_000_000:012x}7000{span}",
        "span_id": span,
    }
    if made["event"] == "google_api.call_finished":
        made["api_call_id"] = span
    metadata = {name: str(made[name]) for name in STRUCTURED_METADATA if made.get(name) is not None}
    return Entry(time_ns, orjson.dumps(made).decode(), metadata)


if __name__ == "__main__":
    benchmark_main("Pages of the console over many events", measure)
