"""The trouble that each alert of Prometheus is tried with.

In: the objectives. Out: runs of onsets, by name. Never: a limit of a rule; a trouble is what people would call one.
"""

from __future__ import annotations

import yaml

from tests.pipeline.onsets import DAY, LOKI, Given, H, Onset, Run, Value


def at_once(before: float, after: float) -> Value:
    """A count, or what was last seen: another value from the first sample on."""
    return lambda minutes: after if minutes > 0 else before


def within(before: float, after: float, window_min: float = 5) -> Value:
    """A mean over a window, which holds more and more of what is new."""
    return lambda minutes: before + (after - before) * min(1.0, max(0.0, minutes / window_min))


def from_then_on(before: float, per_day: float) -> Value:
    """A level that moves."""
    return lambda minutes: before + per_day * max(0.0, minutes) / DAY


def objective(name: str, alert: str, trouble: str, bad: float) -> Onset:
    """Ten events a minute, of which so many are bad from the onset on."""
    labels = {"slo": name}
    return Onset(
        alert,
        trouble,
        (
            Given(f"slo:{name}_events:count_1m", at_once(10, 10), labels),
            Given(f"slo:{name}_bad_events:count_1m", at_once(0, bad), labels),
        ),
    )


#: As loki/slos.yaml has them, by name.
OBJECTIVES = {slo["name"]: slo for slo in yaml.safe_load((LOKI / "slos.yaml").read_text())["slos"]}


def share_bad(name: str) -> float:
    """Of an objective's events, those that may be bad."""
    return 1 - float(OBJECTIVES[name]["objective"].rstrip(" %")) / 100


def title(name: str) -> str:
    """Of its alerts."""
    return "".join(part.title() for part in name.split("_"))


REQUESTS = {"route": "/a/", "method": "GET", "status_class": "2xx"}
ROUTE = {"route": "/a/"}
TWENTY_A_MINUTE = Given("route_method_status_class:http_requests:rate_5m", at_once(1 / 3, 1 / 3), REQUESTS)

RUNS = {
    "pages": Run(
        "slos.yaml", 6 * H, 60, 1,
        tuple(
            objective(name, f"{title(name)}SloPage", "all events are bad, after six hours in which none was", 10)
            for name in OBJECTIVES
        ),
    ),
    "tickets": Run(
        "slos.yaml", 3 * DAY, DAY, 5,
        tuple(
            objective(
                name, f"{title(name)}SloTicket",
                "bad events at 4 times the share that may be bad, after three days without",
                40 * share_bad(name),
            )
            for name in OBJECTIVES
        ),
        sample_min=5,
    ),
    "service_levels": Run(
        "service_levels.yaml", 2 * H, 60, 1,
        (
            Onset(
                "ManyQueriesPerRequest", "queries per request rise from 3 to 10",
                (Given("route:http_queries_per_request:avg_5m", within(3, 10), ROUTE), TWENTY_A_MINUTE),
            ),
        ),
    ),
    "capacity": Run(
        "capacity.yaml", DAY, DAY, 2,
        (
            Onset(
                "DiskFullInDays", "a disk that stayed as it was begins to fill, and would be full in two days",
                (Given("service:log_disk_free_bytes:avg_5m", from_then_on(100e9, -50e9), {}),),
            ),
            Onset(
                "DatabaseFillsUp", "a database that stayed as it was begins to grow, and would be full in four days",
                (
                    Given("alias:db_size_bytes:avg_5m", from_then_on(10e9, 1e9), {"alias": "default"}),
                    Given("alias:db_size_left_bytes:avg_5m", from_then_on(4e9, -1e9), {"alias": "default"}),
                ),
            ),
        ),
    ),
    "regression": Run(
        "regression.yaml", 3 * DAY + H, 2 * H, 5,
        (
            Onset(
                "RouteLatencyRegressed", "the p95 of a route doubles",
                (Given("route:http_response_time_ms:p95_5m", within(300, 600), ROUTE), TWENTY_A_MINUTE),
            ),
            Onset(
                "RouteQueriesRegressed", "queries per request rise from 3 to 6",
                (Given("route:http_queries_per_request:avg_5m", within(3, 6), ROUTE), TWENTY_A_MINUTE),
            ),
            Onset(
                "RouteErrorsRegressed", "of requests that never failed 10 % fail",
                (Given("route:http_error_ratio:avg_5m", within(0, 0.1), ROUTE), TWENTY_A_MINUTE),
            ),
            Onset(
                "RouteCacheHitRatioDropped", "of keys asked for, 50 % are found, and no longer 90 %",
                (
                    Given("route:http_cache_hits:sum_5m", within(90, 50), ROUTE),
                    Given("route:http_cache_misses:sum_5m", within(10, 50), ROUTE),
                ),
            ),
            Onset(
                "GoogleLatencyRegressed", "the p95 of an operation of Google's API doubles",
                (
                    Given("operation:google_api_duration_ms:p95_5m", within(300, 600), {"operation": "events.list"}),
                    Given(
                        "operation_status_class:google_api_calls:rate_5m", at_once(1 / 3, 1 / 3),
                        {"operation": "events.list", "status_class": "2xx"},
                    ),
                ),
            ),
        ),
    ),
}  # fmt: skip
