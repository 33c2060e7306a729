"""`logpipe rules test` on other people's rules and lines: what passes, what fails, and how it says so."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.pipeline.rules_test.files import run, write

TRANSCRIPT = Path(__file__).parent / "failures.txt"

RULES = """\
namespace: shop
groups:
  - name: errors
    rules:
      - record: app:errors:count_1m
        expr: sum by (app) (count_over_time({app=~".+"} |~ "(?i)error" [1m]))
        labels: {team: shop}
      - alert: Errors
        expr: sum by (app) (count_over_time({app=~".+"} |~ "(?i)error" [1m])) > 2
        for: 30s
        labels: {severity: warning}
        annotations: {summary: "{{ $value }} errors in {{ $labels.app }}"}
      - alert: Errors
        expr: sum by (app) (count_over_time({app=~".+"} |~ "(?i)error" [1m])) > 4
        labels: {severity: critical}
        annotations: {summary: "{{ $value }} errors in {{ $labels.app }}!"}
      - alert: Level
        expr: sum by (app) (sum_over_time({app="b"} | logfmt | unwrap ms | __error__="" [1m])) > 0
        for: 1m
        labels: {severity: "{{ if gt $value 100.0 }}critical{{ else }}warning{{ end }}"}
      - alert: Twins
        expr: sum by (app, pod) (count_over_time({app="c"}[1m]))
        labels: {pod: any}
      - alert: ByUser
        expr: sum by (user) (count_over_time({app="d"} | user != "" [1m])) > 1
"""
TESTS = """\
rule_files: [rules.yaml]
evaluation_interval: 10s

tests:
  - name: two rules of one name
    input_lines:
      - {labels: {app: a}, line: "ERROR one", at: 5s, every: 5s, until: 20s}
      - {labels: {app: a}, line: "an Error", at: 25s}
      - {labels: {app: a}, line: "fine", count: 50}
      - {labels: {app: b}, line: "error", count: 2}
    logql_expr_test:
      - {record: "app:errors:count_1m", eval_time: 30s, exp_samples: [
          {labels: 'app:errors:count_1m{app="a", team="shop"}', value: 5},
          {labels: {app: b, team: shop}, value: 2.02, tolerance: 0.01}]}
      - {expr: "1 + 1", eval_time: 0m, exp_samples: [{value: 2}]}
      - {expr: 'sum(count_over_time({app="nobody"}[1m]))', eval_time: 30s, exp_samples: []}
    alert_rule_test:
      - alertname: Errors
        eval_time: 29s
        exp_alerts: []
        exp_pending: [{exp_labels: {app: a, severity: warning}}]
      - alertname: Errors
        eval_time: 30s
        exp_alerts: [{exp_labels: {alertname: Errors, app: a, severity: critical}, exp_annotations: {summary: "5 errors in a!"}}]
      - alertname: Errors
        eval_time: 50s
        exp_alerts:
          - {exp_labels: {app: a, severity: warning}, exp_annotations: {summary: "5 errors in a"}}
          - {exp_labels: {app: a, severity: critical}}
      - {alertname: Errors, eval_time: 2m, exp_alerts: [], exp_pending: []}

  - name: a label that depends on the value makes another alert
    input_lines:
      - {labels: {app: b}, lines: ["ms=10", "ms=20"], every: 50s}
      - {labels: {app: b}, line: "ms=200", at: 70s}
      - {labels: {app: b}, line: "no number here", at: 70s}
    alert_rule_test:
      - {alertname: Level, eval_time: 50s, exp_alerts: [], exp_pending: [{exp_labels: {app: b, severity: warning}}]}
      - {alertname: Level, eval_time: 60s, exp_alerts: [{exp_labels: {app: b, severity: warning}, exp_value: 20}]}
      - {alertname: Level, eval_time: 70s, exp_alerts: [], exp_pending: [{exp_labels: {app: b, severity: critical}}]}

  - name: structured metadata is searched like labels
    input_lines:
      - {labels: {app: d}, metadata: {user: u1}, line: x, count: 2}
      - {labels: {app: d}, metadata: {user: u2}, line: x}
      - {labels: {app: d}, line: x, count: 9}
    alert_rule_test:
      - {alertname: ByUser, eval_time: 0m, exp_alerts: [{exp_labels: {user: u1}, exp_value: 2}]}
"""
FAILING = """\
rule_files: [rules.yaml]
evaluation_interval: 10s

tests:
  - name: too few
    input_lines: [{labels: {app: a}, line: error, count: 2}]
    alert_rule_test:
      - {alertname: Errors, eval_time: 40s, exp_alerts: [{exp_labels: {app: a, severity: warning}}]}

  - name: not yet
    input_lines: [{labels: {app: a}, line: error, count: 3}]
    alert_rule_test:
      - {alertname: Errors, eval_time: 20s, exp_alerts: [{exp_labels: {app: a, severity: warning}}]}
      - {alertname: Errors, eval_time: 20s, exp_alerts: [], exp_pending: []}

  - name: another label, value and text
    input_lines: [{labels: {app: a}, line: error, count: 3}]
    alert_rule_test:
      - {alertname: Errors, eval_time: 40s, exp_alerts: [{exp_labels: {app: a, severity: critical}}]}
      - alertname: Errors
        eval_time: 40s
        exp_alerts:
          - exp_labels: {app: a, severity: warning}
            exp_value: 4
            exp_annotations: {summary: "4 errors in a"}

  - name: two series become one alert
    input_lines:
      - {labels: {app: c, pod: p}, line: x}
      - {labels: {app: c, pod: q}, line: x}
    alert_rule_test:
      - {alertname: Twins, eval_time: 10s, exp_alerts: []}

  - name: samples
    input_lines: [{labels: {app: a}, line: error, count: 3}]
    logql_expr_test:
      - {record: "app:errors:count_1m", eval_time: 0m, exp_samples: [{labels: {app: a, team: shop}, value: 4}]}
      - {expr: 'sum(rate({app="a"} |= `x)', eval_time: 0m, exp_samples: []}

  - name: a line that Loki does not take
    input_lines: [{labels: {"no-label": a}, line: x}]
    logql_expr_test: [{expr: vector(1), eval_time: 0m, exp_samples: [{value: 1}]}]
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack_binaries: Mapping[str, object]) -> None:
    monkeypatch.chdir(tmp_path)


def without_times(text: str) -> str:
    text = re.sub(r"in [\d.]+ s", "in … s", text)
    return re.sub(r"http://127.0.0.1:\d+", "http://127.0.0.1:…", text)


def test_foreign_rules_and_raw_lines_pass(tmp_path: Path) -> None:
    """Rules of another project, lines that are no events of ours, every kind of expectation."""
    code, printed = run(write(tmp_path, TESTS, RULES))
    assert (code, without_times(printed)) == (
        0, " 11 passed in … s   (3 tests, one real Loki 3.7.6, 3 min of log time)\n"
    )  # fmt: skip


def test_failures_are_shown_as_committed(tmp_path: Path) -> None:
    """Place, expected, got, what differs, why; one after the other."""
    code, printed = run(write(tmp_path, FAILING, RULES).name)
    assert without_times(printed) == TRANSCRIPT.read_text(encoding="utf-8")
    assert code == 1


def test_results_for_programs_say_the_same(tmp_path: Path) -> None:
    """--json: each expectation, its place, what differs and why."""
    code, printed = run(write(tmp_path, FAILING, RULES).name, "--json", "--run", "^(too few|samples)$", "-j", "1")
    report = json.loads(printed)
    assert code == 1
    assert (report["passed"], report["failed"], report["loki"]) == (0, 3, "3.7.6")
    first = report["expectations"][0]
    assert first.items() >= {"file": "a_test.yaml", "line": 8, "test": "too few", "subject": "Errors"}.items()
    assert first["differences"] == [{"state": "firing", "expected": 'Errors{app="a", severity="warning"}', "got": ""}]
    assert first["reasons"][0].startswith('was 2 for {app="a"}, wanted > 2')
    assert first["matched_lines"] == 2
    assert "parse error" in report["expectations"][2]["error"]


def test_explain_shows_every_part_and_the_lines_behind_it(tmp_path: Path) -> None:
    """For a test that fails and for one that does not."""
    code, printed = run(write(tmp_path, FAILING, RULES).name, "--explain", "not yet")
    assert code == 1
    for text in (
        "Errors at 20s   a_test.yaml:13   not yet",
        "  Errors (rules.yaml:8), evaluated at 20s",
        '    sum by (app) (count_over_time({app=~".+"} … [1m])) > 2',
        '        = 3 for {app="a"}',
        "after -40s, up to 20s: 3 lines",
        "            0m  error",
        'Errors{app="a", severity="warning"} is pending (for: 30s), active since 0m',
    ):
        assert text in printed
    assert "too few" not in printed


def test_mutants_that_survive_fail_the_run(tmp_path: Path) -> None:
    """A limit that no test pins down is named."""
    tests = write(
        tmp_path,
        """\
        rule_files: [rules.yaml]
        tests:
          - name: far over
            input_lines: [{labels: {app: a}, line: x, count: 10}]
            alert_rule_test: [{alertname: A, eval_time: 0m, exp_alerts: [{exp_labels: {severity: high}}]}]
        """,
        """\
        groups:
          - name: g
            rules:
              - alert: A
                expr: sum(count_over_time({app="a"}[1m])) > 2
                labels: {severity: '{{ if gt $value 5.0 }}high{{ end }}'}
        """,
    )
    code, printed = run(tests, "--mutate")
    assert code == 1
    assert "A      > 2          > 1      ✗ no test: SURVIVED" in printed
    assert "A      for: 0m      for: 1m  far over" in printed
    assert "3 mutants: 1 found, 2 survived" in printed


def test_a_rule_that_loki_does_not_load_is_told(tmp_path: Path) -> None:
    """Also one that no test looks at: the ruler would load nothing of its file."""
    tests = (
        'rule_files: [rules.yaml]\ntests: [{name: t, logql_expr_test: [{expr: "1", eval_time: 0m, exp_samples: []}]}]'
    )
    for rule, reason in (
        ("{alert: A, expr: vector(1), annotations: {s: '{{ $externalURL }}'}}", 'undefined variable "$externalURL"'),
        ("{alert: A, expr: 'rate({a=\"b\"}[1q])'}", 'unknown unit "q" in duration "1q"'),
        ("{record: 'no name', expr: vector(1)}", "invalid recording rule name: no name"),
    ):
        code, printed = run(write(tmp_path, tests, f"groups: [{{name: g, rules: [{rule}]}}]").name)
        assert code == 2
        assert printed.startswith("logpipe: rules.yaml:1: ")
        assert reason in printed


def test_without_a_loki_the_command_ends_with_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how to get one."""
    monkeypatch.setenv("LOGPIPE_LOKI_BIN", str(tmp_path / "gone"))
    code, printed = run(write(tmp_path, TESTS, RULES))
    assert code == 3
    assert "expected an executable file" in printed


def test_a_rule_that_selects_lines_is_no_rule(tmp_path: Path) -> None:
    """An alert and an expectation need numbers; Loki's own words say so."""
    check = "alert_rule_test: [{alertname: A, eval_time: 1m, exp_alerts: []}]"
    sample = "logql_expr_test: [{expr: '{a=\"b\"}', eval_time: 0m, exp_samples: []}]"
    rules = "groups: [{name: g, rules: [{alert: A, expr: '{a=\"b\"}'}]}]"
    code, printed = run(
        write(tmp_path, f"rule_files: [rules.yaml]\ntests: [{{name: t, {check}, {sample}}}]", rules).name
    )
    assert code == 1
    assert "the expression of a rule selects lines; expected a number of them" in printed
    assert "Loki refuses the expression: log queries are not supported as an instant query type" in printed


def test_explanations_stay_short(tmp_path: Path) -> None:
    """Of many series and lines the first few are shown, and how many there are."""
    tests = """\
    tests:
      - name: many
        input_lines:
          - {labels: {a: b}, metadata: {user: u1}, line: x, count: 4}
          - {labels: {a: b}, metadata: {user: u2}, line: x, count: 4}
          - {labels: {a: c}, line: x}
          - {labels: {a: d}, line: x}
          - {labels: {a: e}, line: x}
          - {labels: {a: f}, line: x}
        logql_expr_test:
          - expr: count(sum by (a, user) (count_over_time({a=~".+"}[1m])))
            eval_time: 0m
            exp_samples: [{value: 6}]
    """
    code, printed = run(write(tmp_path, tests), "--explain", "many")
    assert code == 0
    assert '1 for {a="f"}, 4 for {a="b", user="u1"} and 1 more' in printed
    assert "… 7 more" in printed


def test_events_of_another_projects_schemas_are_known(tmp_path: Path) -> None:
    """--schemas, as in every command; a field no text can be made for is asked for."""
    (tmp_path / "schemas").mkdir()
    properties = {"code": {"type": "string", "pattern": "^(?=A)A[0-9]$"}, "size": {"type": "integer", "minimum": 0}}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:log-schemas:shop.order_placed",
        "title": "shop.order_placed",
        "description": "An order.",
        "type": "object",
        "x-since": "1.0.0",
        "x-schema-version": 1,
        "x-level": "info",
        "properties": {name: {**field, "description": name} for name, field in properties.items()},
        "required": ["code", "size"],
        "additionalProperties": False,
    }
    (tmp_path / "schemas/shop.order_placed.json").write_text(json.dumps(schema))
    tests = """\
    tests:
      - name: orders
        input_events:
          - {event: shop.order_placed, fields: {code: A1, size: 3}, count: 2}
        logql_expr_test:
          - expr: sum by (service_name) (sum_over_time({event="shop.order_placed"} | json size="size" | unwrap size [1m]))
            eval_time: 0m
            exp_samples: [{labels: {service_name: web}, value: 6}]
    """
    assert run(write(tmp_path, tests), "--schemas", "schemas")[0] == 0
    code, printed = run(write(tmp_path, tests.replace("code: A1, ", "")), "--schemas", "schemas")
    assert code == 2
    assert "expected its value under `fields`" in printed


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Before anything else happens."""
    path = tmp_path / "b_test.yaml"
    path.write_bytes(b"tests: \xff")
    assert run(path.name) == (2, "logpipe: b_test.yaml: not UTF-8; expected a YAML file\n")
    path.write_text("tests: \x01")
    assert "b_test.yaml: no YAML: " in run(path.name)[1]
