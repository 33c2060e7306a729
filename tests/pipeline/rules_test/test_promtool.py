"""Tests of Prometheus's rules: promtool runs them, and they are counted and shown with those of Loki's rules."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from logging_pkg.pipeline.rules_test.promtool_mutate import limits_of
from logging_pkg.stack import find_binary
from tests.pipeline.rules_test.files import run, write

RULES = """\
groups:
  - name: shop
    rules:
      - record: shop:orders:sum_5m
        expr: sum by (shop) (sum_over_time(shop:orders:count_1m[5m]))
      - alert: FewOrders
        expr: shop:orders:sum_5m < 5 # 7 > 6
        for: 2m
        labels: {severity: warning}
        annotations: {summary: "{{ $value }} orders in {{ $labels.shop }}"}
"""
TESTS = """\
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - name: FewOrders fires below five
    interval: 1m
    input_series: &few [{series: 'shop:orders:count_1m{shop="a"}', values: 0.99x20}]
    alert_rule_test:
      - {alertname: FewOrders, eval_time: 1m, exp_alerts: []}
      - alertname: FewOrders
        eval_time: 6m
        exp_alerts: [{exp_labels: {severity: warning, shop: a}, exp_annotations: {summary: 4.95 orders in a}}]
    promql_expr_test:
      - {expr: 'ALERTS{alertname="FewOrders", alertstate="firing"}', eval_time: 1m, exp_samples: []}
      - {expr: 'count(ALERTS{alertname="FewOrders", alertstate="firing"})', eval_time: 2m, exp_samples: [{labels: "{}", value: 1}]}
  - name: FewOrders is silent from five on
    interval: 1m
    input_series: [{series: 'shop:orders:count_1m{shop="a"}', values: 5 1x20}]
    promql_expr_test:
      - {expr: 'ALERTS{alertname="FewOrders"}', eval_time: 10m, exp_samples: []}
      - {expr: shop:orders:sum_5m, eval_time: 10m, exp_samples: [{labels: 'shop:orders:sum_5m{shop="a"}', value: 5}]}
"""
LOKI_RULES = """\
groups:
  - name: a
    rules: [{record: "app:lines:count_1m", expr: 'sum by (app) (count_over_time({app="a"}[1m]))'}]
"""
LOKI_TESTS = """\
rule_files: [rules.yaml]
tests:
  - name: lines are counted
    input_lines: [{labels: {app: a}, line: x, count: 3}]
    logql_expr_test: [{record: "app:lines:count_1m", eval_time: 0m, exp_samples: [{labels: {app: a}, value: 3}]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder prometheus_tests with passing tests."""
    (tmp_path / "prometheus_tests").mkdir()
    write(tmp_path / "prometheus_tests", TESTS, RULES)
    return tmp_path / "prometheus_tests"


def test_promtool_s_own_files_run_without_a_loki(folder: Path) -> None:
    """And as they are, with promtool itself."""
    code, output = run(folder)
    assert code == 0, output
    assert " 6 passed in " in output
    assert "(2 tests, promtool " in output
    assert "Loki" not in output
    command = [find_binary("promtool").path, "test", "rules", folder / "a_test.yaml"]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_both_kinds_are_one_suite(folder: Path, tmp_path: Path) -> None:
    """One count, one line; a Loki and promtool."""
    write(tmp_path, LOKI_TESTS, LOKI_RULES)
    code, output = run(tmp_path)
    assert code == 0, output
    assert " 7 passed in " in output
    assert "(1 test, one real Loki " in output
    assert " of log time; 2 tests, promtool " in output


def test_a_failure_tells_the_place_of_its_expectation(folder: Path) -> None:
    """File, line, test and time, then promtool's own words; as JSON too."""
    write(folder, TESTS.replace("value: 5}", "value: 7}").replace("4.95 orders", "5 orders"))
    code, output = run(folder)
    assert code == 1
    assert f" ✗ {folder}/a_test.yaml:9: FewOrders fires below five   at 6m\n" in output
    assert 'Annotations:{summary="5 orders in a"}' in output
    assert f" ✗ {folder}/a_test.yaml:20: FewOrders is silent from five on   at 10m\n" in output
    assert " 4 passed, 2 failed in " in output
    code, output = run(folder, "--json")
    report = json.loads(output)
    assert (code, report["passed"], report["failed"]) == (1, 4, 2)
    failed = [(entry["line"], entry["subject"]) for entry in report["expectations"] if not entry["passed"]]
    assert failed == [(9, "FewOrders"), (20, "shop:orders:sum_5m")]


def test_tests_are_chosen_by_name(folder: Path) -> None:
    """--run."""
    code, output = run(folder, "--run", "silent")
    assert code == 0
    assert " 2 passed in " in output


def test_a_limit_that_is_one_percent_off_is_noticed(folder: Path) -> None:
    """The number compared, and `for`; what a comment or a name holds is no limit."""
    code, output = run(folder, "--mutate")
    assert code == 0, output
    assert re.search(r"FewOrders +< 5 +< 4\.95 +FewOrders ", output)
    assert "4 mutants: 4 found, 0 survived" in output
    write(folder, TESTS.replace("0.99x20", "0.5x20").replace("4.95 orders", "2.5 orders"))
    code, output = run(folder, "--mutate")
    assert code == 1
    assert "4 mutants: 3 found, 1 survived" in output


@pytest.mark.parametrize(
    ("rules", "tests", "message"),
    [
        (RULES.replace("< 5 ", "< < 5 "), TESTS, "a_test.yaml: promtool does not take it: "),
        (RULES, TESTS.replace("rules.yaml", "gone.yaml"), 'a_test.yaml:1:14: rule_files: "gone.yaml"; expected the path'),
        (RULES, TESTS.replace("eval_time: 1m,", "eval_tim: 1m,", 1), "expected alertname and eval_time in alert_rule_test"),
        (RULES, TESTS.replace("input_series: [", "input_serie: ["), "promtool does not take it: "),
        (RULES, "rule_files: [rules.yaml]\ntests: [{name: nothing}]", "this test expects nothing"),
        (RULES, "rule_files: [rules.yaml]\ntests: [{interval: 1m}]", "this test has no name"),
        (RULES, "tests: []", "expected rule_files and tests"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named(folder: Path, rules: str, tests: str, message: str) -> None:
    """With what was expected, and exit code 2."""
    write(folder, tests, rules)
    code, output = run(folder)
    assert code == 2
    assert message in " ".join(output.split()), output


@pytest.mark.parametrize(
    ("expr", "limits"),
    [
        ("a:b:c_5m > 5", ["> 5"]),
        ("0.01 < a", ["< 0.01"]),
        ("sum_over_time(a[5m:1m] offset 10m) >= 1e3", [">= 1e3"]),
        ('a{x="> 7", y=~"[0-9]{3}"} * 2 / 3 == bool 1', ["* 2", "/ 3", "== 1"]),
        ("quantile_over_time(0.95, a[1h]) > 1h30m and a # > 9", []),
        ("topk(5, a) > .5\nor\nb < 6", ["> .5", "< 6"]),
        ("14.4 * (1 - 0.99) < a + 3", ["* 14.4"]),
    ],
)
def test_limits_are_the_numbers_compared_multiplied_or_divided_by(expr: str, limits: list[str]) -> None:
    """Not those in names, texts, durations and arguments."""
    assert [f"{operator} {expr[start:end]}" for start, end, operator in limits_of(expr)] == limits


def test_the_manual_s_example_passes(tmp_path: Path) -> None:
    """docs/RULE_TESTS.md: the files of "Prometheus's rules" as they are written there."""
    manual = (Path(__file__).parents[3] / "docs/RULE_TESTS.md").read_text(encoding="utf-8")
    section = manual.partition("## Prometheus's rules")[2].partition("\n## ")[0]
    rules, tests = (block.partition("```")[0] for block in section.split("```yaml\n")[1:])
    (tmp_path / "prometheus_rules").mkdir()
    (tmp_path / "prometheus_tests").mkdir()
    (tmp_path / "prometheus_rules/orders.yaml").write_text(textwrap.dedent(rules))
    (tmp_path / "prometheus_tests/orders_test.yaml").write_text(tests)
    code, output = run(tmp_path, "--mutate")
    assert code == 0, output
    assert "0 survived" in output
