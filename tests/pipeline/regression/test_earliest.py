"""How soon after a release its regression can be seen: what the alerts' templates ask for is that, and not a second less.

In: the shipped rules, a release that makes all a thousand times worse at once. Out: minutes. Never: a limit but the rules' own.
"""

from __future__ import annotations

import re
from pathlib import Path

from logging_pkg.pipeline.rules_test.rule_files import read_rules
from tests.pipeline.recorded_series import RECORDED_S
from tests.pipeline.regression.promtool import RULES, Labels, evaluate, series

#: The first bad sample is at this minute plus the unit's phase: every way the intervals of 2, 4 and 5 minutes can lie.
WORSE_AT, LENGTH = 240, 360
PHASES = range(20)
#: Lines are 30 s old when a rule of Loki reads them; a release is first seen by a line as old, which Loki records within its
#: interval and Prometheus within a minute more.
OFFSET_S, PROMETHEUS_S = 30, 60
ALERTS = [rule for rule in read_rules(RULES, RULES.name) if rule.is_alert]


def unit(phase: int) -> list[Labels]:
    """A route and an operation that are worse from their minute on; baselines and noise are given."""
    common = {"service_name": "web", "env": "prod"}
    route, operation = common | {"route": f"{phase:02}"}, common | {"operation": f"{phase:02}"}
    at = WORSE_AT + phase

    def sampled(name: str, labels: Labels, good: float, bad: float) -> Labels:
        every = int(RECORDED_S[name] // 60)
        values = [(good if minute < at else bad) if (minute - at) % every == 0 else None for minute in range(LENGTH)]
        return series(name, labels, values)

    def known(name: str, labels: Labels, value: float) -> Labels:
        return series(name, labels, [value] * LENGTH)

    by_status = {"method": "GET", "status_class": "2xx"}
    return [
        sampled("route:http_response_time_ms:p95_5m", route, 100, 100_000),
        sampled("route:http_queries_per_request:avg_5m", route, 5, 5_000),
        sampled("route:http_error_ratio:avg_5m", route, 0, 1),
        sampled("route:http_cache_hits:sum_5m", route, 1_000, 0),
        sampled("route:http_cache_misses:sum_5m", route, 0, 1_000),
        sampled("operation:google_api_duration_ms:p95_5m", operation, 100, 100_000),
        known("route_method_status_class:http_requests:rate_5m", route | by_status, 10),
        known("operation_status_class:google_api_calls:rate_5m", operation | {"status_class": "2xx"}, 10),
        known("route:http_response_time_ms:baseline_1h", route, 100),
        known("route:http_response_time_ms:noise_1w", route, 1),
        known("route:http_queries_per_request:baseline_1h", route, 5),
        known("route:http_queries_per_request:noise_1w", route, 0.01),
        known("route:http_error_ratio:baseline_1h", route, 0),
        known("route:http_cache_hit_ratio:baseline_1h", route, 1),
        known("route:http_cache_hit_ratio:noise_1w", route, 0.01),
        known("operation:google_api_duration_ms:baseline_1h", operation, 100),
        known("operation:google_api_duration_ms:noise_1w", operation, 1),
    ]


def test_no_release_younger_than_the_limit_can_be_the_cause(tmp_path: Path) -> None:
    """30 minutes from the first bad sample to the alert, less what the release may be recorded too late: 28 minutes.

    A longer limit would pass over the release that did it, a shorter one name one that cannot have done it.
    """
    inputs = [one for phase in PHASES for one in unit(phase)]
    ((*began,),) = evaluate(inputs, [(f"ALERTS_FOR_STATE / 60 - {WORSE_AT}", LENGTH - 1)], tmp_path)
    took: dict[str, list[float]] = {}
    for labels, minute in began:
        phase = int(labels.get("route") or labels["operation"])
        took.setdefault(labels["alertname"], []).append(minute - phase)
    assert {name: len(minutes) for name, minutes in took.items()} == {rule.name: len(PHASES) for rule in ALERTS}
    earliest_s = 60 * min(min(minutes) for minutes in took.values()) + OFFSET_S
    recorded_late_s = OFFSET_S + RECORDED_S["release:process_release_heartbeats:rate_5m"] + PROMETHEUS_S
    limits = {
        int(limit)
        for rule in ALERTS
        for limit in re.findall(r"- (\d+)\)", rule.annotations["release"] + rule.annotations["description"])
    }
    assert limits == {earliest_s - recorded_late_s}, took
