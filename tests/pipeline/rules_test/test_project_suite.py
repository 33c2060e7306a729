"""The project's own rules pass their own tests, and those leave nothing out: loki/tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from logging_pkg.pipeline.rules_test.model import AlertCheck, Rule, RuleTest
from logging_pkg.pipeline.rules_test.mutate import judge, mutants_of, table
from logging_pkg.pipeline.rules_test.parse import find_test_files, read_tests
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.run import Outcome, run_tests
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki
from tests.pipeline.rules_test.files import REGISTRY

PROJECT = Path(__file__).parents[3]
RULES = [rule for path in sorted((PROJECT / "loki/rules").iterdir()) for rule in read_rules(path, path.name)]
TESTS = [test for path in find_test_files([PROJECT / "loki/tests"]) for test in read_tests(path, REGISTRY)]
S = 1_000_000_000
JOBS = 4


@dataclass(frozen=True)
class Suite:
    loki: ThrowawayLoki
    stored: list[StoredTest]
    outcomes: list[Outcome]


@pytest.fixture(scope="module")
def suite(stack_binaries: Mapping[str, object]) -> Iterator[Suite]:
    """All tests run once."""
    with ThrowawayLoki(REGISTRY) as loki:
        outcomes, stored = run_tests(loki, TESTS, JOBS)
        yield Suite(loki, stored, outcomes)


def of_rule(name: str) -> list[tuple[RuleTest, AlertCheck]]:
    return [(test, check) for test in TESTS for check in test.alerts if check.alertname == name]


def test_every_expectation_is_met(suite: Suite) -> None:
    """On a real Loki."""
    failed = [
        (o.test.file, o.check.line, o.firing.pairs, o.pending.pairs, o.error) for o in suite.outcomes if not o.passed
    ]
    assert failed == []
    assert len(suite.outcomes) == sum(len(test.checks) for test in TESTS) > 200


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.is_alert], ids=lambda rule: rule.name)
def test_every_alert_is_seen_to_fire_to_be_silent_and_to_end(rule: Rule) -> None:
    """Over its limit, with its texts; below it; without data; and no longer, after it has fired."""
    checks = of_rule(rule.name)
    firing = [check for _test, check in checks if check.firing]
    texts = {"summary", "description"}
    assert any(texts <= set(alert.annotations) for check in firing for alert in check.firing)
    assert any(alert.value is not None for check in firing for alert in check.firing)
    assert any(not any(check.firing for check in test.alerts) for test, _check in checks), "is never silent"
    without = [check for test, check in checks if not any(line.at_ns <= check.eval_ns - 30 * S for line in test.lines)]
    assert any(not check.firing for check in without), "is not tried without data"
    ends = [
        check
        for test, check in checks
        if not check.firing
        and any(c.firing and c.eval_ns < check.eval_ns for c in test.alerts if c.alertname == rule.name)
    ]
    assert ends, "is never seen to end"
    assert any("keeps" in test.name and "apart" in test.name for test, _check in checks), "may leak a dimension"


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.is_alert and rule.for_ns], ids=lambda rule: rule.name)
def test_every_for_is_seen_to_wait(rule: Rule) -> None:
    """Pending just before it is over, firing then."""
    assert any(check.pending and not check.firing for _test, check in of_rule(rule.name))


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.is_alert], ids=lambda rule: rule.name)
def test_every_recorded_series_is_seen_with_a_value(rule: Rule) -> None:
    """At least one that is not 0."""
    checks = [check for test in TESTS for check in test.samples if check.record and check.record.name == rule.name]
    assert any(sample.value for check in checks for sample in check.expected)


def test_a_limit_that_is_slightly_off_is_noticed(suite: Suite) -> None:
    """Each number of each alert changed by 1 % (whole ones by 1), each `for` by one evaluation."""
    (default_interval_ns,) = {test.default_interval_ns for test in TESTS}
    by_name = {rule.name: rule for test in TESTS for rules in test.rules.values() for rule in rules if rule.is_alert}
    mutants = [
        mutant
        for rule in by_name.values()
        for mutant in mutants_of(rule, rule.interval_ns or default_interval_ns, REGISTRY)
    ]
    verdicts = judge(suite.loki, suite.stored, mutants, JOBS)
    assert len(verdicts) > 80
    assert not any(verdict.survived for verdict in verdicts), "\n".join(table(verdicts))
