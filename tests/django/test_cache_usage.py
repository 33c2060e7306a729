"""Reports of cache use: what happened outside units of work, and what the stores hold."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
from django.core.cache import BaseCache, cache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings
from redis import Redis

from logging_pkg import conf
from logging_pkg.context import active, start_span
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.cache import stores
from logging_pkg.instrumentation.cache.alias import alias_watches
from logging_pkg.instrumentation.cache.usage import report_rest, report_usage, start_usage_reports, stop_usage_reports
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events
from tests.django.cache_backends import KINDS, redis_url, two_caches

__all__ = ["redis_url", "two_caches"]

USAGE = "cache.usage_reported"
Configure = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_used_before() -> None:
    """What other tests did is theirs."""
    for watch in alias_watches():
        watch.take()
        watch.evictions = 0
        watch.backend = watch.store = None


def use_the_cache() -> None:
    """Outside every unit: one hit, one miss, two sets, one delete; within one: another hit and miss."""
    cache.set_many({"alpha": b"x" * 1000, "beta": 1})
    cache.get("alpha")
    cache.get("unknown")
    cache.delete("beta")
    with active(start_span("request", totals=Totals())):
        cache.get_many(["alpha", "unknown"])


BACKENDS = {
    "locmem": "locmem.LocMemCache",
    "redis": "redis.RedisCache",
    "file": "filebased.FileBasedCache",
    "database": "db.DatabaseCache",
}


@pytest.mark.parametrize("kind", KINDS)
def test_use_outside_units_is_reported_per_alias(two_caches: Configure, log_events: LogEvents, kind: str) -> None:
    """Apart from the use in units, which tell of it themselves; together in the totals."""
    two_caches(kind)
    use_the_cache()
    report_usage()
    event = assert_event(
        log_events,
        USAGE,
        count=1,
        alias="default",
        backend="django.core.cache.backends." + BACKENDS[kind],
        hit_count=1,
        miss_count=1,
        set_count=2,
        delete_count=1,
        total_hit_count=2,
        total_miss_count=2,
        total_set_count=2,
        total_delete_count=1,
    )
    assert 0 < event["time_ms"] < event["total_time_ms"]
    assert event["period_s"] > 0
    assert "alpha" not in str(log_events)


def test_each_report_tells_of_the_time_since_the_last(two_caches: Configure, log_events: LogEvents) -> None:
    """Counts begin anew, the store's state does not."""
    two_caches("locmem")
    use_the_cache()
    report_usage()
    caches["twin"].get("a")
    report_usage()
    first, second = [event for event in log_events.named(USAGE) if event["alias"] == "default"]
    assert (first["hit_count"], second["hit_count"], second["total_hit_count"]) == (1, 0, 0)
    assert first["key_count"] == second["key_count"] == 1
    assert second["period_s"] < first["period_s"] + 60
    assert_event(log_events, USAGE, count=1, alias="twin", miss_count=1)


def test_local_memory_tells_keys_bytes_and_evictions(two_caches: Configure, log_events: LogEvents) -> None:
    """Pickled bytes; what was removed to make room for others."""
    two_caches("locmem", OPTIONS={"MAX_ENTRIES": 10, "CULL_FREQUENCY": 2})
    for number in range(12):
        cache.set(f"k{number}", b"x" * 1000)
    report_usage()
    event = assert_event(log_events, USAGE, key_count=7, eviction_count=5, max_size_bytes=None)
    assert 7_000 < event["size_bytes"] < 7_500


def test_local_memory_that_is_emptied_to_make_room_tells_so(two_caches: Configure, log_events: LogEvents) -> None:
    """CULL_FREQUENCY 0 removes all."""
    two_caches("locmem", OPTIONS={"MAX_ENTRIES": 3, "CULL_FREQUENCY": 0})
    for number in range(4):
        cache.add(f"k{number}", 1)
    report_usage()
    assert_event(log_events, USAGE, key_count=1, eviction_count=3)


def test_a_large_store_is_not_summed_up(two_caches: Configure, log_events: LogEvents) -> None:
    """Others wait for its lock; a directory is not read past the limit either."""
    with mock.patch.object(stores, "MAX_ENTRIES", 2):
        for kind in ("locmem", "file"):
            two_caches(kind)
            cache.set_many({"a": 1, "b": 2, "c": 3})
            report_usage()
    assert [(event["key_count"], event["size_bytes"]) for event in log_events.named(USAGE)] == [(3, None), (None, None)]


def test_files_are_counted(two_caches: Configure, log_events: LogEvents, tmp_path: Path) -> None:
    """Those of the cache alone, with their size on disk; one that goes meanwhile, or all of them, is no fault."""
    two_caches("file")
    cache.set("a", os.urandom(2000))
    cache.set("b", 1)
    (tmp_path / "default" / "other.txt").write_text("not an entry")
    report_usage()
    event = assert_event(log_events, USAGE, key_count=2, eviction_count=None)
    assert event["size_bytes"] == sum(path.stat().st_size for path in (tmp_path / "default").glob("*.djcache")) > 2000
    for path in (tmp_path / "default").iterdir():
        path.unlink()
    (tmp_path / "default").rmdir()
    report_usage()
    assert log_events.named(USAGE)[-1]["key_count"] is None


def test_redis_tells_of_its_server(two_caches: Configure, log_events: LogEvents, redis_url: str) -> None:
    """Keys of the database, memory and limit of the server, what it evicted; on a connection of its own, closed again."""
    server = Redis.from_url(redis_url)
    before = server.info("stats")["evicted_keys"]
    two_caches("redis", KEY_PREFIX="p")
    cache.set_many({"a": 1, "b": 2})
    connected = server.info("clients")["connected_clients"]
    try:
        report_usage()
        event = assert_event(log_events, USAGE, key_count=2, max_size_bytes=None, eviction_count=before)
        assert event["size_bytes"] > 100_000
        server.config_set("maxmemory", server.info("memory")["used_memory"] + 500_000)
        server.config_set("maxmemory-policy", "allkeys-random")
        for number in range(300):
            cache.set(f"k{number}", os.urandom(5000))
        report_usage()
        event = log_events.named(USAGE)[-1]
        assert event["eviction_count"] > before
        assert event["max_size_bytes"] == server.info("memory")["maxmemory"]
        assert server.info("clients")["connected_clients"] == connected
    finally:
        server.config_set("maxmemory", 0)
        server.close()


def test_a_backend_without_a_store_we_know_is_unknown(two_caches: Configure, log_events: LogEvents) -> None:
    """Its use is reported all the same."""
    two_caches("dummy")
    cache.get("a")
    report_usage()
    assert_event(log_events, USAGE, key_count=None, size_bytes=None, eviction_count=None, miss_count=1)


@pytest.mark.django_db(transaction=True)
def test_no_query_is_added(two_caches: Configure, log_events: LogEvents, django_assert_num_queries: Any) -> None:
    """A report of a database cache runs no SQL."""
    two_caches("database")
    cache.get("a")
    with django_assert_num_queries(0):
        report_usage()
    assert_event(log_events, USAGE, key_count=None, size_bytes=None, eviction_count=None, miss_count=1)


@pytest.mark.parametrize("location", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock", "nonsense:6379"])
def test_a_redis_that_is_down_is_unknown(log_events: LogEvents, location: str) -> None:
    """Or has an address that cannot work: the application's exception is as ever, the report has none, and no retries."""
    with override_settings(
        CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}}
    ):
        with pytest.raises(Exception, match=r"Error|schemes"):
            cache.get("a")
        with mock.patch("time.sleep") as sleep:
            report_usage()
    assert_event(log_events, USAGE, key_count=None, size_bytes=None, eviction_count=None, hit_count=0, miss_count=0)
    sleep.assert_not_called()


def test_a_redis_that_does_not_answer_holds_the_report_up_for_a_second(log_events: LogEvents) -> None:
    """It accepts the connection, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent, mock.patch.object(stores, "TIMEOUT_S", 0.1):
        location = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        with override_settings(
            CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}}
        ):
            assert caches["default"] is not None
            report_usage()
    assert_event(log_events, USAGE, key_count=None)


class Objects(LocMemCache):
    """A project's own, which stores what it is given instead of a pickle."""

    def set(self, key: str, value: Any, *_: Any, **__: Any) -> None:
        self._cache[key] = value


class Elsewhere(LocMemCache):
    """One that stores somewhere else, and makes room in its own way."""

    def __init__(self, _name: str, params: dict[str, Any]) -> None:
        BaseCache.__init__(self, params)
        self.stored: dict[str, Any] = {}

    def set(self, key: str, value: Any, *_: Any, **__: Any) -> None:
        self.stored[key] = value
        self._cull()

    def _cull(self) -> None:
        self.stored.clear()


@pytest.mark.parametrize(("kind", "evictions"), [(Objects, 0), (Elsewhere, None)])
def test_a_subclass_that_stores_in_its_own_way_is_unknown(
    log_events: LogEvents, kind: type, evictions: int | None
) -> None:
    """It works as ever, and is no fault of ours, which strict mode would raise."""
    with override_settings(CACHES={"default": {"BACKEND": f"{__name__}.{kind.__name__}", "LOCATION": kind.__name__}}):
        cache.set("a", object())
        report_usage()
    assert_event(log_events, USAGE, set_count=1, key_count=None, size_bytes=None, eviction_count=evictions)


def test_caches_nobody_uses_are_not_opened(two_caches: Configure, log_events: LogEvents) -> None:
    """An alias that only settings know has no report and no backend."""
    two_caches("locmem")
    cache.get("a")
    report_usage()
    assert [event["alias"] for event in log_events.named(USAGE)] == ["default"]
    assert not hasattr(caches._connections, "twin")


def test_it_is_reported_from_the_background_thread(two_caches: Configure, log_events: LogEvents) -> None:
    """Every `cache_usage_interval_s`; 0 is off."""
    two_caches("locmem")
    cache.get("a")
    before = conf.settings()
    conf.configure(replace(before, cache_usage_interval_s=0.01))
    try:
        start_usage_reports()
        start_usage_reports()
        background.start()
        deadline = time.monotonic() + 20
        while len(log_events.named(USAGE)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        background.stop()
        conf.configure(before)
    assert len(log_events.named(USAGE)) >= 3
    assert log_events.named(USAGE)[0]["miss_count"] == 1


def test_the_rest_is_reported_at_the_end_if_there_is_any(two_caches: Configure) -> None:
    """Without a look at the store; nothing when the reports are off or nothing was used."""
    two_caches("locmem")
    with capture_events(cache_usage_interval_s=60) as events:
        report_rest()
        assert_no_event(events, USAGE)
        cache.set("a", 1)
    with capture_events(cache_usage_interval_s=0) as events:
        report_rest()
    assert_no_event(events, USAGE)
    with capture_events(cache_usage_interval_s=60) as events:
        report_rest()
        report_rest()
    assert_event(events, USAGE, count=1, set_count=1, key_count=None)


_COMMAND = """
import os, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["logging_pkg.django"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    LOGPIPE={"DIRECTORY": sys.argv[1]},
)
django.setup()
from django.core.cache import cache
cache.set("a", 1)
if os.fork() == 0:
    cache.get("a")
    sys.exit()  # a child ends in order as well
os.wait()
cache.get("a")
cache.get("b")
"""


def test_a_command_tells_what_it_did_when_it_ends(tmp_path: Path) -> None:
    """It has no background thread; a forked child tells of its own use, not its parent's again."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LOGPIPE_", "DJANGO_"))}
    subprocess.run([sys.executable, "-c", _COMMAND, str(tmp_path)], check=True, env=environ, timeout=60)
    events = [
        orjson.loads(line) for path in sorted(tmp_path.rglob("*.ndjson")) for line in path.read_bytes().splitlines()
    ]
    told = sorted(
        (event["set_count"], event["hit_count"], event["miss_count"]) for event in events if event["event"] == USAGE
    )
    assert told == [(0, 1, 0), (1, 1, 1)]


def test_reports_can_be_stopped() -> None:
    """The task goes, and comes back when it is started again."""
    stop_usage_reports()
    try:
        assert "cache usage" not in background._tasks
    finally:
        start_usage_reports()
    assert "cache usage" in background._tasks
