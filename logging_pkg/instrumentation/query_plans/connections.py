"""Ask a database for a statement's plan, on a connection made for that alone.

In: a statement and the settings of its database. Out: plan nodes and findings.
Never: runs the statement (no ANALYZE), writes, takes longer than it may, shares a connection with the application.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from django.db import DatabaseError

from logging_pkg.instrumentation.database.transactions import WATCH_ATTRIBUTE
from logging_pkg.instrumentation.query_plans.nodes import (
    MAX_NODES,
    Node,
    Table,
    findings_of,
    postgresql_nodes,
    sqlite_nodes,
)

Explained = tuple[list[Node], list[dict[str, Any]]]

#: Vendors whose plans can be read.
VENDORS = frozenset({"postgresql", "sqlite"})
#: Tables that are looked at for one plan.
_MAX_TABLES = 10
#: Rows SQLite counts at most where it has no statistics; some milliseconds.
_MAX_COUNTED = 100_000
#: SQLite asks the time once per so many steps of its virtual machine: some 10 us.
_STEPS_PER_LOOK = 1_000
#: query_canceled and lock_not_available of PostgreSQL: its two time limits.
_TIMEOUT_STATES = frozenset({"57014", "55P03"})
_TIMEOUT_MESSAGES = ("interrupted", "database is locked", "database table is locked")

_POSTGRESQL_FACTS = """
SELECT relation.oid::regclass::text, relation.reltuples,
  ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
        WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped),
  ARRAY(SELECT attname::text FROM pg_catalog.pg_index
        JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indrelid = relation.oid AND indpred IS NULL)
FROM pg_catalog.pg_class AS relation WHERE relation.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(%s))
"""
_SQLITE_INDEXED = """
SELECT columns.name FROM pragma_index_list(?) AS indexes JOIN pragma_index_info(indexes.name) AS columns
WHERE columns.seqno = 0 AND NOT indexes.partial
"""


def explain(
    kind: type[Any],
    settings: dict[str, Any],
    alias: str,
    sql: str,
    params: Any,
    shape: str,
    *,
    min_rows: float,
    timeout_ms: float,
) -> Explained:
    """Open a connection, ask, close it.

    Args:
        kind: Django's DatabaseWrapper class.
        settings: of the alias; a copy, it is changed here.
        alias: Django database alias.
        sql: the statement.
        params: its parameters.
        shape: its fingerprint.
        min_rows: tables of no more rows than this may be scanned.
        timeout_ms: limit, ms; of each server round trip, and of all of SQLite's work.

    Raises:
        DatabaseError: the database could not be reached or would not explain; see `is_timeout`.
    """
    seconds = max(timeout_ms, 1) / 1000
    settings["AUTOCOMMIT"] = True
    settings["CONN_HEALTH_CHECKS"] = False
    options = settings["OPTIONS"] = dict(settings.get("OPTIONS") or {})
    is_sqlite = kind.vendor == "sqlite"
    if is_sqlite:
        options["timeout"] = seconds
    else:
        options.pop("pool", None)  # the application's connections are the application's
        options["connect_timeout"] = max(2, math.ceil(seconds))  # libpq's least
    connection = kind(settings, alias)
    setattr(connection, WATCH_ATTRIBUTE, False)
    connection.make_debug_cursor = connection.make_cursor  # neither in a query log nor in django.db.backends' records
    try:
        _connect(connection)
        with connection.cursor() as cursor:
            ask = _ask_sqlite if is_sqlite else _ask_postgresql
            return ask(connection, cursor, sql, params, shape, min_rows, seconds)
    finally:
        with suppress(DatabaseError):
            connection.close()


def _connect(connection: Any) -> None:
    """Do what Django's `connect` does, without connection_created: receivers would take it for the application's.

    What they would have set up (a function for SQLite, a search_path) is missing here, and explaining a statement that
    needs it fails.
    """
    with connection.wrap_database_errors:
        connection.connection = connection.get_new_connection(connection.get_connection_params())
        connection.set_autocommit(True)
        connection.init_connection_state()


def is_timeout(error: BaseException) -> bool:
    """Whether a database's error is one of the time limits set here, or of a lock that was waited for as long."""
    cause = error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state in _TIMEOUT_STATES or str(error) in _TIMEOUT_MESSAGES


def _ask_postgresql(
    _connection: Any, cursor: Any, sql: str, params: Any, _shape: str, min_rows: float, seconds: float
) -> Explained:
    cursor.execute("BEGIN READ ONLY")
    try:
        limit = math.ceil(seconds * 1000)
        cursor.execute(f"SET LOCAL statement_timeout = {limit}")
        cursor.execute(f"SET LOCAL lock_timeout = {limit}")
        cursor.execute("EXPLAIN (FORMAT JSON, VERBOSE) " + sql, params)
        nodes = list(postgresql_nodes(_plan_of(cursor)))[:MAX_NODES]
        tables = {}
        for name in _scanned(nodes):
            cursor.execute(_POSTGRESQL_FACTS, [name])
            row = cursor.fetchone()
            if row is None:
                continue
            qualified, rows, columns, indexed = row
            if rows < 0:  # never analysed: the planner guesses by the size of the table, so ask it
                cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM ONLY {qualified}")
                rows = _plan_of(cursor)["Plan Rows"]
            tables[name] = Table(rows, frozenset(columns), frozenset(indexed))
    finally:
        with suppress(DatabaseError):
            cursor.execute("ROLLBACK")
    return nodes, findings_of(nodes, tables, min_rows)


def _plan_of(cursor: Any) -> dict[str, Any]:
    answer = cursor.fetchone()[0]
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def _ask_sqlite(
    connection: Any, cursor: Any, sql: str, params: Any, shape: str, min_rows: float, seconds: float
) -> Explained:
    raw = connection.connection
    deadline = time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_PER_LOOK)
    raw.execute("PRAGMA query_only = ON")
    cursor.execute("EXPLAIN QUERY PLAN " + sql, params)
    rows = [(row[0], row[1], row[3]) for row in cursor.fetchall()]
    nodes = list(sqlite_nodes(rows, shape))[:MAX_NODES]
    with connection.wrap_database_errors:
        tables = {name: table for name in _scanned(nodes) if (table := _sqlite_facts(raw, name, min_rows)) is not None}
    return nodes, findings_of(nodes, tables, min_rows)


def _sqlite_facts(raw: Any, name: str, min_rows: float) -> Table | None:
    """Facts of a table; None of what is none (a view's or common table's name)."""
    is_table = raw.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [name]).fetchone()
    if is_table is None:
        return None
    columns = list(raw.execute("SELECT name, pk FROM pragma_table_info(?)", [name]))
    indexed = {column for (column,) in raw.execute(_SQLITE_INDEXED, [name])}
    indexed |= {column for column, place in columns if place == 1}
    quoted = '"' + name.replace('"', '""') + '"'
    limit = max(_MAX_COUNTED, int(min_rows) + 1)
    counted = raw.execute(f"SELECT count(*) FROM (SELECT 1 FROM {quoted} LIMIT {limit})").fetchone()[0]  # noqa: S608
    return Table(
        max(counted, _analysed_rows(raw, name)), frozenset(column for column, _ in columns), frozenset(indexed)
    )


def _analysed_rows(raw: Any, name: str) -> int:
    """Rows as ANALYZE found them, 0 when it never ran."""
    if raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone() is None:
        return 0
    # The first number of an index's statistics is the number of its rows.
    found = raw.execute("SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = ?", [name]).fetchone()[0]
    return int(found or 0)


def _scanned(nodes: Iterable[Node]) -> Sequence[str]:
    """Relations whose size decides about a finding."""
    names = [node.relation for node in nodes if node.relation is not None and (node.is_scan or node.is_automatic)]
    return list(dict.fromkeys(names))[:_MAX_TABLES]
