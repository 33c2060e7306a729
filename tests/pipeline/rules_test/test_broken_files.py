"""A broken file is told by file, line, value and what was expected; nothing misspelt passes for an expectation."""

from __future__ import annotations

from pathlib import Path

import pytest

from logging_pkg.pipeline.rules_test.document import RuleTestError
from logging_pkg.pipeline.rules_test.parse import find_test_files
from tests.pipeline.rules_test.files import read, run, write

RULES = """\
groups:
  - name: g
    rules:
      - alert: Slow
        expr: vector(1)
      - record: a:b:c
        expr: vector(1)
"""
HEAD = "rule_files: [rules.yaml]\ntests:\n  - name: t\n"
EVENT = HEAD + "    input_events:\n"
ALERT = HEAD + "    alert_rule_test:\n"
SAMPLE = HEAD + "    logql_expr_test:\n"

CASES = [
    ("", "a_test.yaml: is empty; expected rule_files and tests"),
    ("a: [", "a_test.yaml:1:5: no YAML:"),
    ("- a", "a_test.yaml:1:1: a_test.yaml: a list; expected a mapping, key: value"),
    ("test: []", '1:1: unknown key "test" in a_test.yaml; did you mean "tests"?'),
    ("rule_files: []", 'a_test.yaml has no "tests"; expected one'),
    ("tests: {}", "1:8: tests: a mapping; expected a list"),
    ("tests: []\ntests: []", '2:1: second key "tests"'),
    ("rule_files: [gone.yaml]\ntests: []", "1:14: rule_files:"),
    ("evaluation_interval: 0s\ntests: []", 'evaluation_interval: "0s"; expected a duration above 0'),
    ("evaluation_interval: 1\ntests: []", 'evaluation_interval: "1"; expected a duration such as 30s'),
    ("tests: [{interval: 1m}]", 'tests has no "name"; expected one'),
    ("tests: [{name: t}]", "this test expects nothing; expected logql_expr_test or alert_rule_test"),
    ("tests: [{name: [a], alert_rule_test: []}]", "this test expects nothing"),
    ("tests: [{name: t, input_series: []}]", "input_series is promtool's; Loki's rules read log lines"),
    ("tests: [{name: t, promql_expr_test: []}]", "promql_expr_test is promtool's; Loki's rules are LogQL"),
    (EVENT + "      - {event: http.request_finishd}", 'did you mean "http.request_finished"?'),
    (
        EVENT + "      - {event: http.request_finished, fields: {rout: /}}",
        'unknown field "rout" (did you mean "route"?)',
    ),
    (
        EVENT + "      - {event: http.request_finished, fields: {response_time_ms: fast}}",
        '5:48: http.request_finished: field "response_time_ms" is of the wrong type',
    ),
    (
        EVENT + "      - {event: http.request_finished, fields: {timestamp: 2026-01-01}}",
        "timestamp is set when the event is",
    ),
    (EVENT + "      - {event: http.request_finished, fields: [route]}", "fields: a list; expected a mapping"),
    (EVENT + "      - {event: http.request_finished, count: 0}", 'count: "0"; expected a whole number, 1 or more'),
    (
        EVENT + "      - {event: http.request_finished, count: true}",
        'count: "true"; expected a whole number, 1 or more',
    ),
    (EVENT + "      - {event: http.request_finished, every: 1m}", "every: expected `until` too"),
    (EVENT + "      - {event: http.request_finished, every: 0s, until: 1m}", "expected a duration above 0"),
    (EVENT + "      - {event: http.request_finished, at: 2m, until: 1m}", "until: 1m is before `at`"),
    (EVENT + "      - {event: http.request_finished, every: 1ms, until: 1h}", "3600000 lines; expected at most 100000"),
    (EVENT + "      - {event: http.request_finished, values: {query_count: 1+1}}", "'1+1' is no part of a series"),
    (
        EVENT + "      - {event: http.request_finished, values: {query_count: 1 2, apdex: 1}}",
        "apdex: 1 values, but query_count",
    ),
    (
        EVENT + "      - {event: http.request_finished, values: {query_count: 1 _, apdex: _ 1}}",
        "number 1 is missing in some",
    ),
    (EVENT + "      - {event: http.request_finished, values: {query_count: 1 2}, until: 1m}", "expected no `until`"),
    (EVENT + "      - {event: http.request_finished, values: {seq: 1 2}}", "seq is set when the event is stored"),
    (HEAD + "    input_lines: [{line: a}]", 'input_lines has no "labels"'),
    (HEAD + "    input_lines: [{labels: {}, line: a}]", "expected at least one, name: value"),
    (HEAD + "    input_lines: [{labels: {a: b}}]", 'expected either "line" (one text) or "lines"'),
    (HEAD + "    input_lines: [{labels: {a: [b]}, line: x}]", "a: a list; expected a text"),
    (ALERT + "      - {alertname: Slow, eval_time: 1m}", 'alert_rule_test has no "exp_alerts"'),
    (ALERT + "      - {alertname: Slwo, eval_time: 1m, exp_alerts: []}", "did you mean Slow?"),
    (
        ALERT + "      - {alertname: 'a:b:c', eval_time: 1m, exp_alerts: []}",
        "expected the name of an alert in rule_files",
    ),
    (
        ALERT + "      - {alertname: Slow, eval_time: -1m, exp_alerts: []}",
        'eval_time: "-1m"; expected no time before 0',
    ),
    (ALERT + "      - {alertname: Slow, eval_time: 1m, exp_alerts: [{}]}", 'exp_alerts has no "exp_labels"'),
    (ALERT + "      - {alertname: Slow, eval_time: 1m, exp_alert: []}", 'did you mean "exp_alerts"?'),
    (
        ALERT + "      - {alertname: Slow, eval_time: 1m, exp_alerts: [{exp_labels: {}, exp_value: x}]}",
        "expected a number",
    ),
    (SAMPLE + "      - {eval_time: 1m, exp_samples: []}", 'expected either "expr" (LogQL) or "record"'),
    (SAMPLE + "      - {record: Slow, eval_time: 1m, exp_samples: []}", "expected the name of a recording rule"),
    (SAMPLE + "      - {record: a:b:d, eval_time: 1m, exp_samples: []}", "did you mean a:b:c?"),
    (SAMPLE + "      - {expr: x, eval_time: 1m, exp_samples: [{labels: {}}]}", 'exp_samples has no "value"'),
    (SAMPLE + "      - {expr: x, eval_time: 1m, exp_samples: [{value: 1, tolerance: -1}]}", "expected 0 or more"),
    (
        SAMPLE + "      - {expr: x, eval_time: 1m, exp_samples: [{labels: '{a=~\"b\"}', value: 1}]}",
        'expected name="value"',
    ),
    (SAMPLE + "      - {expr: x, eval_time: 1m, exp_samples: [{labels: '{a', value: 1}]}", "expected labels such as"),
    (
        SAMPLE + "      - {expr: x, eval_time: 1m, exp_samples: [{labels: 'm{a=\"b\"}', value: 1}]}",
        "expected no name before",
    ),
]


@pytest.mark.parametrize(("text", "message"), CASES, ids=[message[:40] for _text, message in CASES])
def test_a_mistake_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    """Each message begins with the file; all but two with line and column."""
    with pytest.raises(RuleTestError) as caught:
        read(tmp_path, text, RULES)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a_test.yaml"))


RULE_CASES = [
    ("groups: {}", "rules.yaml:1:9: groups: a mapping; expected a list"),
    ("rules: []", 'unknown key "rules"'),
    ("groups: [{name: g}]", 'groups has no "rules"'),
    ("groups: [{name: g, rules: [{expr: x}]}]", 'expected either "alert" or "record" in a rule'),
    ("groups: [{name: g, rules: [{alert: A, record: b, expr: x}]}]", 'expected either "alert" or "record"'),
    ("groups: [{name: g, rules: [{alert: A}]}]", 'rules has no "expr"'),
    ("groups: [{name: g, interval: fast, rules: []}]", 'interval: "fast"; expected a duration'),
    ("groups: [{name: g, rules: [{alert: A, expr: x, for: -1m}]}]", "expected no time before 0"),
    ("groups: [{name: g, rules: [{alert: A, expr: x, lables: {}}]}]", 'did you mean "labels"?'),
]


@pytest.mark.parametrize(("rules", "message"), RULE_CASES, ids=[message[:40] for _rules, message in RULE_CASES])
def test_a_mistake_in_a_rule_file_is_told_with_its_place(rules: str, message: str, tmp_path: Path) -> None:
    """The rule file's, not the test file's."""
    with pytest.raises(RuleTestError) as caught:
        read(tmp_path, "rule_files: [rules.yaml]\ntests: []\n", rules)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "rules.yaml"))


def test_two_tests_of_one_name_are_told(tmp_path: Path) -> None:
    """--run and --explain could not tell them apart."""
    test = "  - {name: t, alert_rule_test: [{alertname: Slow, eval_time: 1m, exp_alerts: []}]}\n"
    with pytest.raises(RuleTestError, match="a second test is named 't'"):
        read(tmp_path, "rule_files: [rules.yaml]\ntests:\n" + test + test, RULES)


def test_the_command_ends_with_2(tmp_path: Path) -> None:
    """Before a Loki is started."""
    assert run(write(tmp_path, "test: []"))[0] == 2
    assert run(tmp_path / "gone_test.yaml")[0] == 2
    good = write(
        tmp_path,
        HEAD + "    alert_rule_test: [{alertname: Slow, eval_time: 1m, exp_alerts: []}]",
        RULES,
        "good_test.yaml",
    )
    assert "no test of the 1 has such a name" in run(good, "--run", "other")[1]
    assert "expected a regular expression" in run(good, "--run", "(")[1]
    assert run(good, "--run", "(")[0] == 2
    assert run(good, "--json", "--explain", "t")[0] == 2
    assert run(good, "-j", "0")[0] == 2


def test_a_directory_is_searched_for_test_files(tmp_path: Path) -> None:
    """By the end of their names; a directory without any is a mistake, not a success."""
    with pytest.raises(RuleTestError, match=r"no file there ends in _test\.yaml"):
        find_test_files([tmp_path])
    (tmp_path / "deep").mkdir()
    for name in ("b_test.yaml", "deep/a_test.yml", "rules.yaml"):
        (tmp_path / name).touch()
    assert find_test_files([tmp_path]) == [tmp_path / "b_test.yaml", tmp_path / "deep/a_test.yml"]
