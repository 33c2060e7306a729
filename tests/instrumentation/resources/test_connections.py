"""Open database connections of the process: Django's own, and psycopg's pools."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from django.db.backends.postgresql.base import DatabaseWrapper

from logging_pkg.instrumentation.resources.connections import connection_fields, note_connection


class Connection:
    """As much of Django's as is looked at: the driver's connection, None while closed."""

    def __init__(self) -> None:
        self.connection: object | None = object()


def test_open_connections_are_counted_as_long_as_their_thread_lives() -> None:
    """Closed ones are not, nor those that are gone with their thread; noting one twice changes nothing."""
    before = connection_fields()["db_connection_count"]
    first, second = Connection(), Connection()
    for connection in (first, second, first):
        note_connection(connection)
    assert connection_fields()["db_connection_count"] == before + 2
    first.connection = None
    assert connection_fields()["db_connection_count"] == before + 1
    del second
    gc.collect()
    assert connection_fields()["db_connection_count"] == before


def test_connections_may_come_and_go_meanwhile() -> None:
    """Counting in one thread while others note and drop theirs: no exception, and none left over."""
    before = connection_fields()["db_connection_count"]
    faults: list[BaseException] = []

    def come_and_go() -> None:
        try:
            for _ in range(2_000):
                note_connection(Connection())
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        connection_fields()
    assert faults == []
    assert connection_fields()["db_connection_count"] == before


def test_pools_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what psycopg_pool's get_stats tells (the names are its own); without a pool nothing is told."""
    assert set(connection_fields()) == {"db_connection_count"}

    class Pool:
        def __init__(self, **stats: int) -> None:
            self.get_stats = lambda: stats

    pools: dict[str, Any] = {
        "default": Pool(pool_min=1, pool_max=4, pool_size=4, pool_available=0, requests_waiting=3, requests_num=9),
        "replica": Pool(pool_min=1, pool_max=2, pool_size=1, pool_available=1),
    }
    monkeypatch.setattr(DatabaseWrapper, "_connection_pools", pools)
    fields = connection_fields()
    fields.pop("db_connection_count")
    assert fields == {
        "db_pool_size": 5,
        "db_pool_in_use_count": 4,
        "db_pool_max_size": 6,
        "db_pool_waiting_count": 3,
    }
