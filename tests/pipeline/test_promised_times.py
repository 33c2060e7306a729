"""How long an alert takes from the line that brings it about to the message that leaves Alertmanager, by the shipped files.

The sum: `offset` (younger seconds are incomplete), the window of silence where the alert is about silence (`unless`), one `interval`
(when a group is looked at), `for`, and group_wait of its route. What the clock says is in tests/e2e/test_alert_delivery.py.
"""

from __future__ import annotations

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
from tests.pipeline.rules_test.files import REGISTRY

LOKI = Path(__file__).parents[2] / "loki"
ALERTS = [rule for path in sorted((LOKI / "rules").iterdir()) for rule in read_rules(path, path.name) if rule.is_alert]
TESTS = [test for path in find_test_files([LOKI / "tests"]) for test in read_tests(path, REGISTRY)]
ROUTE = yaml.safe_load((LOKI / "alertmanager.yml").read_text())["route"]
S = 1_000_000_000
PROMISED_S = 300
#: What the way through the shipper takes: a batch waits a second, a push is answered in less (docs/adr/0030).
SHIPPING_S = 5
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"(.*)"')


#: Alerts in PromQL, with their group's interval. They read what Loki's recording rules wrote at their last interval.
PROMETHEUS_ALERTS = [
    (rule, group["interval"])
    for path in sorted((LOKI / "prometheus_rules").glob("*.y*ml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


#: Intervals of the series that Loki records, and the expressions of those that Prometheus records.
RECORDED_S = {
    rule.name: (rule.interval_ns or 0) / S
    for path in sorted((LOKI / "rules").iterdir())
    for rule in read_rules(path, path.name)
    if not rule.is_alert
}
DERIVED: dict[str, set[str]] = {}
for _path in sorted((LOKI / "prometheus_rules").glob("*.y*ml")):
    for _group in yaml.safe_load(_path.read_text())["groups"]:
        for _rule in _group["rules"]:
            DERIVED.setdefault(_rule.get("record", ""), set()).add(str(_rule["expr"]))


def loki_series(expression: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Every series recorded by Loki that a PromQL expression rests on."""
    names = set(re.findall(r"\w+:\w+(?::\w+)?", expression)) - seen
    own = names & RECORDED_S.keys()
    return own.union(*(loki_series(one, seen | names) for name in names for one in DERIVED.get(name, ())))


def seconds(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smh])", text))


def firing_s(rule: Rule) -> float:
    """Until the rule fires."""
    expression = parse(rule.expr)
    offset = max(part.offset.seconds for part in ranges(expression) if part.offset)
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


@pytest.mark.parametrize(
    ("rule", "interval"), PROMETHEUS_ALERTS, ids=lambda value: value.get("alert") if isinstance(value, dict) else value
)
def test_a_page_of_prometheus_is_promised_within_five_minutes(rule: dict[str, Any], interval: str) -> None:
    """On top of the sum: the longest interval of the series of Loki it reads, by way of Prometheus's own or at once."""
    recorded_s = max(RECORDED_S[name] for name in loki_series(rule["expr"]))
    wait_s = max(wait for _, wait in waits({"alertname": rule["alert"], **rule["labels"]}))
    sum_s = SHIPPING_S + 30 + recorded_s + seconds(interval) + seconds(rule.get("for", "0s")) + wait_s
    assert sum_s < (PROMISED_S if rule["labels"]["severity"] == "critical" else 3600)


def test_the_manual_tells_the_longest_way() -> None:
    """docs/MONITORING.md names the slowest critical alert and its time."""
    slowest = max((rule for rule in ALERTS if rule.labels["severity"] == "critical"), key=delivered_s)
    text = " ".join((LOKI.parent / "docs" / "MONITORING.md").read_text().split())
    assert f"the slowest is {slowest.name}, {delivered_s(slowest):.0f} s" in text


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_no_alert_can_be_over_before_its_first_message(rule: Rule) -> None:
    """Alertmanager waits group_wait before the first message and forgets what resolved meanwhile."""
    assert rule.interval_ns is not None
    assert max(wait for _, wait in waits({"alertname": rule.name, **rule.labels})) < rule.interval_ns / S


def test_every_alert_goes_where_it_belongs() -> None:
    """PipelineAlive to the switch alone, all others to the receiver of alerts."""
    found = {rule.name: {receiver for receiver, _ in waits({"alertname": rule.name, **rule.labels})} for rule in ALERTS}
    assert found.pop("PipelineAlive") == {"deadmansswitch"}
    assert set(map(frozenset, found.values())) == {frozenset({"webhook"})}


@pytest.fixture(scope="module")
def measured(stack_binaries: object) -> dict[str, float]:
    """Of each alert's tests, the shortest time in s from the last line before it fires until it does."""
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
                found[name] = min(took_s, found.get(name, took_s))
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
