"""Servers are killed; what `logpipe backfill` writes is what would have been written: the same samples, none more."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.backfill.own_rules import own_groups
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.task import same
from logging_pkg.pipeline.backfill.wire import STALE, LabelSet, Points, bits, is_stale, label_set
from logging_pkg.prometheus_client import PrometheusClient
from logging_pkg.stack import Stack
from tests.pipeline.backfill.fast_rules import PROMETHEUS_RULES, RULES, fast_prometheus_rules, fast_rules
from tests.pipeline.backfill.two_rulers import Times, TwoRulers, two_rulers

TEN_MINUTES = (pytest.mark.long, pytest.mark.timeout(2400))
#: Has most of the samples; others come before and after it.
BUSY = "route_method_status_class:http_requests:rate_5m"
RULER, BOTH = ("loki",), ("loki", "prometheus")


@dataclass(frozen=True)
class Gap:
    """Two pipelines, which of one's servers were killed, and the rules of their rulers."""

    two: TwoRulers
    killed: tuple[str, ...]
    rules: Path


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((RULER, False), id="ruler"),
        pytest.param((BOTH, False), id="both"),
        pytest.param((RULER, True), id="ruler-ten-minutes", marks=TEN_MINUTES),
        pytest.param((BOTH, True), id="both-ten-minutes", marks=TEN_MINUTES),
    ],
)
def gap(request: pytest.FixtureRequest, stack_binaries: Any, tmp_path_factory: Any) -> Iterator[Gap]:
    """Fast rules and a gap of 12 s; or the shipped ones as they are and a gap of 10 minutes.

    When both are killed, Loki is away for the first half. So its ruler's samples of the second half wait for Prometheus
    to come back, and arrive by themselves: what is left to fill is the first half, and all of Prometheus's own.
    """
    killed, is_long = request.param
    if is_long:
        rules, own, times = RULES, PROMETHEUS_RULES, Times(300, 600, 180)
    else:
        rules, own = fast_rules(tmp_path_factory.mktemp("rules")), fast_prometheus_rules(tmp_path_factory.mktemp("own"))
        times = Times(10, 12, 5)
    with two_rulers(rules, own, times, killed) as two:
        yield Gap(two, killed, rules)


def command(gap: Gap, *options: str) -> list[str]:
    """The command over the compared range."""
    two = gap.two
    servers = ["--loki-url", two.broken.loki_url, "--prometheus-url", two.broken.prometheus_url]
    times = ["--from", _moment(two.start_ns), "--to", _moment(two.end_ns)]
    return [
        *(sys.executable, "-m", "logging_pkg.cli", "backfill", "--json", "--rules", str(gap.rules)),
        *(*servers, *times, *options),
    ]


def backfill(gap: Gap, *options: str, code: int = 0) -> dict[str, Any]:
    """Its own account of a run."""
    done = subprocess.run(command(gap, *options), capture_output=True, text=True, timeout=900)
    assert done.returncode == code, done.stderr or done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def kill_half_way(gap: Gap) -> None:
    """Start it, and kill it as soon as it has written something."""
    end_ms = gap.two.end_ns // 1_000_000
    counted = f"sum(count_over_time({BUSY}[{end_ms - gap.two.start_ns // 1_000_000}ms]))"
    with PrometheusClient(gap.two.broken.prometheus_url) as client:
        (before,) = client.query(counted, end_ms).samples
        running = subprocess.Popen(command(gap), stdout=subprocess.DEVNULL)
        while running.poll() is None and client.query(counted, end_ms).samples[0].value == before.value:
            time.sleep(0.02)
        running.kill()
    assert running.wait() == -9, "it was through before it was killed"


def _moment(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{rest // 1000:06d}Z"


def samples(stack: Stack, gap: Gap, names: set[str]) -> dict[LabelSet, Points]:
    """Every raw sample of these series within the compared range."""
    prometheus = Prometheus(stack.prometheus_url)
    found: dict[LabelSet, Points] = {}
    for name in names:
        found |= prometheus.read(name, gap.two.start_ns // 1_000_000 + 1, gap.two.end_ns // 1_000_000)
    return found


def from_loki(gap: Gap) -> set[str]:
    """What Loki's ruler records."""
    with LokiClient(gap.two.whole.loki_url) as client:
        return {rule.name for group in client.rules() for rule in group.rules if rule.kind == "recording"}


def count(series: Mapping[LabelSet, Points]) -> int:
    return sum(map(len, series.values()))


def as_bits(series: Mapping[LabelSet, Points]) -> dict[LabelSet, dict[int, int]]:
    return {labels: {at: bits(value) for at, value in points.items()} for labels, points in series.items()}


def total(answer: dict[str, Any], number: str, names: set[str]) -> int:
    """A number of the command's account, added up over the rules that record these series."""
    return sum(rule[number] for rule in answer["rules"] if rule["record"] in names)


def test_a_backfilled_gap_is_as_if_nothing_had_been_away(gap: Gap) -> None:
    """What Loki's ruler records sample by sample: times, labels, values, and the markers that end a series.

    A dry run writes nothing; a run that is killed half-way leaves the rest to the next; one more finds nothing to do.
    """
    names = from_loki(gap)
    whole, before = samples(gap.two.whole, gap, names), samples(gap.two.broken, gap, names)
    markers = sum(is_stale(value) for points in whole.values() for value in points.values())
    assert count(whole) > 300, "too little to compare"
    assert markers > 20, "too little to compare"
    assert count(before) < 0.85 * count(whole), "there is no gap"

    looked = backfill(gap, "--dry-run", code=1)
    assert (looked["totals"]["missing"], looked["totals"]["written"]) == (count(whole) - count(before), 0)
    assert looked["rules_waiting"] > 50, "Prometheus's own rules wait for what they read"
    assert as_bits(samples(gap.two.broken, gap, names)) == as_bits(before)

    kill_half_way(gap)
    partly = samples(gap.two.broken, gap, names)
    assert count(before) < count(partly) < count(whole)

    own_before = samples(gap.two.broken, gap, own_names(gap))
    filled = backfill(gap)
    assert total(filled, "written", names) == count(whole) - count(partly)
    # A group's samples tell its phase. Beside a gap of ten minutes one that is looked at every four may have none.
    told = {dict(labels)["__name__"] for labels in partly}
    with_samples = {rule["group"] for rule in filled["rules"] if rule["record"] in told}
    for rule in filled["rules"]:
        if rule["record"] in names:
            assert rule["phase_source"] == ("samples" if rule["group"] in with_samples else "hash"), rule
    after = samples(gap.two.broken, gap, names)
    assert set(after) == set(whole)
    different = [
        (labels, at, whole[labels].get(at), after[labels].get(at))
        for labels in whole
        for at in whole[labels].keys() | after[labels].keys()
        if at not in whole[labels] or at not in after[labels] or not same(whole[labels][at], after[labels][at])
    ]
    assert different == []
    check_own(gap, own_before)
    check_objectives(gap)

    stored = as_bits(samples(gap.two.broken, gap, names | own_names(gap)))
    again = backfill(gap)
    assert (again["totals"]["missing"], again["totals"]["written"], again["rules_waiting"]) == (0, 0, 0)
    assert total(again, "expected", names) == total(again, "present", names) == count(whole)
    assert total(again, "differing", names) == 0
    assert as_bits(samples(gap.two.broken, gap, names | own_names(gap))) == stored


def own_names(gap: Gap) -> set[str]:
    """What Prometheus records itself."""
    return {rule.record for group in own_groups(Prometheus(gap.two.broken.prometheus_url)) for rule in group.rules}


def check_own(gap: Gap, before: Mapping[LabelSet, Points]) -> None:
    """What Prometheus's own rules lacked is what they say now that all they read is there, and at every moment.

    Not compared with the pipeline that ran on: its rules saw a sample of Loki's a moment after it was due.
    """
    groups, added = own_groups(Prometheus(gap.two.broken.prometheus_url)), 0
    with PrometheusClient(gap.two.broken.prometheus_url) as client:
        for group in groups:
            after = samples(gap.two.broken, gap, {rule.record for rule in group.rules})
            times = sorted({at for points in after.values() for at in points})
            assert group.interval_ns is not None
            interval_ms = group.interval_ns // 1_000_000
            if not group.name.startswith("slo:"):  # they share names, and each has its own moments
                assert {later - at for at, later in pairwise(times)} <= {interval_ms}, group.name
            for rule in group.rules:
                chosen = {("__name__", rule.record), *rule.labels.items()}
                for labels, points in after.items():
                    new = points.keys() - before.get(labels, {}).keys()
                    for at in new if chosen <= set(labels) else ():
                        said = {
                            label_set({**one.labels, **rule.labels, "__name__": rule.record}): one.value
                            for one in client.query(rule.expr, at).samples
                        }
                        assert same(said.get(labels, STALE), points[at]), (rule.record, labels, at)
                        added += 1
    assert added > (200 if "prometheus" in gap.killed else 0)


def check_objectives(gap: Gap) -> None:
    """They say the same as without a gap: their windows are sums of counts, and those are all there.

    Over the compared range: what was recorded before, while lines came first to the one and then to the other, is theirs.
    """
    compared = f"[{(gap.two.end_ns - gap.two.start_ns) // 1_000_000}ms]"
    exprs = [
        re.sub(r"\[(1h|30d)\]", compared, rule.expr)
        for group in own_groups(Prometheus(gap.two.broken.prometheus_url))
        for rule in group.rules
        if rule.record in {"slo:error_ratio:avg_30d", "slo:burn_rate:avg_1h"}
    ]
    assert len(exprs) == 8
    assert all(compared in expr for expr in exprs)
    said: list[list[dict[LabelSet, float]]] = []
    for stack in (gap.two.whole, gap.two.broken):
        with PrometheusClient(stack.prometheus_url) as client:
            vectors = [client.query(expr, gap.two.end_ns // 1_000_000) for expr in exprs]
        said.append([{label_set(one.labels): one.value for one in vector.samples} for vector in vectors])
    assert said[0] == said[1]
    assert any(said[0])
