"""The demonstration's report: every number is read out of Loki, Prometheus or the alert receiver.

In: clients of those, and the log directory. Out: a report on the terminal, and what is missing in it.
Never: a number the demonstration itself counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from calendar_sync.demo.dashboards import ask_dashboards, print_dashboards
from calendar_sync.demo.programs import PROJECT_QUOTA
from calendar_sync.demo.traces import print_traces
from logging_pkg.analysis.completeness import Completeness
from logging_pkg.http_session import http_session
from logging_pkg.loki_client import LokiClient, Vector
from logging_pkg.pipeline.lookup import measure_completeness, stored_events
from logging_pkg.stack import WebhookReceiver

#: Alerts the demonstration gives reason for; the report fails without one of them. Where one silences another
#: (inhibit_rules in loki/alertmanager.yml), which of the two is delivered is a matter of seconds: either is.
EXPECTED_ALERTS = (
    {"SlowRoute"},
    {"HighErrorRate", "RequestErrorsSloPage"},
    {"GoogleQuotaMinute80", "GoogleQuotaMinute95"},
    {"GoogleRateLimited"},
    {"AppDown"},
)
_EXPECTED_ROUTES = frozenset(
    {
        "/dashboard/",
        "/accounts/{id}/",
        "/accounts/{id}/sync",
        "/calendars/{id}/toggle",
        "/reports/slow/",
        "/reports/n-plus-one/",
        "/reports/error/",
    }
)
_DAY_QUOTA = 1_000_000
_REQUESTS = '{event="http.request_finished"}'
_CALLS = '{event="google_api.call_finished"}'
_SYNCS = '{event="sync.run_finished"}'


@dataclass
class Report:
    """What was found, and what should have been."""

    missing: list[str] = field(default_factory=list)

    def require(self, holds: bool, what: str) -> None:
        """Note what is missing."""
        if not holds:
            self.missing.append(what)


class Reader:
    """Asks Loki and Prometheus about one span of time.

    Args:
        loki: a client of the stack's Loki.
        prometheus_url: of the stack's Prometheus.
        start_ns: begin of the traffic, ns since 1970.
        end_ns: end of it.
    """

    def __init__(self, loki: LokiClient, prometheus_url: str, start_ns: int, end_ns: int) -> None:
        self.loki = loki
        self.prometheus_url = prometheus_url
        self.start_ns, self.end_ns = start_ns, end_ns
        self.seconds = (end_ns - start_ns) // 1_000_000_000 + 1

    def by(self, label: str, expression: str) -> dict[str, float]:
        """An instant LogQL query over the whole time (`RANGE` stands for it) as label value -> number."""
        result = self.loki.query(expression.replace("RANGE", f"{self.seconds}s"), self.end_ns)
        assert isinstance(result, Vector)
        return {sample.labels.get(label, ""): sample.value for sample in result.samples}

    def number(self, expression: str) -> float:
        """The same for a query with one result; 0 when there is none."""
        return next(iter(self.by("", expression).values()), 0.0)

    def recorded(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus has of a recorded series."""
        with http_session(self.prometheus_url) as session:
            answer = session.get(f"{self.prometheus_url}/api/v1/query", params={"query": expression}, timeout=30)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found


def print_report(
    console: Console, reader: Reader, receiver: WebhookReceiver, logs: Path, pipeline_start_ns: int
) -> Report:
    """Print every part and return what is missing.

    Args:
        console: where to print.
        reader: of the time of the traffic.
        receiver: what Alertmanager delivered to.
        logs: directory of the event files.
        pipeline_start_ns: when the first event can have been written.
    """
    report = Report()
    minutes = reader.seconds / 60
    console.rule(f"Report: {minutes:.1f} min of traffic, computed from the logs", align="left")
    _requests(console, reader, report)
    console.print()
    _google(console, reader, report)
    _syncs(console, reader, report)
    _cache(console, reader, report)
    _recorded(console, reader, report)
    console.print()
    _alerts(console, receiver, report)
    events = stored_events(reader.loki, pipeline_start_ns, reader.end_ns)
    console.print()
    story, untold = print_traces(console, events)
    for what in untold:
        report.require(False, what)
    console.print()
    with console.status(" asking what the dashboards' panels ask"):
        answers = ask_dashboards(reader.loki, reader.prometheus_url, reader.start_ns, reader.end_ns, story)
    for empty in print_dashboards(console, answers):
        report.require(False, empty)
    console.print()
    _completeness(console, measure_completeness(reader.loki, logs, pipeline_start_ns, reader.end_ns), report)
    failed = reader.number(
        'max(max_over_time({event="process.sampled"} | json value="failed_count" | unwrap value [RANGE]))'
    )
    report.require(failed == 0, f"{failed:.0f} events that could not be written")
    return report


def _requests(console: Console, reader: Reader, report: Report) -> None:
    field_ms = '| json route="route", value="response_time_ms" | unwrap value'
    rate = reader.by("route", f'sum by (route) (rate({_REQUESTS} | json route="route" [RANGE]))')
    quantiles = [
        reader.by("route", f"quantile_over_time({q}, {_REQUESTS} {field_ms} [RANGE]) by (route)")
        for q in (0.5, 0.95, 0.99)
    ]
    queries = reader.by(
        "route",
        f'avg_over_time({_REQUESTS} | json route="route", value="query_count" | unwrap value [RANGE]) by (route)',
    )
    errors = reader.by(
        "route", f'avg_over_time({_REQUESTS} | json route="route", value="is_error" | unwrap value [RANGE]) by (route)'
    )
    slow = reader.by(
        "route", f'avg_over_time({_REQUESTS} | json route="route", value="is_slow" | unwrap value [RANGE]) by (route)'
    )
    n_plus_ones = {
        sample.labels["route"]: sample.labels["caller"]
        for sample in _vector(
            reader,
            'sum by (route, caller) (count_over_time({event="db.n_plus_one_detected"} '
            '| json route="route", caller="caller" [RANGE]))',
        )
    }
    table = Table(box=None, padding=(0, 1), title_justify="left")
    table.add_column("Requests")
    for name in ("rate", "p50", "p95", "p99", "queries", "errors"):
        table.add_column(name, justify="right")
    table.add_column("")
    for route in sorted(rate, key=lambda name: -rate[name]):
        marks = []
        if slow.get(route, 0) > 0.5:
            marks.append("slow")
        if route in n_plus_ones:
            marks.append(f"N+1 at {n_plus_ones[route]}")
        if errors.get(route, 0) > 0.01:
            marks.append("errors")
        table.add_row(
            route,
            f"{rate[route]:.1f}/s",
            *(_milliseconds(quantile.get(route)) for quantile in quantiles),
            f"{queries.get(route, 0):.1f}",
            f"{errors.get(route, 0) * 100:.1f} %",
            Text("← " + ", ".join(marks) if marks else "", style="yellow"),
        )
    console.print(table)
    for route in sorted(_EXPECTED_ROUTES):
        report.require(all(route in quantile for quantile in quantiles), f"latency percentiles of {route}")
    report.require("/reports/n-plus-one/" in n_plus_ones, "the N+1 finding of /reports/n-plus-one/")
    report.require(errors.get("/reports/error/", 0) == 1, "the errors of /reports/error/")
    report.require(slow.get("/reports/slow/", 0) == 1, "the slowness of /reports/slow/")


def _google(console: Console, reader: Reader, report: Report) -> None:
    calls = reader.number(f"sum(count_over_time({_CALLS} [RANGE]))")
    p95 = reader.number(f'quantile_over_time(0.95, {_CALLS} | json value="duration_ms" | unwrap value [RANGE]) by ()')
    limited = reader.number(f'sum(sum_over_time({_CALLS} | json value="is_rate_limited" | unwrap value [RANGE]))')
    quota = reader.number(f'sum(sum_over_time({_CALLS} | json value="quota_units" | unwrap value [RANGE]))')
    peaks = [
        float(value)
        for series in reader.recorded(f"max_over_time(project:google_api_quota:sum_1m[{reader.seconds}s])")
        for value in series["value"][1:]
    ]
    day = [float(series["value"][1]) for series in reader.recorded("project_quota_day:google_api_quota_day:sum_25h")]
    peak = max(peaks, default=0.0)
    console.print(
        f" Google Calendar   {calls:,.0f} calls · p95 {p95:.0f} ms · {limited:.0f} × rate limited · "
        f"quota {peak:.0f} / {PROJECT_QUOTA} in the busiest minute, "
        f"{quota:,.0f} / {_DAY_QUOTA:,} today"
    )
    report.require(calls > 0, "Google API calls")
    report.require(limited >= 1, "a rate limited Google API call")
    report.require(peak > 0, "the recorded quota of a minute in Prometheus")
    report.require(bool(day), "the recorded quota of the day in Prometheus")


def _syncs(console: Console, reader: Reader, report: Report) -> None:
    runs = reader.number(f"sum(count_over_time({_SYNCS} [RANGE]))")
    success = reader.number(f'avg_over_time({_SYNCS} | json value="is_success" | unwrap value [RANGE]) by ()')
    p95 = reader.number(f'quantile_over_time(0.95, {_SYNCS} | json value="duration_ms" | unwrap value [RANGE]) by ()')
    changed = sum(
        reader.number(f'sum(sum_over_time({_SYNCS} | json value="{name}_count" | unwrap value [RANGE]))')
        for name in ("created", "updated", "deleted", "unchanged")
    )
    console.print(
        f" Syncs             {runs:,.0f} runs · {success * 100:.1f} % ok · p95 {_milliseconds(p95)} · "
        f"{changed:,.0f} events"
    )
    report.require(runs > 0 and success > 0, "successful syncs")


def _cache(console: Console, reader: Reader, report: Report) -> None:
    def total(event: str, count: str) -> float:
        return reader.number(f'sum(sum_over_time({{event="{event}"}} | json value="{count}" | unwrap value [RANGE]))')

    hits, misses, sets = (total("cache.usage_reported", f"total_{name}_count") for name in ("hit", "miss", "set"))
    asked = hits + misses
    read = total("cache.warmed_keys_read", "read_count")
    console.print(
        f" Cache             {hits / asked * 100 if asked else 0:.1f} % hits of {asked:,.0f} keys asked for · "
        f"{sets:,.0f} written · {read:,.0f} warmed keys read"
    )
    report.require(hits > 0, "hits of the cache")
    report.require(read > 0, "warmed keys that were read")


def _recorded(console: Console, reader: Reader, report: Report) -> None:
    series = reader.recorded('{__name__=~".+:.+:.+"}')
    names = {entry["metric"]["__name__"] for entry in series}
    console.print(f" Recording rules   {len(names)} metrics, {len(series)} series arrived in Prometheus")
    report.require("route:http_response_time_ms:p95_5m" in names, "recorded latency percentiles in Prometheus")
    report.require("resource:sync_success_ratio:avg_5m" in names, "the recorded sync success in Prometheus")


def _alerts(console: Console, receiver: WebhookReceiver, report: Report) -> None:
    delivered: dict[str, tuple[str, float, str]] = {}
    for delivery in receiver.deliveries:
        for alert in delivery.alerts:
            name = alert["labels"]["alertname"]
            if alert["status"] == "firing" and name not in delivered:
                delivered[name] = (alert["startsAt"], delivery.received_ns / 1e9, alert["annotations"]["summary"])
    table = Table(box=None, padding=(0, 1), show_header=False)
    for name, (fired, received, summary) in sorted(delivered.items(), key=lambda entry: entry[1][1]):
        fired_at = datetime.fromisoformat(fired).astimezone()
        received_at = datetime.fromtimestamp(received).astimezone()
        table.add_row(
            name,
            f"fired {fired_at:%H:%M:%S}",
            f"delivered {received_at:%H:%M:%S} → webhook",
            Text(summary, style="dim"),
        )
    console.print(" Alerts")
    console.print(table)
    for names in missing_alerts(delivered):
        report.require(False, f"alert {names}, fired and delivered")


def missing_alerts(delivered: Iterable[str]) -> list[str]:
    """What was expected and not delivered: names, or two joined by `or`."""
    arrived = set(delivered)
    return [" or ".join(sorted(names)) for names in EXPECTED_ALERTS if not names & arrived]


def _completeness(console: Console, result: Completeness, report: Report) -> None:
    console.print(
        f" Completeness      {result.written:,} events written by {result.instances} processes · "
        f"{result.stored:,} stored · {result.lost} lost · {result.repeated} twice",
        style="green" if result.is_complete else "red",
    )
    report.require(result.written > 0, "written events")
    report.require(result.lost == 0, f"{result.lost} events in the store")
    report.require(result.repeated == 0, f"single storage of {result.repeated} events")
    report.require(result.deleted == 0, f"{result.deleted} events deleted before they were shipped")
    report.require(result.uncounted == 0, f"{result.uncounted} events in the metric query's count")


def _vector(reader: Reader, expression: str) -> list[Any]:
    result = reader.loki.query(expression.replace("RANGE", f"{reader.seconds}s"), reader.end_ns)
    assert isinstance(result, Vector)
    return list(result.samples)


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1000:.1f}s" if value >= 1000 else f"{value:.0f}ms"
