"""Two pipelines that are given the same lines: in one, servers are killed for a while.

In: rule directories, how long things last. Out: two stacks and the times between which they are to be compared. Never: a
line that only one of them has.

All lines are stored before anything is compared, those of the coming minutes too: so what a ruler says depends on
when it looks, and on nothing that a busy machine may delay.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import Stack
from tests.pipeline.events import REGISTRY, line, push
from tests.pipeline.test_recording_rules import some_value

SERVICE = "two-rulers"
S = 1_000_000_000
#: Lines may be of the next hour. Relative, so that both rulers evaluate at the same moments, wherever their directories are.
LOKI_CHANGES = {
    "limits_config": {"creation_grace_period": "1h"},
    "ruler": {"rule_path": "rules-temp", "poll_interval": "1s"},
}


@dataclass(frozen=True)
class TwoRulers:
    """`whole` was never disturbed; `broken` was within [start_ns, end_ns]."""

    whole: Stack
    broken: Stack
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Times:
    """How long all runs before the gap, how long the gap is, how long all runs after it, s."""

    before_s: float
    gap_s: float
    after_s: float


@contextmanager
def two_rulers(rules: Path, prometheus_rules: Path, times: Times, killed: Sequence[str]) -> Iterator[TwoRulers]:
    """Run both, kill servers of one with SIGKILL, start them again; both run on while the block lasts.

    Args:
        rules: of Loki's ruler.
        prometheus_rules: of Prometheus.
        times: how long what lasts.
        killed: "loki" (with its ruler), "prometheus", or both: then Loki is away for the first half of the gap only, so
            that its ruler has samples of the second half to send when Prometheus is back.
    """
    servers = ("loki", "prometheus")
    made = {"rules_directory": rules, "prometheus_rules_directory": prometheus_rules, "loki_changes": LOKI_CHANGES}
    with Stack(servers, **made) as whole, Stack(servers, **made) as broken:
        lines = list(traffic(time.time_ns(), times.before_s + times.gap_s + times.after_s))
        for stack in (whole, broken):
            with LokiClient(stack.loki_url) as client:
                push(client, lines)
        time.sleep(times.before_s / 2)
        start_ns = time.time_ns()
        time.sleep(times.before_s / 2)
        for server in killed:
            broken.kill(server)
        for server in killed:
            time.sleep(times.gap_s / len(killed))
            broken.start(server)
        time.sleep(times.after_s)
        end_ns = time.time_ns()
        time.sleep(3)  # a recorded sample is sent within a second
        yield TwoRulers(whole, broken, start_ns, end_ns)


def traffic(now_ns: int, lasts_s: float) -> Iterator[dict[str, Any]]:
    """Lines of every event with a metric, every dimension at random, from before now until the end.

    Every event pauses now and then, each at times of its own, so that series end and come again.
    """
    chosen = random.Random(7)
    for event, schema in REGISTRY.events.items():
        fields = {name for metric in schema.metrics for name in (*metric.by, metric.field, metric.weight) if name}
        if not schema.metrics:
            continue
        at_s = -lasts_s / 2
        pause_s = lasts_s / 6
        while at_s < lasts_s:
            values = {name: some_value(REGISTRY.field(event, name), name, chosen) for name in fields}
            yield line(event, SERVICE, now_ns + int(at_s * 1e6) * 1000, **values)
            at_s += chosen.expovariate(150 / lasts_s)
            if chosen.random() < 0.03:
                at_s += chosen.uniform(0, pause_s)
