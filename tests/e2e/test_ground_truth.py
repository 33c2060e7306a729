"""Recorded series against the truth: what clients and the fake Google have written down, computed by other code.

In: requests whose times their client decided, calls that a fake Google has counted; both shipped, stored and recorded by
the real thing. Out: every sample of the recorded series compared. Never: a number both sides got from one place, but for
the moment an event was written at, which says the window it belongs to.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient, Vector
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.wire import is_stale
from logging_pkg.stack import Stack
from tests.e2e.fleet import PROJECT, Fleet, server_calendars
from tests.e2e.stub_clock_site import SERVICE
from tests.writer.support import read_events

pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).parents[2]
#: The requests' own time: they fill four windows of the rules.
LASTS_S = 1_200
#: What the recording rules promise (loki/rules/recording.yaml): five minutes that end 30 s before.
WINDOW_US, OFFSET_US = 300_000_000, 30_000_000
ROUTES = ("/", "/lists/{id}/", "/reports/{id}/")
GOOGLE_CALLS = 300


@pytest.fixture(scope="module", params=[10_000, pytest.param(100_000, marks=pytest.mark.long)])
def truth(request: pytest.FixtureRequest, stack_binaries: Any, tmp_path_factory: Any) -> Iterator[Truth]:
    """Calls and requests made, shipped, and their series recorded."""
    directory = tmp_path_factory.mktemp("truth")
    with Stack(("loki", "prometheus")) as stack:
        called = make_calls(directory / "fleet")
        ship(stack, directory / "fleet/logs")
        begin_us = time.time_ns() // 1000 - (LASTS_S + 120) * 1_000_000
        site = [sys.executable, "-m", "tests.e2e.stub_clock_site", directory, request.param, begin_us, LASTS_S]
        subprocess.run([*map(str, site)], cwd=ROOT, env=own_environ(), check=True, timeout=900)
        ship(stack, directory / "logs")
        require_stored(stack, request.param)
        ledger = [json.loads(text) for text in (directory / "ledger.ndjson").read_text().splitlines()]
        assert len(ledger) == request.param
        # The last call has to be older than the rules' offset, and a moment of evaluation behind it.
        time.sleep(max(0.0, called.ended_s + 30 + 16 - time.time()))
        lasts_s = math.ceil(time.time() - begin_us / 1e6)
        phases, until_us = record(
            stack, lasts_s, "route:http", "route_method_status_class:http_requests", "project:google_api_quota"
        )
        yield Truth(Prometheus(stack.prometheus_url), ledger, called, phases, until_us)


class Truth:
    """What each side says.

    Args:
        prometheus: has the recorded series.
        ledger: of the requests, by their client.
        called: of the API calls, by the server.
        phases_us: by recorded series, when its group is evaluated, us after a multiple of the interval.
        until_us: the end of what was recorded.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        ledger: list[dict[str, Any]],
        called: Called,
        phases_us: Mapping[str, float],
        until_us: int,
    ) -> None:
        self.prometheus, self.ledger, self.called = prometheus, ledger, called
        self.phases_us, self.until_us = phases_us, until_us

    def samples(self, record: str, service: str) -> dict[tuple[tuple[str, ...], int], float]:
        """Every sample of a service by dimensions (in the order of their names) and time, ms; no stale markers."""
        found: dict[tuple[tuple[str, ...], int], float] = {}
        for labels, points in self.prometheus.read(record, 0, time.time_ns() // 1_000_000).items():
            named = dict(labels)
            if named.pop("service_name") != service:
                continue
            dimensions = tuple(value for name, value in sorted(named.items()) if name not in ("__name__", "env"))
            found |= {(dimensions, at): value for at, value in points.items() if not is_stale(value)}
        return found

    def moment_us(self, record: str, at_ms: int, interval_us: int) -> float:
        """The moment of evaluation behind a sample's time, which is cut to milliseconds."""
        phase = self.phases_us[record]
        return (at_ms * 1000 + 999 - phase) // interval_us * interval_us + phase


class Called:
    """The fake Google's ledger of a run, each entry with the moment its event was written (us)."""

    def __init__(self, entries: Sequence[tuple[int, int]], ended_s: float) -> None:
        self.entries, self.ended_s = entries, ended_s


def make_calls(directory: Path) -> Called:
    """Sync workers against a fake Google until it has seen enough."""
    directory.mkdir()
    with Fleet(directory, "--user-quota 0 --project-quota 0", GOOGLE_PAGE_SIZE="5") as fleet:
        fleet.manage("migrate", "--verbosity", "0")
        fleet.manage("seed_demo")
        calendars = list(server_calendars(fleet.control))
        for _ in range(2):
            fleet.start_worker(0.2)
        deadline = time.monotonic() + 120
        while fleet.control.state()["ledger"]["requests"] < GOOGLE_CALLS:
            assert time.monotonic() < deadline, fleet.control.state()["ledger"]
            fleet.control.expire_sync_tokens()
            for calendar in calendars:
                fleet.control.mutate(calendar, add=1, change=1, delete=1)
            time.sleep(0.5)
        fleet.stop_workers()
        ended_s = time.time()
        ledger = fleet.control.ledger()
        lines = read_events(fleet.logs)
    written = {line["span_id"]: line["timestamp"] for line in lines if line["event"] == "google_api.call_finished"}
    return Called([(_us(written[entry["attempt_id"]]), entry["quota_units"]) for entry in ledger], ended_s)


def _us(timestamp: str) -> int:
    """RFC 3339 with microseconds, as us since 1970."""
    whole, _, fraction = timestamp.removesuffix("Z").partition(".")
    return (int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone) * 1_000_000 + int(fraction)


def ship(stack: Stack, logs: Path) -> None:
    """Everything there is, with the shipper of this project."""
    logpipe("ship", "--drain", "--timeout", "300", "--directory", logs, "--loki-url", stack.loki_url)


def require_stored(stack: Stack, count: int) -> None:
    """Every request is in Loki, once."""
    query = f'sum by (service_name) (count_over_time({{event="http.request_finished", service_name="{SERVICE}"}}[1h]))'
    with LokiClient(stack.loki_url) as client:
        answer = client.query(query)
    assert isinstance(answer, Vector)
    assert [sample.value for sample in answer.samples] == [count]


def record(stack: Stack, lasts_s: int, *prefixes: str) -> tuple[dict[str, float], int]:
    """Record the series of the last `lasts_s` seconds, as the ruler would have done; phases of their groups, and the end, us."""
    servers = ("--loki-url", stack.loki_url, "--prometheus-url", stack.prometheus_url)
    rules = (ROOT / "loki/rules/recording.yaml").read_text().splitlines()
    names = [line.split('"')[1] for line in rules if "- record:" in line]
    chosen = [argument for name in names if name.startswith(prefixes) for argument in ("--rule", name)]
    told = json.loads(logpipe("backfill", "--json", "--from", f"{lasts_s}s", *servers, *chosen))
    assert told["totals"]["written"] == told["totals"]["expected"] > 0
    phases = {rule["record"]: rule["phase_ms"] * 1000 for rule in told["rules"]}
    return phases, _us(told["to"].removesuffix("Z") + ".000000Z")


def own_environ() -> dict[str, str]:
    """The environment without settings: a variable would win over what a test has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LOGPIPE_", "DJANGO_"))}


def logpipe(*arguments: object) -> str:
    """One command to its end; what it says."""
    command = [sys.executable, "-m", "logging_pkg.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=own_environ(), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


# What the rules promise, in arithmetic of its own.


def quantile(share: float, values: Sequence[float]) -> float:
    """Linear interpolation between the two nearest ranks, as numpy.quantile's default (Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    whole = math.floor(share * (len(ordered) - 1))
    part = share * (len(ordered) - 1) - whole
    return ordered[whole] if part == 0 else ordered[whole] * (1 - part) + ordered[whole + 1] * part


def apdex(entry: Mapping[str, Any]) -> float:
    """Apdex 1.1 with a threshold of 500 ms: an error frustrates."""
    if entry["status"] >= 500 or entry["duration_us"] > 2_000_000:
        return 0.0
    return 1.0 if entry["duration_us"] <= 500_000 else 0.5


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


OF_A_ROUTE: dict[str, Callable[[list[dict[str, Any]]], float]] = {
    "route:http_response_time_ms:p50_5m": lambda found: quantile(0.50, [e["duration_us"] / 1000 for e in found]),
    "route:http_response_time_ms:p95_5m": lambda found: quantile(0.95, [e["duration_us"] / 1000 for e in found]),
    "route:http_response_time_ms:p99_5m": lambda found: quantile(0.99, [e["duration_us"] / 1000 for e in found]),
    "route:http_error_ratio:avg_5m": lambda found: mean([float(e["status"] >= 500) for e in found]),
    "route:http_queries_per_request:avg_5m": lambda found: mean([e["queries"] for e in found]),
    "route:http_apdex_ratio:avg_5m": lambda found: mean([apdex(e) for e in found]),
}


#: How often each is recorded, s; a minute unless named.
INTERVAL_S = {
    "route_method_status_class:http_requests:rate_5m": 120,
    "route:http_error_ratio:avg_5m": 120,
    "route:http_queries_per_request:avg_5m": 120,
    "route:http_response_time_ms:p50_5m": 120,
    "route:http_response_time_ms:p95_5m": 120,
    "route:http_response_time_ms:p99_5m": 120,
    "route:http_apdex_ratio:avg_5m": 240,
}


def in_window(ledger: Sequence[dict[str, Any]], moment_us: float) -> list[dict[str, Any]]:
    """The requests a rule looks at, at a moment."""
    end_us = moment_us - OFFSET_US
    return [entry for entry in ledger if end_us - WINDOW_US < entry["finished_us"] <= end_us]


def moments_of(truth: Truth, record: str) -> list[float]:
    """Every moment at which a rule has to have looked: from the first request on until the last has left its window."""
    phase, interval = truth.phases_us[record], INTERVAL_S.get(record, 60) * 1_000_000
    first = truth.ledger[0]["finished_us"] + OFFSET_US
    last = min(truth.ledger[-1]["finished_us"] + OFFSET_US + WINDOW_US, truth.until_us)
    begin = math.ceil((first - phase) / interval)
    return [number * interval + phase for number in range(begin, math.floor((last - phase) / interval) + 1)]


@pytest.mark.parametrize("record", OF_A_ROUTE)
def test_a_routes_series_are_what_its_client_knows(record: str, truth: Truth) -> None:
    """At every moment of evaluation, for every route, to 1e-9: p50, p95, p99, error ratio, queries per request, Apdex."""
    found = truth.samples(record, SERVICE)
    expected = {}
    for moment in moments_of(truth, record):
        window = in_window(truth.ledger, moment)
        for route in ROUTES:
            if of_route := [entry for entry in window if entry["route"] == route]:
                expected[(route,), int(moment // 1000)] = OF_A_ROUTE[record](of_route)
    assert len(expected) >= len(ROUTES) * LASTS_S / INTERVAL_S.get(record, 60)
    assert {key: value for key, value in found.items() if key in expected} == pytest.approx(expected, rel=1e-9, abs=0)


def test_the_request_rate_is_exact(truth: Truth) -> None:
    """Requests per second by route, method and class of status: counts, divided by 300 s."""
    record = "route_method_status_class:http_requests:rate_5m"
    found = truth.samples(record, SERVICE)
    moments = moments_of(truth, record)
    expected: dict[tuple[tuple[str, ...], int], float] = defaultdict(float)
    for moment in moments:
        for entry in in_window(truth.ledger, moment):
            dimensions = (entry["method"], entry["route"], f"{entry['status'] // 100}xx")
            expected[dimensions, int(moment // 1000)] += 1
    compared = {int(moment // 1000) for moment in moments}
    counts = {key: round(value * 300, 6) for key, value in found.items() if key[1] in compared}
    assert counts == dict(expected)


def test_quota_is_what_google_has_counted(truth: Truth) -> None:
    """Units of the last minute, every 15 s: the server's ledger."""
    record = "project:google_api_quota:sum_1m"
    found = truth.samples(record, "sync-fleet")
    entries = truth.called.entries
    assert sum(units for _at, units in entries) >= GOOGLE_CALLS
    phase, interval = truth.phases_us[record], 15_000_000
    begin = math.ceil((min(at for at, _units in entries) + OFFSET_US - phase) / interval)
    last_us = max(at for at, _units in entries) + OFFSET_US
    expected = {}
    # From the first call until the last is the youngest of its window: later moments may not have been evaluated yet.
    for number in range(begin, math.floor((last_us - phase) / interval) + 1):
        moment = number * interval + phase
        end_us = moment - OFFSET_US
        inside = [units for at_us, units in entries if end_us - 60_000_000 < at_us <= end_us]
        expected[(PROJECT,), int(moment // 1000)] = float(sum(inside))
    assert len(expected) >= 1
    assert {key: value for key, value in found.items() if key in expected} == expected
    # All others: what is there is right, too.
    for (dimensions, at_ms), value in found.items():
        assert dimensions == (PROJECT,)
        end_us = truth.moment_us(record, at_ms, interval) - OFFSET_US
        assert value == sum(units for at_us, units in entries if end_us - 60_000_000 < at_us <= end_us)
