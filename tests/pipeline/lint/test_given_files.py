"""Anybody's files, as text and as JSON; a Loki that is asked, and one that is not there."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from logging_pkg.pipeline.lint.given import Given
from logging_pkg.pipeline.lint.query import targets
from logging_pkg.pipeline.lint.source import SourceFile
from logging_pkg.pipeline.lint.variables import filled
from logging_pkg.pipeline.lint.yaml_file import YamlFile
from logging_pkg.stack import Stack
from tests.cli.command import logpipe

PROJECT = Path(__file__).parents[3]
LOKI_RULES = """\
namespace: shop
groups:
  - name: shop
    rules:
      - alert: Slow
        expr: sum by (app) (rate({app="shop"} | logfmt | took > 1s [5m])) > 1
        labels: {severity: page}
        annotations: {summary: "{{ $labels.app }} is slow", runbook_url: "https://shop.example/slow"}
"""
PROMETHEUS_RULES = "groups: [{name: a, rules: [{record: 'a:b:c', expr: 'sum(rate(x_total{a=\"b\"}[5m]))'}]}]\n"
DASHBOARD = {
    "title": "Shop",
    "panels": [
        {
            "title": "a",
            "datasource": "Loki",
            "targets": [{"expr": 'topk($n, sum by ($by) (rate({app="$app"}[$__range])))'}],
        }
    ],
}


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Files of somebody who has no schemas, runbooks or vector.toml."""
    directory = tmp_path / "others"
    (directory / "below").mkdir(parents=True)
    (directory / "below/loki.yml").write_text(LOKI_RULES)
    (directory / "prometheus.yaml").write_text(PROMETHEUS_RULES)
    (directory / "board.json").write_text(json.dumps(DASHBOARD))
    (directory / "values.yaml").write_text("replicas: 3\n")
    (directory / "package.json").write_text("{}")
    return directory


def test_files_are_told_apart_by_what_they_say(others: Path) -> None:
    """LogQL has selectors without a name before them; files that are no rules or dashboards are passed over."""
    given = Given.of([others])
    assert given.rules == (others / "below/loki.yml",)
    assert given.prometheus_rules == (others / "prometheus.yaml",)
    assert given.dashboards == (others / "board.json",)
    assert given.count == 3


def test_anybodys_files_are_checked_where_they_are(others: Path, tmp_path: Path) -> None:
    """Without schemas or a project; the one thing wrong is told with its place as given, and what did not run."""
    done = logpipe("check", "others", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "others/below/loki.yml:6:" in done.stdout
    assert "logql/missing-offset" in done.stdout
    assert "not run, they need the schemas of the events: --schemas DIRECTORY: logql/" in done.stdout
    assert "not run, they look at a whole project" in done.stdout
    assert done.stdout.strip().endswith("checked 2 rules and 2 queries in 3 files: 1 error")


def test_json_is_one_document_with_every_problem(others: Path, tmp_path: Path) -> None:
    """Place, text, reason and page, for programs; a check can be disabled."""
    done = logpipe("check", "others", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    [problem] = report["problems"]
    place = LOKI_RULES.splitlines()[problem["line"] - 1][problem["column"] - 1 :][: problem["length"]]
    assert (problem["check"], problem["severity"], problem["line"], place) == (
        "logql/missing-offset",
        "error",
        6,
        "[5m]",
    )
    assert problem["file"] == "others/below/loki.yml"
    assert problem["help"] == "logpipe check --explain logql/missing-offset"
    assert (report["errors"], report["rules"], report["queries"]) == (1, 2, 2)
    assert "rules/untested" in {entry["check"] for entry in report["not_run"]}
    disabled = logpipe("check", "others", "--json", "--disable", "logql/missing-offset", cwd=tmp_path)
    assert (disabled.returncode, json.loads(disabled.stdout)["problems"]) == (0, [])


def test_schemas_given_bring_their_checks(others: Path, tmp_path: Path) -> None:
    """A directory with an envelope stands alone."""
    (others / "below/loki.yml").write_text(LOKI_RULES.replace('{app="shop"}', '{event="shop.gone"}'))
    done = logpipe("check", "others", "--schemas", PROJECT / "log_schemas", cwd=tmp_path)
    assert "logql/unknown-event" in done.stdout
    assert "--schemas DIRECTORY" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "nowhere.yaml: no such file or directory"),
        (["others/a.txt"], "others/a.txt: expected rules (.yaml, .yml), a dashboard (.json) or a document (.md)"),
        (["empty"], "empty: no rules (*.yaml with groups), dashboards or documents there"),
        (["--disable", "logql/sintax"], "--disable logql/sintax: no such check; did you mean logql/syntax?"),
    ],
)
def test_a_wrong_argument_is_told(arguments: list[str], said: str, others: Path, tmp_path: Path) -> None:
    """In one line, exit code 2."""
    (others / "a.txt").write_text("")
    (tmp_path / "empty").mkdir()
    done = logpipe("check", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"logpipe: {said}\n")


def test_a_loki_that_is_not_there_is_told_beside_what_was_found(others: Path, tmp_path: Path) -> None:
    """Exit code 3; problems that need no server are shown all the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        done = logpipe("check", "others", "--loki-url", url, cwd=tmp_path)
    assert done.returncode == 3
    assert "logql/missing-offset" in done.stdout
    assert (
        "not run, they ask a Loki, which did not answer: loki/rejected-query, loki/unknown-stream-label" in done.stdout
    )
    assert done.stderr.startswith(f"logpipe: {url}/loki/api/v1/format_query: no connection")


def test_loki_takes_every_query_of_this_project(own_loki_server: Stack) -> None:
    """Rules, links, documents and panels with their variables filled in."""
    done = logpipe("check", "--root", PROJECT, "--loki-url", own_loki_server.loki_url, "--json")
    report = json.loads(done.stdout)
    assert report["not_run"] == []
    assert [problem for problem in report["problems"] if problem["check"] == "loki/rejected-query"] == []
    assert report["queries"] > 400


def test_variables_are_filled_with_what_can_stand_there() -> None:
    """A text, a range with and without its unit, a number, a label; each character keeps its place."""
    expr = 'topk($n, sum by ($by) (rate({a=~"${a:regex}"} [${__range_s}s] offset $o)) / rate({a="$a"}[$__range]))'
    source = SourceFile("a.json", json.dumps({"datasource": {"uid": "${DS_LOKI}"}, "expr": expr}))
    root = YamlFile.of(source).root
    assert root is not None
    [snippet] = targets(root)
    assert filled(snippet, everywhere=False).text == (
        'topk(1, sum by (label) (rate({a=~"${a:regex}"} [${__range_s}s] offset 5m)) / rate({a="$a"}[$__range]))'
    )
    found = filled(snippet, everywhere=True)
    assert found.text == 'topk(1, sum by (label) (rate({a=~".+"} [1s] offset 5m)) / rate({a=".+"}[5m]))'
    for word in ("sum", "offset", "rate"):
        line, column, length = found.place(found.text.index(word), found.text.index(word) + len(word))
        assert source.line(line)[column - 1 : column - 1 + length] == word


RESOURCES = """\
apiVersion: v1
kind: Service
metadata: {name: shop}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: shop
spec:
  groups:
    - name: shop
      partial_response_strategy: warn
      rules:
        - alert: ShopSlow
          expr: |-
            sum(
              rate({app="shop"} | logfmt | took > 1s [5m])
            ) > 1
          fro: 1m
          labels: {severity: page}
          annotations: {summary: slow, runbook_url: "https://shop.example/slow"}
---
---
kind: PrometheusRule
spec: {groups: [{name: empty, rules: [{record: "a b", expr: 1}]}]}
"""
SAID = """\
rules.yaml:17:54  error  logql/missing-offset
   17 │ rate({app="shop"} | logfmt | took > 1s [5m])
      │                                        ^^^^ reads seconds that are still arriving
      = add offset 30s behind it   logpipe check --explain logql/missing-offset

rules.yaml:19:11  error  rules/syntax
   19 │ fro: 1m
      │ ^^^ Loki refuses a file with this key
      = did you mean for?   logpipe check --explain rules/syntax
"""


def test_rules_in_kubernetes_resources_are_read_like_plain_ones(tmp_path: Path) -> None:
    """Of every resource in a file, with places in that file; other kinds are passed over."""
    (tmp_path / "rules.yaml").write_text(RESOURCES)
    (tmp_path / "service.yaml").write_text(RESOURCES.split("---", maxsplit=1)[0])
    for given in ("rules.yaml", "."):
        done = logpipe("check", given, cwd=tmp_path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stdout.startswith(SAID)
        assert "checked 2 rules and 2 queries in 1 file:" in done.stdout


def test_a_resource_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    """With its place, also behind others."""
    (tmp_path / "rules.yaml").write_text(f"{RESOURCES}---\nkind: [\n")
    done = logpipe("check", "rules.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "rules.yaml:28:1  error  rules/syntax" in done.stdout, done.stdout
    (tmp_path / "rules.yaml").write_text("kind: PrometheusRule\nspec: 1\n")
    assert "has no groups" in logpipe("check", "rules.yaml", cwd=tmp_path).stdout


def test_what_a_check_is_about_is_printed_anywhere(tmp_path: Path) -> None:
    """The command that each problem ends with."""
    done = logpipe("check", "--explain", "logql/missing-offset", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# logql/missing-offset\n")
    assert "## What to do" in done.stdout
    wrong = logpipe("check", "--explain", "logql/sintax", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "logpipe: --explain logql/sintax: no such check; did you mean logql/syntax?\n",
    )
