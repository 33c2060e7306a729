"""The least squares of the forecasts on a real Loki equal those of Python's statistics module."""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from logging_pkg.loki_client import LokiClient
from tests.pipeline.events import line, push

PROJECT = Path(__file__).parents[2]
S = 1_000_000_000
RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((PROJECT / "loki/rules/capacity_alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}


def exact_slope(x: Sequence[float], y: Sequence[float]) -> Fraction:
    """The slope in rational numbers: rounded nowhere."""
    n, xs, ys = len(x), [Fraction(value) for value in x], [Fraction(value) for value in y]
    covariance = n * sum(a * b for a, b in zip(xs, ys, strict=True)) - sum(xs) * sum(ys)
    return covariance / (n * sum(a * a for a in xs) - sum(xs) ** 2)


def without_limit(alert: str) -> str:
    """The alert's expression without its last comparison: seconds left, however many."""
    return re.sub(r"\s*< \d+\s*$", "", RULES[alert])


# A process that has just reached the hour, and one that has run for a month.
@pytest.mark.parametrize("uptime_s", [0.0, 2_592_000.0])
@pytest.mark.parametrize(
    ("alert", "field", "first", "step"),
    [("DiskFillsUp", "log_disk_free_ratio", 0.9, -0.0004), ("MemoryRunsOut", "memory_used_ratio", 0.6, 0.0005)],
)
def test_seconds_left_equal_pythons(
    loki: LokiClient, alert: str, field: str, first: float, step: float, uptime_s: float
) -> None:
    """Noisy heartbeats at uneven times, to 1e-9 of an exact computation and of statistics.linear_regression."""
    chance = random.Random(f"{alert}{uptime_s}")
    service = f"forecast-{chance.randrange(16**8):08x}"
    now_ns = time.time_ns() // S * S
    x, y, recent, lines = [], [], [], []
    for n in range(230):
        at_ns = now_ns - (230 - n) * 15 * S - 31 * S + chance.randrange(S) // 1000 * 1000
        x.append(round(uptime_s + (at_ns - now_ns) / 1e9 + 3600, 3))
        y.append(round(first + step * n + chance.uniform(-0.02, 0.02), 6))
        if at_ns > now_ns - 330 * S:  # the last 5 minutes, 30 s ago
            recent.append(y[-1])
        lines.append(line("process.sampled", service, at_ns, instance_id="a" * 32, uptime_s=x[-1], **{field: y[-1]}))
    # A heartbeat that does not tell the field is none of the regression's points.
    lines.append(line("process.sampled", service, now_ns - 40 * S, instance_id="a" * 32, uptime_s=1.0))
    push(loki, lines)
    query = without_limit(alert).replace(
        'event="process.sampled"', f'event="process.sampled", service_name="{service}"'
    )
    (sample,) = loki.query(query, now_ns).samples
    exact = exact_slope(x, y)
    assert float(exact) == pytest.approx(statistics.linear_regression(x, y).slope, rel=1e-9)
    left = -Fraction(min(recent)) / exact if field == "log_disk_free_ratio" else (1 - Fraction(max(recent))) / exact
    assert sample.value == pytest.approx(float(left), rel=1e-9)
