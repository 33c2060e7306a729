"""A ruler is killed; what `logpipe backfill` writes is what the ruler would have written: the same samples, none more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.run import same
from logging_pkg.pipeline.backfill.wire import LabelSet, Points, bits, is_stale
from logging_pkg.stack import Stack
from tests.pipeline.backfill.two_rulers import TwoRulers, two_rulers

RULES = Path(__file__).parents[3] / "loki/rules"
#: The shipped recording rules of the busiest events, faster: a minute is three seconds.
FASTER = {
    "interval: 15s": "interval: 2s",
    "interval: 1m": "interval: 3s",
    "interval: 2m": "interval: 4s",
    "interval: 4m": "interval: 5s",
    "[5m]": "[8s]",
    "[1m]": "[4s]",
    "offset 30s": "offset 1s",
}
FAST_GROUPS = ("http.request_finished:5m", "google_api.call_finished:1m", "sync.run_finished:5m", "db.slow_query")


def faster_rules(directory: Path) -> Path:
    """A directory of rule files with the shipped rules, made for a run of seconds."""
    text = (RULES / "recording.yaml").read_text()
    for shipped, fast in FASTER.items():
        assert shipped in text
        text = text.replace(shipped, fast)
    document = yaml.safe_load(text)
    document["groups"] = [group for group in document["groups"] if group["name"].startswith(FAST_GROUPS)]
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["labels"] = {"cluster": "eu"}
    (directory / "recording.yaml").write_text(yaml.safe_dump(document))
    return directory


@pytest.fixture(
    scope="module", params=["seconds", pytest.param("ten minutes", marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def gap(request: pytest.FixtureRequest, stack_binaries: Any, tmp_path_factory: Any) -> Iterator[tuple[TwoRulers, Path]]:
    """Fast rules and a gap of 12 s; or the shipped ones as they are and a gap of 10 minutes."""
    if request.param == "seconds":
        rules, times = faster_rules(tmp_path_factory.mktemp("rules")), (10, 12, 5)
    else:
        rules, times = RULES, (300, 600, 180)
    with two_rulers(rules, *times) as two:
        yield two, rules


def backfill(two: TwoRulers, rules: Path, *options: str, code: int = 0) -> dict[str, Any]:
    """The command's own account of a run over the compared range."""
    command = [sys.executable, "-m", "logging_pkg.cli", "backfill", "--json", "--rules", str(rules), *options]
    command += ["--loki-url", two.broken.loki_url, "--prometheus-url", two.broken.prometheus_url]
    command += ["--from", _moment(two.start_ns), "--to", _moment(two.end_ns)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stderr or done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _moment(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{rest // 1000:06d}Z"


def recorded_series(stack: Stack, two: TwoRulers) -> dict[LabelSet, Points]:
    """Every raw sample of every recorded series within the compared range."""
    with LokiClient(two.whole.loki_url) as client:
        names = {rule.name for group in client.rules() for rule in group.rules if rule.kind == "recording"}
    prometheus = Prometheus(stack.prometheus_url)
    found: dict[LabelSet, Points] = {}
    for name in names:
        found |= prometheus.read(name, two.start_ns // 1_000_000 + 1, two.end_ns // 1_000_000)
    return found


def count(series: Mapping[LabelSet, Points]) -> int:
    return sum(map(len, series.values()))


def as_bits(series: Mapping[LabelSet, Points]) -> dict[LabelSet, dict[int, int]]:
    return {labels: {at: bits(value) for at, value in points.items()} for labels, points in series.items()}


def test_a_backfilled_gap_is_as_if_the_ruler_had_never_been_away(gap: tuple[TwoRulers, Path]) -> None:
    """Sample by sample: times, labels, values, and the markers that end a series. A second run finds nothing to do."""
    two, rules = gap
    whole = recorded_series(two.whole, two)
    before = recorded_series(two.broken, two)
    markers = sum(is_stale(value) for points in whole.values() for value in points.values())
    assert count(whole) > 300, "too little to compare"
    assert markers > 20, "too little to compare"
    assert count(before) < 0.8 * count(whole), "there is no gap"

    looked = backfill(two, rules, "--dry-run", code=1)
    assert (looked["totals"]["missing"], looked["totals"]["written"]) == (count(whole) - count(before), 0)
    assert as_bits(recorded_series(two.broken, two)) == as_bits(before)

    filled = backfill(two, rules)
    assert filled["totals"]["written"] == count(whole) - count(before)
    # A group's samples tell its phase. Beside a gap of ten minutes one that is looked at every four may have none.
    told = {dict(labels)["__name__"] for labels in before}
    with_samples = {rule["group"] for rule in filled["rules"] if rule["record"] in told}
    for rule in filled["rules"]:
        assert rule["phase_source"] == ("samples" if rule["group"] in with_samples else "hash"), rule
    if rules != RULES:
        assert {rule["group"] for rule in filled["rules"]} == with_samples
    after = recorded_series(two.broken, two)
    assert set(after) == set(whole)
    different = [
        (labels, at, whole[labels].get(at), after[labels].get(at))
        for labels in whole
        for at in whole[labels].keys() | after[labels].keys()
        if at not in whole[labels] or at not in after[labels] or not same(whole[labels][at], after[labels][at])
    ]
    assert different == []

    again = backfill(two, rules)["totals"]
    assert (again["expected"], again["present"]) == (count(whole), count(whole))
    assert (again["missing"], again["written"], again["differing"]) == (0, 0, 0)
