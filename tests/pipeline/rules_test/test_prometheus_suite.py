"""Prometheus's rules pass their own tests, and those leave nothing out: loki/prometheus_tests, as promtool runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from logging_pkg.pipeline.rules_test.model import Rule
from logging_pkg.pipeline.rules_test.mutate import table
from logging_pkg.pipeline.rules_test.promtool import FOLDER, PromtoolTest, read_promtool_tests, run_promtool
from logging_pkg.pipeline.rules_test.promtool_mutate import judge_promtool
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.values import duration_ns
from logging_pkg.stack import find_binary
from tests.pipeline.rules_test.test_project_suite import PROJECT

FILES = sorted((PROJECT / "loki" / FOLDER).glob("*_test.yaml"))
TESTS = [test for path in FILES for test in read_promtool_tests(path)]
RULES = [rule for path in sorted((PROJECT / "loki/prometheus_rules").iterdir()) for rule in read_rules(path, path.name)]
ALERTS = [rule for rule in RULES if rule.is_alert]
JOBS = 2
_FIRING = re.compile(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}|ALERTS\{alertname="(\w+)"\}')


@dataclass(frozen=True)
class Expectation:
    """How many alerts of a name fire at a time of a test."""

    test: PromtoolTest
    at_ns: int
    number: int


def expectations(name: str) -> Iterator[Expectation]:
    """Of one alert: by its name, or by the ALERTS series; of all alerts at once where a test says that there are none."""
    for test in TESTS:
        for check in test.group.get("alert_rule_test", ()):
            if check["alertname"] == name:
                yield Expectation(test, duration_ns(check["eval_time"]), len(check["exp_alerts"]))
        for check in test.group.get("promql_expr_test", ()):
            match = _FIRING.search(check["expr"])
            of_all = check["expr"] == "ALERTS" and name in names_of(test)
            if (match and name in match.groups()) or of_all:
                yield Expectation(test, duration_ns(check["eval_time"]), len(check["exp_samples"]))


def names_of(test: PromtoolTest) -> set[str]:
    """The rules of the files under test."""
    return {rule.name for path in test.rule_files for rule in read_rules(path, path.name)}


def test_every_expectation_is_met() -> None:
    """By promtool; and every rule is spoken of."""
    outcomes = run_promtool(find_binary("promtool").path, TESTS, JOBS)
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert len(outcomes) == sum(len(test.checks) for test in TESTS) > 200
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    assert [rule.name for rule in RULES if rule.name not in text] == []


@pytest.mark.timeout(600)
def test_a_limit_that_is_slightly_off_is_noticed() -> None:
    """Each number of each alert changed by 1 %, each `for` by one evaluation."""
    # What releases_test.yaml looks at are texts; it takes as long as all others together.
    tests = [test for test in TESTS if "releases" not in test.file]
    verdicts = judge_promtool(find_binary("promtool").path, tests, JOBS)
    assert {verdict.mutant.rule.name for verdict in verdicts} == {rule.name for rule in ALERTS}
    assert len(verdicts) > 150
    assert not any(verdict.survived for verdict in verdicts), "\n".join(table(verdicts))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_every_alert_is_seen_to_fire_to_be_silent_and_to_end(rule: Rule) -> None:
    """Over its limit, with its texts; below it; without data; and no longer, or at fewer places, after it has fired."""
    found = list(expectations(rule.name))
    texts = [
        alert.get("exp_annotations", {}).keys()
        for test in TESTS
        for check in test.group.get("alert_rule_test", ())
        if check["alertname"] == rule.name
        for alert in check["exp_alerts"]
    ]
    assert any(rule.annotations.keys() == names for names in texts), "its texts are not looked at"
    assert any(one.number for one in found), "never fires"
    assert any(not one.number for one in found), "is never silent"
    assert any(not one.number and not one.test.group.get("input_series") for one in found), "is not tried without data"
    assert any(
        early.test is late.test and early.at_ns < late.at_ns and early.number > late.number
        for early in found
        for late in found
    ), "is never seen to end"
    assert any("keeps" in one.test.name and "apart" in one.test.name for one in found), "may leak a dimension"


@pytest.mark.parametrize("rule", [rule for rule in ALERTS if rule.for_ns], ids=lambda rule: rule.name)
def test_every_for_is_seen_to_wait(rule: Rule) -> None:
    """In one test silent, or pending, one evaluation before it fires."""
    found = list(expectations(rule.name))
    assert any(
        early.test is late.test and early.number < late.number and 0 < late.at_ns - early.at_ns <= late.test.interval_ns
        for early in found
        for late in found
    )
