"""How large the databases and their largest tables are.

In: the catalogues of PostgreSQL and SQLite. Out: `db.size_sampled` per alias, `db.table_size_sampled` per table.
Never: runs in a request or on its connection, counts a large table, reads a row's content, keeps a connection open.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connections

from logging_pkg import conf
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.database.transactions import WATCH_ATTRIBUTE
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely

#: The largest ones; more are only in the database's own size. The bound of the schema's dimension `table`.
MAX_TABLES = 50
#: Rows SQLite counts at most, some milliseconds; it keeps no count.
MAX_COUNTED_ROWS = 100_000

_TASK = "database size"
_TIMEOUT_S = 5
#: SQLite reads every page of a database to tell the size of its tables: not of one larger than this.
_MAX_DBSTAT_BYTES = 256 * 1024 * 1024
_clock = time.perf_counter_ns

_POSTGRESQL = """
SELECT CASE WHEN namespace.nspname = current_schema() THEN '' ELSE namespace.nspname || '.' END || relation.relname,
  pg_catalog.pg_total_relation_size(relation.oid), relation.reltuples::bigint
FROM pg_catalog.pg_class AS relation JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'm') AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
  AND namespace.nspname NOT LIKE 'pg\\_t%'
ORDER BY 2 DESC, 1
"""
_SQLITE_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_SQLITE_SIZES = """
SELECT objects.tbl_name, SUM(pages.pgsize)
FROM dbstat AS pages JOIN sqlite_schema AS objects ON objects.name = pages.name
WHERE pages.aggregate = TRUE GROUP BY objects.tbl_name
"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table. None is not known."""

    name: str
    size_bytes: int | None
    row_count: int | None
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """One database, its largest tables first."""

    size_bytes: int
    table_count: int
    tables: tuple[TableSize, ...]
    disk_free_bytes: int | None


def start_size_samples() -> None:
    """Emit sizes every `database_size_interval_s` from the background thread, on connections of their own. Idempotent.

    For one long-running program of a project, a worker: what each process says of a database would be the same.
    """
    background.every(_TASK, _interval_s, _report, at_once=True, may_block=True)
    background.start()


def stop_size_samples() -> None:
    """Emit no more. For tests and orderly ends."""
    background.cancel(_TASK)


def _interval_s() -> float:
    return conf.settings().database_size_interval_s


def _report() -> None:
    report_sizes()


def report_sizes() -> list[str]:
    """Look at every alias once and emit; returns the aliases that could not be asked (down, refused, too slow)."""
    failed = []
    for alias in connections:
        try:
            report_size(alias)
        except DatabaseError:
            failed.append(alias)
    return failed


def report_size(alias: str) -> DatabaseSize | None:
    """Look at one database and emit; None for a vendor whose catalogue is not known.

    Raises:
        DatabaseError: it could not be asked, or took longer than 5 s.
    """
    started = _clock()
    with _own_connection(alias) as connection:
        ask = _ASK.get(connection.vendor)
        if ask is None:
            return None
        with connection.cursor() as cursor:
            found = ask(cursor, connection)
        vendor = connection.vendor
    limit = conf.settings().database_max_bytes or None
    left = [found.disk_free_bytes, None if limit is None else max(0, limit - found.size_bytes)]
    known = [bytes_left for bytes_left in left if bytes_left is not None]
    emit_safely(
        "db.size_sampled",
        {
            "alias": alias,
            "vendor": vendor,
            "size_bytes": found.size_bytes,
            "table_count": found.table_count,
            "limit_bytes": limit,
            "disk_free_bytes": found.disk_free_bytes,
            "left_bytes": min(known, default=None),
            "duration_ms": milliseconds(_clock() - started),
        },
    )
    for table in found.tables:
        emit_safely(
            "db.table_size_sampled",
            {
                "alias": alias,
                "vendor": vendor,
                "table": table.name[-130:],
                "size_bytes": table.size_bytes,
                "row_count": table.row_count,
                "is_estimate": int(table.is_estimate),
            },
        )
    return found


@contextmanager
def _own_connection(alias: str) -> Iterator[Any]:
    """A connection that nobody counts, times or logs, closed at the end."""
    connection: Any = connections.create_connection(alias)
    connection.settings_dict = dict(connection.settings_dict)  # it is the application's
    setattr(connection, WATCH_ATTRIBUTE, False)
    connection.make_debug_cursor = connection.make_cursor
    options = connection.settings_dict["OPTIONS"] = dict(connection.settings_dict.get("OPTIONS") or {})
    options.pop("pool", None)  # the application's connections are the application's
    if connection.vendor == "postgresql":
        options["options"] = f"{options.get('options', '')} -c statement_timeout={_TIMEOUT_S}s".strip()
        options["connect_timeout"] = _TIMEOUT_S
    try:
        # Django's `connect` without connection_created: receivers would take it for the application's.
        with connection.wrap_database_errors:
            connection.connection = connection.get_new_connection(connection.get_connection_params())
            connection.set_autocommit(True)
            connection.init_connection_state()
        yield connection
    finally:
        with suppress(DatabaseError):
            connection.close()


def _ask_postgresql(cursor: Any, _connection: Any) -> DatabaseSize:
    cursor.execute("SELECT pg_catalog.pg_database_size(current_database())")
    size = int(cursor.fetchone()[0])
    cursor.execute(_POSTGRESQL)
    rows = cursor.fetchall()
    # reltuples is -1 for a table that was never analysed.
    tables = (TableSize(name, int(size), None if rows < 0 else rows, True) for name, size, rows in rows[:MAX_TABLES])
    return DatabaseSize(size, len(rows), tuple(tables), None)


def _ask_sqlite(cursor: Any, connection: Any) -> DatabaseSize:
    deadline = time.monotonic() + _TIMEOUT_S
    connection.connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    size = int(cursor.fetchone()[0])
    cursor.execute(_SQLITE_TABLES)
    names = [str(name) for (name,) in cursor.fetchall()]
    sizes: dict[str, int] = {}
    if size <= _MAX_DBSTAT_BYTES:
        with suppress(DatabaseError):  # this SQLite was built without dbstat
            cursor.execute(_SQLITE_SIZES)
            sizes = {name: int(used) for name, used in cursor.fetchall()}
    largest = sorted(names, key=lambda name: (-sizes.get(name, 0), name))[:MAX_TABLES]
    tables = tuple(TableSize(name, sizes.get(name), _count(cursor, name), False) for name in largest)
    return DatabaseSize(size, len(names), tables, _disk_free(connection.settings_dict["NAME"]))


def _count(cursor: Any, table: str) -> int | None:
    # Django's quote_name leaves a quote within a name as it is.
    quoted = '"' + table.replace('"', '""') + '"'
    cursor.execute(f"SELECT COUNT(*) FROM (SELECT 1 FROM {quoted} LIMIT {MAX_COUNTED_ROWS + 1})")  # noqa: S608
    rows = int(cursor.fetchone()[0])
    return rows if rows <= MAX_COUNTED_ROWS else None


def _disk_free(name: Any) -> int | None:
    """Free space where a database file is; None for one in memory."""
    try:
        if not Path(name).is_file():
            return None
        found = os.statvfs(name)
    except (OSError, TypeError, ValueError):
        return None
    return found.f_bavail * found.f_frsize


_ASK = {"postgresql": _ask_postgresql, "sqlite": _ask_sqlite}
