"""Nothing fires while all is well: every alert rule at every evaluation of half a day, and of a week, on a real Loki."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from logging_pkg.pipeline.rules_test.evaluate import Evaluation, alert_steps
from logging_pkg.pipeline.rules_test.labels import alert_labels, key_of, labels_text
from logging_pkg.pipeline.rules_test.model import AlertCheck, EventLine, Rule, RuleTest
from logging_pkg.pipeline.rules_test.parallel import in_parallel
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.run import store_all
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki
from tests.pipeline.events import REGISTRY
from tests.pipeline.healthy import DAY_S, healthy

RULES = Path(__file__).parents[2] / "loki" / "rules"
ALERTS = [rule for path in sorted(RULES.iterdir()) for rule in read_rules(path, path.name) if rule.is_alert]
S = 1_000_000_000
#: It fires while all is well.
ALWAYS = "PipelineAlive"


def firing(rule: Rule, steps: list[Evaluation], interval_ns: int) -> Iterator[tuple[int, str]]:
    """Each evaluation at which an alert fires: its time in s, and the alert."""
    since: dict[object, int] = {}
    for number, step in enumerate(steps):
        labels = {key_of(found): found for found in (alert_labels(series, rule.labels) for series, _value in step)}
        since = {key: since.get(key, number) for key in labels}
        for key, first in since.items():
            if (number - first) * interval_ns >= rule.for_ns:
                yield number * interval_ns // S, f"{rule.name}{labels_text(labels[key])}"


def all_firing(length_s: int, lines: list[EventLine]) -> dict[str, list[tuple[int, str]]]:
    """What fires when, by rule, over these lines."""
    checks = tuple(AlertCheck(0, rule.name, length_s * S, (), None) for rule in ALERTS)
    assert all(REGISTRY.problems(dict(line.fields)) == [] for line in lines[:: len(lines) // 500])
    test = RuleTest("healthy", "", 0, lines, (), checks, {rule.name: (rule,) for rule in ALERTS}, 60 * S)
    with ThrowawayLoki(REGISTRY) as loki:
        (stored,), failed = store_all(loki, [test], 1)
        assert failed == []
        assert len({labels["event"] for labels, *_ in stored.streams}) >= 8

        def evaluated(rule: Rule) -> tuple[str, list[tuple[int, str]]]:
            interval_ns = test.interval_ns(rule)
            client = loki.client(stored.tenant)
            steps = alert_steps(client, rule, stored.base_ns, interval_ns, length_s * S // interval_ns * interval_ns)
            assert len(steps) == length_s * S // interval_ns + 1
            return rule.name, list(firing(rule, steps, interval_ns))

        return dict(in_parallel(evaluated, ALERTS, 2))


def assert_quiet(found: dict[str, list[tuple[int, str]]], length_s: int) -> None:
    always = found.pop(ALWAYS)
    # From the first evaluation that can see a heartbeat to the last one: without a gap.
    assert len(always) >= length_s // 15 - 3
    assert set(found) == {rule.name for rule in ALERTS} - {ALWAYS}
    assert {name: alerts[:3] for name, alerts in found.items() if alerts} == {}


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
    found = all_firing(length_s, lines)
    del found[ALWAYS]
    assert {name for name, alerts in found.items() if alerts} >= {"HighErrorRate", "SlowRoute", "HealthCheckFailed"}
    times = [at_s for alerts in found.values() for at_s, _ in alerts]
    assert begin_s < min(times)
    assert max(times) < end_s + 3600 + 120  # the longest window of a rule that remembers it


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("stack_binaries")
def test_nothing_fires_in_a_week() -> None:
    """Seven days, with their nights, deployments and the weekend."""
    assert_quiet(all_firing(7 * DAY_S, list(healthy(7 * DAY_S, seed=2))), 7 * DAY_S)
