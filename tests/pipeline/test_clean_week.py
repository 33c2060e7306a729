"""Nothing fires while all is well: every alert rule at every evaluation of half a day, and of a week, on a real Loki.

And none of Prometheus's, over the series which that Loki records in the week. Silence counts where there is something to judge:
each alert's expression without its comparisons has samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.rules_test.evaluate import Evaluation, alert_steps, at, every
from logging_pkg.pipeline.rules_test.labels import alert_labels, key_of, labels_text
from logging_pkg.pipeline.rules_test.model import AlertCheck, EventLine, Rule, RuleTest
from logging_pkg.pipeline.rules_test.parallel import in_parallel
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.run import store_all
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki
from tests.pipeline.alert_inputs import PROMETHEUS_RULES, judged, prometheus_answers
from tests.pipeline.events import REGISTRY
from tests.pipeline.healthy import DAY_S, healthy
from tests.pipeline.recorded_series import loki_series
from tests.pipeline.regression.promtool import Labels, series

RULES = Path(__file__).parents[2] / "loki" / "rules"
ALL = [rule for path in sorted(RULES.iterdir()) for rule in read_rules(path, path.name)]
ALERTS, RECORDS = [rule for rule in ALL if rule.is_alert], [rule for rule in ALL if not rule.is_alert]
S = 1_000_000_000
#: It fires while all is well.
ALWAYS = "PipelineAlive"
#: What they count is not there while all is well: an event that breaks its schema.
NOTHING_TO_JUDGE = {"EventsRejected"}
#: Least numbers that hold on a clean week too: half an hour of heartbeats, half the memory, 100 keys, a tenth of the day's quota.
GUARDED = {"DiskFillsUp", "MemoryRunsOut", "CacheHitRatioDropped", "GoogleQuotaDayRunsOut"}


def firing(rule: Rule, steps: list[Evaluation], interval_ns: int) -> Iterator[tuple[int, str]]:
    """Each evaluation at which an alert fires: its time in s, and the alert."""
    since: dict[object, int] = {}
    for number, step in enumerate(steps):
        labels = {key_of(found): found for found in (alert_labels(series, rule.labels) for series, _value in step)}
        since = {key: since.get(key, number) for key in labels}
        for key, first in since.items():
            if (number - first) * interval_ns >= rule.for_ns:
                yield number * interval_ns // S, f"{rule.name}{labels_text(labels[key])}"


def has_samples(client: LokiClient, rule: Rule, base_ns: int, interval_ns: int, length_s: int) -> bool:
    """Whether the alert has something to judge: asked every half hour from the end, then at each evaluation."""
    expr = judged(rule.expr, with_guards=rule.name in GUARDED)
    moments = range(length_s, 3600, -1800)
    return any(at(client, expr, base_ns + moment * S) for moment in moments) or any(
        every(client, expr, base_ns, interval_ns, length_s * S // interval_ns * interval_ns)
    )


def recorded(loki: ThrowawayLoki, stored: StoredTest, length_s: int) -> list[Labels]:
    """The series Prometheus's rules rest on, as Loki's ruler records them, for promtool: a value a minute."""
    names = {name for path in PROMETHEUS_RULES for name in loki_series(path.read_text(encoding="utf-8"))}

    def series_of(rule: Rule) -> list[Labels]:
        assert rule.interval_ns is not None
        steps = every(loki.client(stored.tenant), rule.expr, stored.base_ns, rule.interval_ns, length_s * S)
        values: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
        for number, step in enumerate(steps):
            for labels, value in step:
                key = tuple(sorted(alert_labels(labels, rule.labels).items()))
                minutes = values.setdefault(key, [None] * (length_s // 60 + 1))
                minutes[number * rule.interval_ns // (60 * S)] = value
        return [series(rule.name, dict(key), minutes) for key, minutes in values.items()]

    return [one for found in in_parallel(series_of, [r for r in RECORDS if r.name in names], 2) for one in found]


@dataclass
class Week:
    """What fires when, by rule; what has nothing to judge; the recorded series where they are asked for."""

    firing: dict[str, list[tuple[int, str]]]
    idle: set[str]
    series: list[Labels]


def all_firing(length_s: int, lines: list[EventLine], *, with_series: bool = False) -> Week:
    """What every alert of Loki says over these lines."""
    checks = tuple(AlertCheck(0, rule.name, length_s * S, (), None) for rule in ALERTS)
    assert all(REGISTRY.problems(dict(line.fields)) == [] for line in lines[:: len(lines) // 500])
    test = RuleTest("healthy", "", 0, lines, (), checks, {rule.name: (rule,) for rule in ALERTS}, 60 * S)
    with ThrowawayLoki(REGISTRY) as loki:
        (stored,), failed = store_all(loki, [test], 1)
        assert failed == []
        assert len({labels["event"] for labels, *_ in stored.streams}) >= 8

        def evaluated(rule: Rule) -> tuple[str, list[tuple[int, str]], bool]:
            interval_ns = test.interval_ns(rule)
            client = loki.client(stored.tenant)
            steps = alert_steps(client, rule, stored.base_ns, interval_ns, length_s * S // interval_ns * interval_ns)
            assert len(steps) == length_s * S // interval_ns + 1
            judges = has_samples(client, rule, stored.base_ns, interval_ns, length_s)
            return rule.name, list(firing(rule, steps, interval_ns)), judges

        found = in_parallel(evaluated, ALERTS, 2)
        inputs = recorded(loki, stored, length_s) if with_series else []
    return Week({name: alerts for name, alerts, _ in found}, {name for name, _, judges in found if not judges}, inputs)


def assert_quiet(week: Week, length_s: int) -> None:
    found = dict(week.firing)
    always = found.pop(ALWAYS)
    # From the first evaluation that can see a heartbeat to the last one: without a gap.
    assert len(always) >= length_s // 15 - 3
    assert set(found) == {rule.name for rule in ALERTS} - {ALWAYS}
    assert {name: alerts[:3] for name, alerts in found.items() if alerts} == {}
    assert week.idle == NOTHING_TO_JUDGE


@pytest.mark.usefixtures("stack_binaries")
def test_nothing_fires_in_half_a_working_day() -> None:
    """From the quietest hour to the busiest, a deployment between; only PipelineAlive does, all the time."""
    length_s = DAY_S // 2 + 5 * 3600
    assert_quiet(all_firing(length_s, list(healthy(length_s, seed=1))), length_s)


@pytest.mark.usefixtures("stack_binaries")
def test_ten_bad_minutes_do_not_pass_unnoticed() -> None:
    """The same look over the same traffic sees them, when they are and no longer: quiet means something."""
    length_s, begin_s, end_s = 2 * 3600, 3600, 4200
    lines = []
    for line in healthy(length_s, seed=3):
        is_bad = begin_s <= line.at_ns / S < end_s and line.fields["event"] in {
            "http.request_finished",
            "health.check_finished",
        }
        trouble = (
            {"response_time_ms": 5000.0, "is_error": 1}
            if "route" in line.fields
            else {"outcome": "timed_out", "is_up": 0}
        )
        lines.append(EventLine(line.at_ns, {**line.fields, **trouble}) if is_bad else line)
    found = all_firing(length_s, lines).firing
    del found[ALWAYS]
    assert {name for name, alerts in found.items() if alerts} >= {"HighErrorRate", "SlowRoute", "HealthCheckFailed"}
    times = [at_s for alerts in found.values() for at_s, _ in alerts]
    assert begin_s < min(times)
    assert max(times) < end_s + 3600 + 120  # the longest window of a rule that remembers it


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("stack_binaries")
def test_nothing_fires_in_a_week(tmp_path: Path) -> None:
    """Seven days, with their nights, deployments and the weekend; Prometheus's alerts as well, and each of them has judged."""
    week = all_firing(7 * DAY_S, list(healthy(7 * DAY_S, seed=2)), with_series=True)
    assert_quiet(week, 7 * DAY_S)
    fired, judgements = prometheus_answers(week.series, 7 * DAY_S // 60, tmp_path)
    assert fired == {}
    assert len(judgements) >= 16
    assert {name for name, number in judgements.items() if not number} == set()
