"""How long an alert takes from what brings it about to the message that leaves Alertmanager, by the shipped files.

Alerts of Loki, from the line without which they would not fire, by a sum: `offset` (younger seconds are incomplete), the window of
silence where the alert is about silence (`unless`), one `interval` (when a group is looked at), `for`, and group_wait of its route; a real
Loki shows that none takes longer. Alerts of Prometheus, from the begin of a trouble, by a run of the rules (onsets.py, troubles.py), since their windows
are what takes the time. docs/ALERT_TIMES.md has the figures. What the clock says is in tests/e2e (test_alert_delivery.py, test_slo_page.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from logging_pkg.pipeline.logql import ast, parse
from logging_pkg.pipeline.rules_test.alerting import Point, active_alerts
from logging_pkg.pipeline.rules_test.evaluate import alert_steps
from logging_pkg.pipeline.rules_test.labels import alert_labels
from logging_pkg.pipeline.rules_test.model import Rule, RuleTest
from logging_pkg.pipeline.rules_test.parse import find_test_files, read_tests
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.run import store_all
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki
from tests.pipeline.onsets import groups
from tests.pipeline.rules_test.files import REGISTRY
from tests.pipeline.troubles import OBJECTIVES, RUNS, share_bad, title

LOKI = Path(__file__).parents[2] / "loki"
ALERTS = [rule for path in sorted((LOKI / "rules").iterdir()) for rule in read_rules(path, path.name) if rule.is_alert]
TESTS = [test for path in find_test_files([LOKI / "tests"]) for test in read_tests(path, REGISTRY)]
PROMETHEUS_GROUPS = groups("prometheus_rules")
PROMETHEUS_ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in PROMETHEUS_GROUPS for rule in group["rules"] if "alert" in rule
}
ROUTE = yaml.safe_load((LOKI / "alertmanager.yml").read_text())["route"]
S = 1_000_000_000
PROMISED_S = 300
#: What the way through the shipper takes: a batch waits a second, a push is answered in less (docs/adr/0030).
SHIPPING_S = 5
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"(.*)"')


def seconds(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smh])", text))


def firing_s(rule: Rule) -> float:
    """Until the rule fires. A window that ended long ago is what the youngest is compared with: its lines bring nothing about."""
    expression = parse(rule.expr)
    offset = min(part.offset.seconds for part in ranges(expression) if part.offset)
    silence = max((part.range.seconds for part in absent(expression)), default=0)
    assert rule.interval_ns is not None
    return offset + silence + (rule.interval_ns + rule.for_ns) / S


def ranges(expression: ast.Expression) -> Iterator[ast.RangeAggregation]:
    return (part for part in ast.walk(expression) if isinstance(part, ast.RangeAggregation))


def absent(expression: ast.Expression) -> Iterator[ast.RangeAggregation]:
    """What must have been silent for its whole range."""
    for part in ast.walk(expression):
        if isinstance(part, ast.BinaryOperation) and part.op == "unless":
            yield from ranges(part.right)


def waits(
    labels: Mapping[str, str], route: Mapping[str, Any] = ROUTE, inherited: str = "30s"
) -> list[tuple[str, float]]:
    """Receiver and group_wait of each route an alert takes, as Alertmanager walks them (`amtool config routes test`)."""
    own = route.get("group_wait", inherited)
    found: list[tuple[str, float]] = []
    for child in route.get("routes", ()):
        if all(matches(matcher, labels) for matcher in child["matchers"]):
            found += waits(labels, {"receiver": route["receiver"], **child}, own)
            if not child.get("continue"):
                break
    return found or [(route["receiver"], seconds(own))]


def matches(matcher: str, labels: Mapping[str, str]) -> bool:
    name, operator, value = _MATCHER.fullmatch(matcher).groups()
    is_equal = re.fullmatch(value, labels.get(name, "")) if "~" in operator else labels.get(name, "") == value
    return bool(is_equal) != operator.startswith("!")


def delivered_s(rule: Rule) -> float:
    """Until the message leaves, shipping included."""
    return SHIPPING_S + firing_s(rule) + max(wait for _, wait in waits({"alertname": rule.name, **rule.labels}))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_a_critical_alert_is_promised_within_five_minutes(rule: Rule) -> None:
    """By the sum; the others within the hour a regression may take."""
    assert delivered_s(rule) < (PROMISED_S if rule.labels["severity"] == "critical" else 3600)


@pytest.fixture(scope="module")
def onsets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Of each alert of Prometheus: seconds from the begin of its trouble until its message leaves, at most."""
    found = {}
    for run in RUNS.values():
        for name, minutes in run.answer(tmp_path_factory.mktemp("onset")).minutes.items():
            wait_s = max(wait for _, wait in waits({"alertname": name, **PROMETHEUS_ALERTS[name]["labels"]}))
            # A minute: moments between those that were tried.
            found[name] = 60 * (minutes + 1) + SHIPPING_S + wait_s
    return found


def test_each_alert_of_prometheus_has_its_onset() -> None:
    """A new one needs a trouble in tests/pipeline/troubles.py."""
    assert sorted(onset.alert for run in RUNS.values() for onset in run.onsets) == sorted(PROMETHEUS_ALERTS)


def test_rules_are_tried_as_often_as_they_are_evaluated() -> None:
    """Or less often, where an answer in hours asks for no better."""
    interval = {
        rule["alert"]: group["interval"] for group in PROMETHEUS_GROUPS for rule in group["rules"] if "alert" in rule
    }
    for name, run in RUNS.items():
        intervals = {seconds(interval[onset.alert]) / 60 for onset in run.onsets}
        assert max(intervals) <= run.every_min, name
        assert run.sample_min or intervals == {run.every_min}, name


def test_what_is_promised_of_prometheus_is_kept(onsets: dict[str, float]) -> None:
    """By promtool, windows included: regressions within the hour, pages within 5 minutes of when their objective is broken."""
    regressions = {onset.alert for onset in RUNS["regression"].onsets}
    assert {name: took_s for name, took_s in onsets.items() if name in regressions and took_s > 3600} == {}
    for name in OBJECTIVES:
        # Nothing but bad events: of the hour's events so many are bad after that share of an hour.
        broken_s = 3600 * 14.4 * share_bad(name)
        assert broken_s < onsets[f"{title(name)}SloPage"] < broken_s + PROMISED_S


def test_the_table_of_times_is_what_was_found(onsets: dict[str, float]) -> None:
    """docs/ALERT_TIMES.md, every alert of both: a row that is no longer true is shown with what is."""
    text = (LOKI.parent / "docs" / "ALERT_TIMES.md").read_text(encoding="utf-8")
    found = {line.split("|")[1].split("]")[0].strip(" ["): line for line in text.splitlines() if line.startswith("| [")}
    trouble = {onset.alert: onset.trouble for run in RUNS.values() for onset in run.onsets}
    expected = {
        rule.name: row(rule.name, rule.labels["severity"], f"{delivered_s(rule):.0f} s")
        for rule in ALERTS
        if rule.name != "PipelineAlive"
    } | {
        name: row(name, PROMETHEUS_ALERTS[name]["labels"]["severity"], trouble[name], in_minutes(took_s))
        for name, took_s in onsets.items()
    }
    assert [expected[name] for name in expected if found.get(name) != expected[name]] == []
    assert set(found) == set(expected)


def row(name: str, *cells: str) -> str:
    return " | ".join([f"| [{name}](runbooks/{name}.md)", *cells]) + " |"


def in_minutes(time_s: float) -> str:
    """Rounded up: `11 min`, `18 h 7 min`."""
    hours, minutes = divmod(math.ceil(time_s / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def test_the_manual_tells_the_longest_way() -> None:
    """docs/MONITORING.md names the slowest critical alert and its time."""
    slowest = max((rule for rule in ALERTS if rule.labels["severity"] == "critical"), key=delivered_s)
    text = " ".join((LOKI.parent / "docs" / "MONITORING.md").read_text().split())
    assert f"the slowest is {slowest.name}, {delivered_s(slowest):.0f} s" in text


@pytest.mark.parametrize("name", sorted(PROMETHEUS_ALERTS))
def test_no_alert_of_prometheus_can_be_over_before_its_first_message(name: str) -> None:
    """As those of Loki, below."""
    (interval,) = {group["interval"] for group in PROMETHEUS_GROUPS if PROMETHEUS_ALERTS[name] in group["rules"]}
    assert max(wait for _, wait in waits({"alertname": name, **PROMETHEUS_ALERTS[name]["labels"]})) < seconds(interval)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_no_alert_can_be_over_before_its_first_message(rule: Rule) -> None:
    """Alertmanager waits group_wait before the first message and forgets what resolved meanwhile."""
    assert rule.interval_ns is not None
    assert max(wait for _, wait in waits({"alertname": rule.name, **rule.labels})) < rule.interval_ns / S


def test_every_alert_goes_where_it_belongs() -> None:
    """PipelineAlive to the switch alone, all others to the receiver of alerts."""
    labels = {rule.name: rule.labels for rule in ALERTS} | {
        name: rule["labels"] for name, rule in PROMETHEUS_ALERTS.items()
    }
    found = {name: {receiver for receiver, _ in waits({"alertname": name, **own})} for name, own in labels.items()}
    assert found.pop("PipelineAlive") == {"deadmansswitch"}
    assert set(map(frozenset, found.values())) == {frozenset({"webhook"})}


@pytest.fixture(scope="module")
def measured(stack_binaries: object) -> dict[str, float]:
    """Of each alert's tests, the longest time in s from the last line before it fires until it does."""
    chosen = [test for test in TESTS if any(check.firing for check in test.alerts)]
    found: dict[str, float] = {}
    with ThrowawayLoki(REGISTRY) as loki:
        stored, failed = store_all(loki, chosen, 4)
        assert failed == []
        for one in stored:
            for name in {check.alertname for check in one.test.alerts if check.firing}:
                (rule,) = one.test.rules[name]
                assert rule.interval_ns is not None
                until_ns = max(check.eval_ns for check in one.test.alerts if check.alertname == name)
                steps = alert_steps(loki.client(one.tenant), rule, one.base_ns, rule.interval_ns, until_ns)
                took_s = first_firing_s(one.test, rule, steps)
                found[name] = max(took_s, found.get(name, took_s))
    return found


def first_firing_s(test: RuleTest, rule: Rule, steps: Any) -> float:
    assert rule.interval_ns is not None
    points = [[Point(series, value, alert_labels(series, rule.labels)) for series, value in step] for step in steps]
    for number in range(len(points)):
        if any(one.is_firing for one in active_alerts(points[: number + 1], rule.interval_ns, rule.for_ns).values()):
            now_ns = number * rule.interval_ns
            return (now_ns - max([0, *(line.at_ns for line in test.lines if line.at_ns <= now_ns)])) / S
    raise AssertionError(f"{test.name}: {rule.name} does not fire")


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_an_alert_fires_within_its_sum(rule: Rule, measured: dict[str, float]) -> None:
    """On a real Loki, in its own tests."""
    assert measured[rule.name] <= firing_s(rule)
