"""A service that is released once, after some clean weeks: what the shipped rules say of it.

In: units and a length. Out: false alarms before the release, and when each unit's regression was found after it. Never: a
limit, which are the rules' own.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.regression.promtool import Sample, evaluate, series
from tests.pipeline.regression.workload import WEEK, Unit, recorded

BASELINES = (
    "route:http_response_time_ms:baseline_1h",
    "route:http_queries_per_request:baseline_1h",
    "route:http_error_ratio:baseline_1h",
    "operation:google_api_duration_ms:baseline_1h",
)
#: From the release on, this long is looked at.
AFTER = 120


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules said.

    Attributes:
        false_alarms: alert and unit -> firing evaluations (of 5 minutes each) before the release.
        found_after_min: alert and unit -> minutes from the release to the first firing evaluation.
        releases: minutes from the release to when each release was first seen, as recorded 5 minutes after it.
        judged: evaluations of a unit with a baseline, all alerts together, before the release.
    """

    false_alarms: dict[tuple[str, str], int]
    found_after_min: dict[tuple[str, str], int]
    releases: dict[str, int]
    judged: int


def simulate(units: Sequence[Unit], release_at: int, seed: int, folder: Path) -> Findings:
    """Run the units up to two hours after minute `release_at`; the first week is what the baselines need."""
    length = release_at + AFTER
    inputs = []
    for number, unit in enumerate(units):
        values = recorded(unit, length, release_at, random.Random(f"{seed}-{number}"))  # a seed of text is stable, too
        common = {"service_name": "web", "env": "prod"}
        if unit.is_operation:
            labels = common | {"operation": unit.name}
            inputs += [
                series("operation:google_api_duration_ms:p95_5m", labels, values["p95"]),
                series(
                    "operation_status_class:google_api_calls:rate_5m", labels | {"status_class": "2xx"}, values["rate"]
                ),
            ]
            continue
        labels = common | {"route": unit.name}
        inputs += [
            series("route:http_response_time_ms:p95_5m", labels, values["p95"]),
            series("route:http_queries_per_request:avg_5m", labels, values["queries"]),
            series("route:http_error_ratio:avg_5m", labels, values["errors"]),
            series(
                "route_method_status_class:http_requests:rate_5m",
                labels | {"method": "GET", "status_class": "2xx"},
                values["rate"],
            ),
        ]
    # The old release's processes end while the new one's begin; a rate outlives its process by its window.
    for release, values_ in (
        ("1.0", [0.1 if minute < release_at + 8 else None for minute in range(length)]),
        ("1.1", [0.1 if minute >= release_at else None for minute in range(length)]),
    ):
        labels = {"service_name": "web", "env": "prod", "release": release}
        inputs.append(series("release:process_release_heartbeats:rate_5m", labels, values_))
    before = release_at - 1
    answers = evaluate(
        inputs,
        [
            (f'count_over_time(ALERTS{{alertstate="firing"}}[{before - WEEK}m])', before),
            # Promtool shows four digits; so the differences are computed there.
            (
                f'min_over_time((timestamp(ALERTS{{alertstate="firing"}}))[{AFTER - 2}m:1m]) / 60 - {release_at}',
                length - 1,
            ),
            (f"release:process_first_seen_s:min / 60 - {release_at}", release_at + 5),
            (" + ".join(f"sum(count_over_time({name}[{before - WEEK}m]))" for name in BASELINES), before),
        ],
        folder,
    )
    false_alarms, found, releases, judged = answers
    return Findings(
        {_who(sample): int(sample[1]) for sample in false_alarms},
        {_who(sample): round(sample[1]) for sample in found},
        {labels["release"]: round(value) for labels, value in releases},
        int(judged[0][1]),
    )


def _who(sample: Sample) -> tuple[str, str]:
    labels, _value = sample
    return labels["alertname"], labels.get("route") or labels["operation"]
