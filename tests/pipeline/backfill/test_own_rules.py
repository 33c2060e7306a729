"""Prometheus's own rules over a range: one may read another's samples, of whatever group, and its own of before."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from logging_pkg.pipeline.backfill.own_rules import backfill_own, own_groups
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.task import Task
from logging_pkg.stack import Stack

#: Prometheus tells groups by name: the one that counts comes before what it reads. `tens` is what Loki would record.
RULES = """
groups:
  - name: counts
    interval: 10s
    rules:
      - {record: "all:doubles:count", expr: "count_over_time(all:doubles:last[1m])"}
  - name: doubles
    interval: 10s
    rules:
      - {record: "all:doubles:last", expr: "2 * all:tens:last", labels: {kind: even}}
      - {record: "all:quadruples:last", expr: "2 * all:doubles:last"}
  - name: itself
    interval: 10s
    rules:
      - {record: "all:looks:count", expr: "(last_over_time(all:looks:count[15s]) or 0 * all:tens:last) + 1"}
      - {record: "all:first_half:last", expr: "all:tens:last < 10"}
"""


def test_moments_are_gone_through_as_prometheus_goes_through_time(stack_binaries: Any, tmp_path: Path) -> None:
    """Each sum is of samples that were there by then, a count goes on from the one before, a series that ends is marked."""
    (tmp_path / "rules.yaml").write_text(RULES)
    with Stack(("prometheus",), prometheus_rules_directory=tmp_path) as stack:
        prometheus = Prometheus(stack.prometheus_url)
        # Long ago, so that Prometheus itself records nothing in between; every 5 s, so that none is too old to be found.
        start_ms = time.time_ns() // 1_000_000 - 3_600_000
        tens = {start_ms + 5_000 * number: float(number) for number in range(-20, 21)}
        prometheus.write({(("__name__", "all:tens:last"),): tens})
        task = Task(start_ms * 10**6, (start_ms + 99_000) * 10**6)
        results = {one.rule.record: one for one in backfill_own(prometheus, own_groups(prometheus), task)}
        again = backfill_own(prometheus, own_groups(prometheus), task)

        def stored(name: str) -> dict[tuple[tuple[str, str], ...], list[float]]:
            found = prometheus.read(name, start_ms, start_ms + 99_000)
            return {labels: [points[at] for at in sorted(points)] for labels, points in found.items()}

        ((labels, doubles),) = stored("all:doubles:last").items()
        assert dict(labels)["kind"] == "even"
        assert len(doubles) == results["all:doubles:last"].evaluations in {9, 10}
        assert [later - one for one, later in pairwise(doubles)] == [4.0] * (len(doubles) - 1)
        ((_labels, quadruples),) = stored("all:quadruples:last").items()
        assert quadruples == [2 * value for value in doubles]
        ((_labels, counts),) = stored("all:doubles:count").items()
        assert counts[-3:] == [6.0] * 3
        assert counts == sorted(counts)
        ((_labels, looks),) = stored("all:looks:count").items()
        assert looks == [float(number) for number in range(1, len(looks) + 1)]
        ((_labels, first_half),) = stored("all:first_half:last").items()
        assert [value != value for value in first_half] == [False] * (len(first_half) - 1) + [True]  # noqa: PLR0124 - NaN
        assert [(one.missing, one.written) for one in again] == [(0, 0)] * len(results)
