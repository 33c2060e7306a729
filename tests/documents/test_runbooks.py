"""Every alert has a runbook that works at 3 a.m.: complete, its queries run, its commands and settings exist.

In: the alerts of loki/rules and loki/prometheus_rules, docs/runbooks, a real Loki and Prometheus. Out: nothing.
Never: a list of alerts of its own. Commands in blocks are run by test_documents.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import pytest
import requests
import typer
import yaml
from django.core.management import get_commands

from logging_pkg.cli.application import application_for
from logging_pkg.conf import Settings
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.lint.project import Project, Query
from logging_pkg.pipeline.logql import ast
from logging_pkg.stack import Stack
from logging_pkg.stack.tools import TOOLS
from tests.pipeline.events import REGISTRY, line, push
from tests.pipeline.rules_test.link_cases import plain

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
ALERTS = sorted(
    rule["alert"]
    for directory in ("rules", "prometheus_rules")
    for path in sorted((ROOT / "loki" / directory).glob("*.y*ml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
)
PARTS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
QUERIES = [query for query in Project(ROOT, REGISTRY).queries if query.snippet.source.name.startswith("docs/runbooks/")]
PROMQL = [
    (path.name, query.strip())
    for path in sorted((ROOT / "docs").rglob("*.md"))
    for block in re.findall(r"^ *```promql\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL)
    for query in block.split("\n\n")
]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def test_there_are_alerts_and_each_name_is_one_alert() -> None:
    """The search above finds them; no runbook is of an alert that is not there."""
    assert len(ALERTS) == len(set(ALERTS)) > 20
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_runbook_is_complete(alert: str) -> None:
    """Its name, then four parts in order, none empty, whatever follows them; Diagnosis shows a query."""
    title, *parts = re.split(r"^#+ (.+)$", (RUNBOOKS / f"{alert}.md").read_text(), flags=re.MULTILINE)[1:]
    assert title == alert
    headings, texts = parts[1::2], [text.strip() for text in parts[2::2]]
    assert headings[:4] == PARTS
    assert all(len(text) > 20 for text in texts[:4])
    assert {language for language, _ in _BLOCK.findall(texts[2])} & {"logql", "promql"}


@pytest.mark.parametrize(
    "alert", [path.stem for path in sorted(RUNBOOKS.glob("*.md")) if "logpipe stack status" in path.read_text()]
)
def test_who_may_find_a_server_down_is_told_how_to_fill_the_gap(alert: str) -> None:
    """As commands in Mitigation: to look, then to write. They are run by test_documents.py."""
    mitigation = (RUNBOOKS / f"{alert}.md").read_text().partition("## Mitigation")[2]
    commands = "".join(text for language, text in _BLOCK.findall(mitigation) if language == "sh").splitlines()
    assert [line.split("  #")[0] for line in commands if line.startswith("logpipe backfill")] == [
        "logpipe backfill --from 2h --dry-run",
        "logpipe backfill --from 2h",
    ]


@pytest.fixture(scope="module")
def loki_with_lines(own_loki_server: Stack) -> Iterator[LokiClient]:
    """A few lines of every event, one without any field it may lack, so that queries have something to stumble over."""
    with LokiClient(own_loki_server.loki_url) as client:
        now_ns = time.time_ns() // 1000 * 1000
        push(
            client, [line(name, "runbooks", now_ns - number * 10**9) for name in REGISTRY.events for number in range(3)]
        )
        moment = datetime.fromtimestamp(now_ns // 10**9 - 5, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        push(client, [{**plain(name), "timestamp": moment} for name in REGISTRY.events])
        yield client


@pytest.mark.parametrize(
    "query", QUERIES, ids=[f"{Path(query.snippet.source.name).stem}-{n}" for n, query in enumerate(QUERIES)]
)
def test_query_runs(query: Query, loki_with_lines: LokiClient) -> None:
    """Loki answers it, over lines of every event."""
    assert query.error is None
    now_ns = time.time_ns()
    if isinstance(query.expression, ast.LogQuery):
        loki_with_lines.query_range(query.snippet.text, now_ns - 3600 * 10**9, now_ns)
        # Loki keeps a line whose number cannot be compared, with an error.
        broken = loki_with_lines.query_range(f'{query.snippet.text}\n| __error__!=""', now_ns - 3600 * 10**9, now_ns)
        assert isinstance(broken, Streams)
        assert [entry.line for entry in broken.entries] == []
    else:
        loki_with_lines.query(query.snippet.text, now_ns)


@pytest.fixture(scope="module")
def prometheus(stack_binaries: object) -> Any:
    with Stack(servers=("prometheus",)) as stack:
        yield stack.prometheus_url


@pytest.mark.parametrize(("document", "query"), PROMQL)
def test_promql_runs(document: str, query: str, prometheus: str) -> None:
    """Prometheus answers each query of the documents; an empty line separates two."""
    answer = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10)
    assert answer.status_code == 200, (document, answer.text)


def inline(pattern: str) -> list[tuple[str, str]]:
    """(alert, text) of inline code; blocks are left out."""
    texts = {path.stem: _BLOCK.sub("", path.read_text()) for path in sorted(RUNBOOKS.glob("*.md"))}
    return sorted({(name, found) for name, text in texts.items() for found in re.findall(rf"`({pattern})`", text)})


@pytest.mark.parametrize(("alert", "command"), inline(r"logpipe [^`]+"))
def test_command_exists(alert: str, command: str) -> None:
    """`logpipe …` in the text of a runbook names a command, and options it has."""
    found: Any = typer.main.get_command(application_for(()))
    for word in command.split()[1:]:
        if hasattr(found, "commands"):  # a group; typer has a click of its own
            assert word in found.commands, f"{alert}: {command}"
            found = found.commands[word]
        elif word.startswith("-"):
            assert word in {name for parameter in found.params for name in parameter.opts}, f"{alert}: {command}"


def test_management_commands_exist() -> None:
    """`manage.py …` in the documents is one of Django's or of this project's applications."""
    django.setup()
    texts = [path.read_text() for path in (ROOT / "docs").rglob("*.md")]
    named = {name for text in texts for name in re.findall(r"manage\.py ([a-z_]+)", text)}
    assert len(named) > 3
    assert named - set(get_commands()) == set()


@pytest.mark.parametrize(("alert", "name"), inline(r"LOGPIPE_\w+"))
def test_setting_exists(alert: str, name: str) -> None:
    """Environment variables are settings, or name a server's program or port."""
    settings = {f"LOGPIPE_{field.upper()}" for field in Settings.__dataclass_fields__}
    servers = {f"LOGPIPE_{tool.upper()}_{what}" for tool in TOOLS for what in ("BIN", "PORT")}
    assert name in settings | servers, f"{alert}: {name}"
