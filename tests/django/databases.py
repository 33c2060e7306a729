"""Databases of a test's own beside the project's: a SQLite file, a schema of a real PostgreSQL.

In: a scratch directory, the server's address. Out: an alias that works in this thread until the block ends.
Never: the project's own database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url
from django.db import connections


@contextmanager
def added_database(alias: str, **settings: Any) -> Iterator[Any]:
    """Add an alias to DATABASES for the length of the block; yields this thread's connection of it."""
    configured = connections.configure_settings({"default": dict(connections.settings["default"]), alias: settings})
    connections.settings[alias] = configured[alias]
    try:
        yield connections[alias]
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


@contextmanager
def sqlite_file(path: Path, alias: str = "other", **settings: Any) -> Iterator[Any]:
    """A database file."""
    with added_database(alias, ENGINE="django.db.backends.sqlite3", NAME=path, **settings) as connection:
        yield connection


@contextmanager
def postgresql_schema(uri: str, alias: str = "other", **settings: Any) -> Iterator[Any]:
    """A schema of its own, the first in the search path, dropped at the end."""
    schema = f"test_{alias}"
    values: dict[str, Any] = {**dj_database_url.parse(uri)}
    options = {**values.get("OPTIONS", {}), **settings.pop("OPTIONS", {}), "options": f"-c search_path={schema}"}
    values |= settings | {"OPTIONS": options}
    with added_database(alias, **values) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        try:
            yield connection
        finally:
            connection.close()
            connection.set_autocommit(True)
            with connection.cursor() as cursor:
                cursor.execute(f"DROP SCHEMA {schema} CASCADE")
