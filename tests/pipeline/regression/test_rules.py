"""The regression rules pass their own tests, which notice every limit that is a little off: loki/prometheus_tests."""

from __future__ import annotations

from logging_pkg.pipeline.rules_test.mutate import table
from logging_pkg.pipeline.rules_test.promtool import PromtoolTest, read_promtool_tests, run_promtool
from logging_pkg.pipeline.rules_test.promtool_mutate import judge_promtool
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.stack import find_binary
from tests.pipeline.regression.promtool import RULES

TESTS = sorted((RULES.parents[1] / "prometheus_tests").glob("regression*_test.yaml"))
JOBS = 2


def read() -> list[PromtoolTest]:
    return [test for path in TESTS for test in read_promtool_tests(path)]


def test_every_expectation_is_met() -> None:
    """By promtool; and every rule of the file is spoken of."""
    outcomes = run_promtool(find_binary("promtool").path, read(), JOBS)
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert len(outcomes) > 60
    text = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    assert [rule.name for rule in read_rules(RULES, RULES.name) if rule.name not in text] == []


def test_a_limit_that_is_slightly_off_is_noticed() -> None:
    """Each number of each alert changed by 1 %, each `for` by one evaluation."""
    verdicts = judge_promtool(find_binary("promtool").path, read(), JOBS)
    assert len(verdicts) > 40
    assert not any(verdict.survived for verdict in verdicts), "\n".join(table(verdicts))
