"""`logpipe check` as a command: what it prints and how it exits."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from logging_pkg.cli.check import check
from logging_pkg.exceptions import SchemaError
from logging_pkg.pipeline.lint import lint
from logging_pkg.schemas import load_registry

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the command reads."""
    for name in ("loki", "docs"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    for name in ("vector.toml", "README.md"):
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def run(*arguments: str):
    application = typer.Typer()
    application.command()(check)
    return CliRunner().invoke(application, arguments)


def test_the_project_itself_has_no_problems() -> None:
    """The committed rules, documents and vector.toml fit the committed schemas."""
    result = run("--root", str(PROJECT))
    assert result.stdout.strip().endswith("no problems"), result.stdout
    assert result.exit_code == 0


def test_a_misspelt_field_in_a_rule_fails_naming_file_line_and_the_nearest_field(project: Path) -> None:
    """What happens most: a typing error in one alert."""
    alerts = project / "loki/rules/alerts.yaml"
    text = alerts.read_text().replace('response_time_ms="response_time_ms"', 'response_time_ms="respnse_time_ms"', 1)
    alerts.write_text(text)
    line = next(number for number, content in enumerate(text.splitlines(), 1) if "respnse" in content)
    result = run("--root", str(project))
    assert result.exit_code == 1
    assert f"loki/rules/alerts.yaml:{line}:" in result.stdout
    assert "did you mean response_time_ms (number, ms)?  see log_schemas/http.request_finished.json" in result.stdout
    assert result.stdout.strip().endswith("1 error")


def test_warnings_alone_do_not_fail(project: Path) -> None:
    """A runbook without its alert is told, and the exit code is 0."""
    (project / "docs/runbooks/Gone.md").write_text("# Gone\n")
    result = run("--root", str(project))
    assert result.exit_code == 0
    assert result.stdout.strip().endswith("1 warning")


def test_further_schema_directories_declare_fields_and_ask_for_rules(project: Path, tmp_path: Path) -> None:
    """With another project's schemas the generated rules are out of date until they are generated again."""
    with pytest.raises(SchemaError, match="no such schema directory"):
        load_registry([tmp_path / "missing"])
    own = tmp_path / "own"
    own.mkdir()
    text = (PROJECT / "log_schemas/db.n_plus_one_detected.json").read_text()
    text = text.replace("db.n_plus_one_detected", "shop.order_placed").replace("db_n_plus_ones", "shop_orders")
    (own / "shop.order_placed.json").write_text(text)
    result = run("--root", str(project), "--schemas", str(own))
    assert result.exit_code == 1
    assert "rules/generated" in result.stdout
    assert "vector.toml" in result.stdout


def test_the_same_problem_is_told_once(project: Path) -> None:
    """A query that two checks walk, or that stands in two lists, gives one line."""
    (project / "docs/extra.md").write_text('```logql\n{event="nothing.declared"}\n```\n')
    problems = lint(project, load_registry()).problems
    assert [problem.check for problem in problems] == ["logql/unknown-event"]


SMALL = """\
groups:
  - name: "a\\u00e9"
    interval: 1m
    rules:
      - record: route:a:b
        expr: >-
          sum by (route) (rate({event="http.request_finished"}
            | json route="route" [5m] offset 30s))
      - alert: Slow
        expr: 'rate({event="sync.run_finished"}[1m]) > 1'
        labels: {severity: warning}
        annotations:
          logs_url: '{{ printf `{event="a", env=%q}` $labels.env | urlquery }}'
"""


def test_whatever_stands_in_the_files_the_command_ends_with_a_report(tmp_path: Path) -> None:
    """Files with characters left out, doubled or replaced give problems, never a traceback."""
    chosen = random.Random(3)
    for name in ("loki/rules", "loki/prometheus_rules", "grafana/dashboards", "docs"):
        (tmp_path / name).mkdir(parents=True)
    registry = load_registry()
    for _ in range(150):
        text = SMALL
        for _ in range(chosen.randint(1, 4)):
            place = chosen.randrange(len(text))
            text = text[:place] + chosen.choice(["", text[place] * 2, *"{}[]'\"`$:-#|>\n\t\\"]) + text[place + 1 :]
        (tmp_path / "loki/rules/a.yaml").write_text(text)
        (tmp_path / "loki/prometheus_rules/a.yaml").write_text(text)
        (tmp_path / "loki/slos.yaml").write_text(text)
        (tmp_path / "docs/a.md").write_text(f"```logql\n{text}\n```\n")
        (tmp_path / "grafana/dashboards/a.json").write_text(json.dumps({"datasource": {"uid": "loki"}, "expr": text}))
        assert "checked" in str(lint(tmp_path, registry))
