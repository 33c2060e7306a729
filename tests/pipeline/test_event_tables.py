"""The tables people look at: Loki's numbers and those computed from the same lines here are the same.

In: lines of every event a table reads, in a real Loki and in memory. Out: assertions on rows. Never: numbers of both
sides from one computation.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.analysis.tables import Table, TableRow, table_rows
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.event_tables import (
    QUOTA_DAY,
    QUOTA_MINUTE,
    QUOTA_USER_MINUTE,
    RELEASE_API,
    RELEASE_ROUTES,
    SYNCS,
    TOP,
    Scope,
    column_query,
    loki_rows,
)
from logging_pkg.pipeline.lint.run import lint
from tests.pipeline.events import ENV, REGISTRY, line, push

_SECOND = 1_000_000_000
_WINDOW_S = 600
TABLES = [table for tables in TOP.values() for table in tables] + [
    SYNCS,
    QUOTA_DAY,
    QUOTA_MINUTE,
    QUOTA_USER_MINUTE,
    RELEASE_ROUTES,
    RELEASE_API,
]
_CHOICES: dict[str, list[Any]] = {
    "route": ["/", "/accounts/{id}/"],
    "operation": ["events.list", "calendarList.list"],
    "fingerprint": ['SELECT "a" FROM "b" WHERE "c" = ?', "SELECT 'x\\y' {{z}}"],
    "caller": ["views.py:8", None],
    "user_id": ["3", None],
    "status_code": [200, 500, None],
    "reason": ["rateLimitExceeded", None],
    "error_type": ["builtins.ValueError", None],
    "is_error": [0, 1],
    "is_success": [0, 1],
    "is_rate_limited": [0, 1],
    "quota_units": [0, 1, 5],
    "release": ["1.0", "1.1"],
    "project": ["one", "two"],
    "quota_day": ["2026-11-24", "2026-11-25"],
    "account_hash": ["a" * 16, "b" * 16],
}


def _service(table: Table) -> str:
    return "tables-" + "".join(letter for letter in f"{table.title}{len(table.columns)}".lower() if letter.isalnum())


def _lines(table: Table, now_ns: int) -> list[dict[str, Any]]:
    """Forty lines with the table's fields at random, and in other services and times that are not asked for."""
    chosen = random.Random(table.title)
    read = {*table.by, *(column.field for column in table.columns), *dict(table.where), "release"}
    made = []
    for number in range(40):
        fields: dict[str, Any] = {}
        for name, values in _CHOICES.items():
            if name not in read:
                continue
            schema = REGISTRY.field(table.event, name)
            if schema is not None:
                fields[name] = chosen.choice(
                    [value for value in values if value is not None or "null" in schema["type"]]
                )
        for column in table.columns:
            if column.field and column.field not in fields:
                schema = REGISTRY.field(table.event, column.field) or {}
                is_null = "null" in schema["type"] and number % 3 == 0
                fields[column.field] = None if is_null else chosen.randrange(1, 5000)
        age_s = _WINDOW_S + 60 if number < 5 else chosen.uniform(1, _WINDOW_S - 1)
        service = _service(table) if number % 8 else "tables-other"
        made.append(line(table.event, service, now_ns - int(age_s * _SECOND), **fields))
    return made


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
@pytest.mark.parametrize("fields", [{}, {"release": "1.1"}], ids=["all", "one release"])
def test_loki_says_the_same(table: Table, fields: dict[str, str], loki: LokiClient) -> None:
    """Groups, counts, sums, means, extremes and quantiles, of one service and of one release."""
    now_ns = time.time_ns()
    lines = _lines(table, now_ns)
    service = _service(table)
    push(loki, [item | {"service_name": f"{item['service_name']}-{now_ns}"} for item in lines])
    inside = [
        item
        for item in lines[5:]
        if item["service_name"] == service and all(item[name] == value for name, value in fields.items())
    ]
    expected = table_rows(table, inside)
    scope = Scope({"service_name": f"{service}-{now_ns}", "env": ENV}, fields)
    found = loki_rows(loki, table, now_ns, _WINDOW_S, scope=scope)
    assert expected, "lines of the test that fit"
    assert found == [
        TableRow(row.key, tuple(pytest.approx(value, rel=1e-12) for value in row.values)) for row in expected
    ]


def test_every_query_is_clean(tmp_path: Path) -> None:
    """Events and fields are declared, numbers are unwrapped: what `logpipe check` asks of the queries in a document."""
    scope = Scope({"env": "x"}, {"release": "y"})
    queries = [column_query(table, column, _WINDOW_S, scope) for table in TABLES for column in table.columns]
    document = tmp_path / "docs" / "tables.md"
    document.parent.mkdir()
    document.write_text("".join(f"```logql\n{query}\n```\n" for query in queries))
    report = lint(tmp_path, REGISTRY)
    # The groups of a table are cut to its first rows; there are no rules in this project.
    expected = {"logql/unbounded-by", "rules/generated", "rules/unexpected-file"}
    assert {problem.check for problem in report.problems} == expected, str(report)
    document.write_text(f"```logql\n{queries[0].replace('route', 'rout')}\n```\n")
    assert "rout" in str(lint(tmp_path, REGISTRY)), "the queries of this document are read"
