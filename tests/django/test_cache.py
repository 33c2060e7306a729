"""Caches: every operation counted once and for what it was, and nothing else about them changed."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import inspect
import pickle
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.core.cache import CacheHandler, InvalidCacheKey, cache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from logging_pkg.context import active, carry_context, start_span
from logging_pkg.instrumentation.cache.calls import CacheCall, Get, GetMany, running
from logging_pkg.instrumentation.cache.watch import alias_watch, register_read_listener, watch_caches
from logging_pkg.instrumentation.totals import CacheTotals, Totals
from logging_pkg.testing import LogEvents, assert_event, capture_events
from logging_pkg.writer import get_writer
from tests.django.cache_backends import KINDS, bare, redis_url, two_caches

__all__ = ["redis_url", "two_caches"]

REQUEST = "http.request_finished"
FALSY = [None, 0, "", False, [], 0.0]
Configure = Callable[..., None]


# -- views --


def many_operations(request: HttpRequest) -> HttpResponse:
    """Three hits, two misses, two sets, one delete."""
    cache.set("a", None)
    cache.get("a"), cache.get("b"), cache.get_many(["a", "c"])
    cache.get_or_set("a", 1)
    cache.set("b", 1)
    cache.delete("b")
    return HttpResponse("ok")


async def many_operations_async(request: HttpRequest) -> HttpResponse:
    """The same."""
    await cache.aset("a", None)
    await cache.aget("a"), await cache.aget("b"), await cache.aget_many(["a", "c"])
    await cache.aget_or_set("a", 1)
    await cache.aset("b", 1)
    await cache.adelete("b")
    return HttpResponse("ok")


urlpatterns = [path("cache/", many_operations), path("cache-async/", many_operations_async)]


@pytest.fixture
def views(settings: Any) -> None:
    """The views above."""
    settings.ROOT_URLCONF = __name__


# -- counting --


@contextmanager
def unit() -> Iterator[Totals]:
    """A unit of work, and its totals."""
    totals = Totals()
    with active(start_span("request", totals=totals)):
        yield totals


def counts(totals: Totals, alias: str = "default") -> tuple[int, int, int, int]:
    """Hits, misses, sets, deletes."""
    use = totals.caches.get(alias) or CacheTotals()
    return use.hits, use.misses, use.sets, use.deletes


#: What is done to a cache that holds a=None, b=0, n=5; its hits, misses, sets and deletes; the same for its async twin.
COUNTED: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, int, int, int]]] = {
    "get found None": ("get", ("a",), {}, (1, 0, 0, 0)),
    "get found 0 with a default": ("get", ("b", 7), {}, (1, 0, 0, 0)),
    "get found 0 with 0 as default": ("get", ("b", 0), {}, (1, 0, 0, 0)),
    "get found None with a named default": ("get", (), {"key": "a", "default": None}, (1, 0, 0, 0)),
    "get missed": ("get", ("x",), {}, (0, 1, 0, 0)),
    "get missed with a default": ("get", ("x", 7), {}, (0, 1, 0, 0)),
    "get of another version": ("get", ("a", None, 2), {}, (0, 1, 0, 0)),
    "get_many": ("get_many", (["a", "b", "x", "y", "z"],), {}, (2, 3, 0, 0)),
    "get_many of a named set": ("get_many", (), {"keys": {"a", "x"}}, (1, 1, 0, 0)),
    "get_or_set found None": ("get_or_set", ("a", 1), {}, (1, 0, 0, 0)),
    "get_or_set missed": ("get_or_set", ("x", 1), {}, (0, 1, 1, 0)),
    "get_or_set missed, stores None": ("get_or_set", ("x", None), {}, (0, 1, 1, 0)),
    "get_or_set with a named callable": ("get_or_set", (), {"key": "x", "default": dict}, (0, 1, 1, 0)),
    "add new": ("add", ("x", 1), {}, (0, 0, 1, 0)),
    "add known": ("add", ("a", 1), {}, (0, 0, 0, 0)),
    "set": ("set", ("x", None), {}, (0, 0, 1, 0)),
    "set_many": ("set_many", ({"x": 1, "y": None},), {}, (0, 0, 2, 0)),
    "set_many of nothing": ("set_many", ({},), {}, (0, 0, 0, 0)),
    "delete": ("delete", ("a",), {}, (0, 0, 0, 1)),
    "delete of nothing": ("delete", ("x",), {}, (0, 0, 0, 0)),
    "delete_many": ("delete_many", (["a", "b"],), {}, (0, 0, 0, 2)),
    "incr": ("incr", ("n",), {"delta": 2}, (1, 0, 1, 0)),
    "decr": ("decr", ("n",), {}, (1, 0, 1, 0)),
    "touch": ("touch", ("a", 9), {}, (1, 0, 0, 0)),
    "touch of nothing": ("touch", ("x",), {}, (0, 1, 0, 0)),
    "has_key": ("has_key", ("a",), {}, (1, 0, 0, 0)),
    "has_key of nothing": ("has_key", ("x",), {}, (0, 1, 0, 0)),
    "incr_version": ("incr_version", ("n",), {}, (1, 0, 1, 1)),
    "decr_version": ("decr_version", ("n",), {"delta": 2}, (1, 0, 1, 1)),
    "clear": ("clear", (), {}, (0, 0, 0, 1)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", COUNTED)
def test_what_an_operation_counts_as(two_caches: Configure, kind: str, name: str) -> None:
    """Once, whatever the backend makes of it, and a stored None, 0 or "" is a hit."""
    two_caches(kind)
    method, args, kwargs, expected = COUNTED[name]
    cache.set_many({"a": None, "b": 0, "n": 5})
    with unit() as totals:
        getattr(cache, method)(*args, **kwargs)
    assert counts(totals) == expected
    assert totals.caches.keys() <= {"default"}
    assert all(use.nanoseconds > 0 for use in totals.caches.values())


@pytest.mark.parametrize("kind", KINDS)
async def test_async_methods_count_as_their_sync_twins(two_caches: Configure, kind: str) -> None:
    """`aget` runs `get` in another thread: once all the same."""
    await asyncio.to_thread(two_caches, kind)
    for name, (method, args, kwargs, expected) in COUNTED.items():
        await cache.aclear()
        await cache.aset_many({"a": None, "b": 0, "n": 5})
        with unit() as totals:
            await getattr(cache, f"a{method}")(*args, **kwargs)
        assert counts(totals) == expected, name


@pytest.mark.parametrize("kind", ["locmem", "redis", "file"])
def test_the_in_operator_counts_as_has_key(two_caches: Configure, kind: str) -> None:
    """Python looks `__contains__` up past the instance; what it calls is counted."""
    two_caches(kind)
    cache.set("a", None)
    with unit() as totals:
        assert "a" in cache
        assert "x" not in caches["default"]
    assert counts(totals) == (1, 1, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_is_falsy_is_a_hit(two_caches: Configure, kind: str) -> None:
    """In get, get_many and get_or_set, and it comes back as it was stored."""
    two_caches(kind)
    for number, value in enumerate(FALSY):
        cache.set(f"k{number}", value)
    with unit() as totals:
        for number, value in enumerate(FALSY):
            assert cache.get(f"k{number}", "default") == value
            assert cache.get_or_set(f"k{number}", "default") == value
        assert list(cache.get_many([f"k{number}" for number in range(len(FALSY))]).values()) == FALSY
    assert counts(totals) == (3 * len(FALSY), 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_from_a_generator_are_read_once_by_the_backend(two_caches: Configure, kind: str) -> None:
    """And counted as they pass; a key asked for twice is one."""
    two_caches(kind)
    cache.set_many({"a": 1, "b": 2})
    with unit() as totals:
        assert cache.get_many(key for key in "abxy") == {"a": 1, "b": 2}
        assert cache.get_many(keys=iter(["a", "x"])) == {"a": 1}
    assert counts(totals) == (3, 3, 0, 0)
    with unit() as totals:
        cache.delete_many(key for key in ["a", "b"])
    assert counts(totals) == (0, 0, 0, 2)
    assert cache.get_many("ab") == {}


def test_a_key_named_twice_is_asked_for_once(two_caches: Configure) -> None:
    """Two of the same in a list are no miss, whether the backend has a get_many of its own or not."""
    two_caches("redis")
    cache.set("a", 1)
    with unit() as totals:
        assert cache.get_many(["a", "a", "x"]) == {"a": 1}
    assert counts(totals) == (1, 1, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_miss_that_raises_is_a_miss(two_caches: Configure, kind: str) -> None:
    """incr, decr and incr_version tell it by ValueError, which passes as it is; a wrong value is no miss."""
    two_caches(kind)
    cache.set("text", "not a number")
    for method in ("incr", "decr", "incr_version", "decr_version"):
        with unit() as totals, pytest.raises(ValueError, match=r"^Key .*x.* not found"):
            getattr(cache, method)("x")
        assert counts(totals) == (0, 1, 0, 0)
    with unit() as totals, pytest.raises(Exception, match=r"concatenate|integer"):
        cache.incr("text")
    assert (totals.caches["default"].misses, totals.caches["default"].sets) == (0, 0)


def test_a_key_that_is_refused_is_no_miss(two_caches: Configure) -> None:
    """As Memcached refuses some, by a ValueError of its own kind."""
    two_caches("locmem")
    with mock.patch.object(LocMemCache, "validate_key", side_effect=InvalidCacheKey("refused")), unit() as totals:
        for method in ("incr", "get", "delete"):
            with pytest.raises(InvalidCacheKey, match="refused"):
                getattr(cache, method)("a")
    assert counts(totals) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_default_of_get_or_set_is_the_projects_code(two_caches: Configure, kind: str) -> None:
    """What it does with the cache counts for itself, and the time it takes is not the cache's."""
    two_caches(kind)
    waited = threading.Event()

    def default() -> str:
        cache.get("inner")
        cache.set("inner", 1)
        waited.wait(0.2)
        return "made"

    with unit() as totals:
        assert cache.get_or_set("outer", default) == "made"
    assert counts(totals) == (0, 2, 2, 0)
    assert totals.caches["default"].nanoseconds < 200_000_000
    with unit() as totals:
        assert cache.get_or_set("outer", default) == "made"
    assert counts(totals) == (1, 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_get_or_set_that_loses_the_race_is_a_miss_and_no_set(two_caches: Configure, kind: str) -> None:
    """Another caller stores first: `add` stores nothing, and theirs is returned."""
    two_caches(kind)
    other = bare("default")

    def default() -> str:
        other.set("new", "theirs")
        return "ours"

    with unit() as totals:
        assert cache.get_or_set("new", default) == "theirs"
    assert counts(totals) == (0, 1, 0, 0)


def test_a_default_that_raises_leaves_a_miss(two_caches: Configure) -> None:
    """Its exception passes, and the next operation is counted as ever."""
    two_caches("locmem")
    with unit() as totals:
        with pytest.raises(LookupError, match="theirs"):
            cache.get_or_set("x", mock.Mock(side_effect=LookupError("theirs")))
        cache.get("x")
    assert counts(totals) == (0, 2, 0, 0)
    assert running.get() is None


@pytest.mark.django_db(transaction=True)
def test_a_database_caches_queries_count_as_queries_as_before(two_caches: Configure) -> None:
    """One cache operation, and each of its statements."""
    two_caches("database")
    with unit() as totals:
        cache.get("x")
    assert counts(totals) == (0, 1, 0, 0)
    assert totals.query_count == 1


def test_dummy_cache(two_caches: Configure) -> None:
    """Stores nothing, says so, and is counted by what it says."""
    two_caches("dummy")
    with unit() as totals:
        assert cache.get("a", 3) == 3
        assert cache.set("a", 1) is None
        assert cache.add("a", 1) is True
        assert cache.get_or_set("a", 5) == 5
        assert cache.delete("a") is False
    assert counts(totals) == (0, 2, 3, 0)


# -- where --


@pytest.mark.usefixtures("views")
@pytest.mark.parametrize("kind", KINDS)
def test_a_request_tells_its_cache_use(two_caches: Configure, client: Client, log_events: LogEvents, kind: str) -> None:
    """Summed, and per alias."""
    two_caches(kind)
    client.get("/cache/")
    event = assert_event(
        log_events, REQUEST, cache_hit_count=3, cache_miss_count=2, cache_set_count=2, cache_delete_count=1
    )
    (use,) = event["caches"]
    assert use["alias"] == "default"
    assert (use["hit_count"], use["miss_count"], use["set_count"], use["delete_count"]) == (3, 2, 2, 1)
    assert use["time_ms"] == event["cache_time_ms"] > 0
    assert "hunter2" not in str(event)


@pytest.mark.usefixtures("views")
@pytest.mark.parametrize("kind", KINDS)
async def test_an_async_request_tells_its_cache_use(
    two_caches: Configure, async_client: AsyncClient, log_events: LogEvents, kind: str
) -> None:
    """The same, through the threads that Django uses for it."""
    await asyncio.to_thread(two_caches, kind)
    await async_client.get("/cache-async/")
    assert_event(log_events, REQUEST, cache_hit_count=3, cache_miss_count=2, cache_set_count=2, cache_delete_count=1)


def test_tasks_and_threads_of_a_unit_count_for_it(two_caches: Configure) -> None:
    """40 tasks at once, each with its own backends."""
    two_caches("locmem")

    async def one(number: int) -> None:
        await cache.aset(f"k{number}", number)
        await asyncio.to_thread(cache.get, f"k{number}")

    async def all_of_them() -> None:
        await asyncio.gather(*(one(number) for number in range(40)))

    with unit() as totals:
        asyncio.run(all_of_them())
    assert counts(totals) == (40, 0, 40, 0)


def test_aliases_are_told_apart_and_outer_units_count_too(two_caches: Configure) -> None:
    """A nested unit's operations are the outer one's as well."""
    two_caches("locmem")
    with unit() as outer:
        inner = Totals(outer)
        with active(start_span(totals=inner)):
            caches["twin"].get("a")
        caches["default"].set("a", 1)
    assert (counts(inner, "twin"), counts(inner)) == ((0, 1, 0, 0), (0, 0, 0, 0))
    assert (counts(outer, "twin"), counts(outer)) == ((0, 1, 0, 0), (0, 0, 1, 0))
    assert outer.overhead_nanoseconds > inner.overhead_nanoseconds > 0


def test_outside_every_unit_an_alias_counts_for_itself(two_caches: Configure) -> None:
    """Neither lost nor counted for a unit."""
    two_caches("locmem")
    alias_watch("default").take()
    cache.set("a", 1)
    with unit():
        cache.get("a")
    inside, outside = alias_watch("default").take()
    assert (inside.hits, inside.sets) == (1, 0)
    assert (outside.hits, outside.sets) == (0, 1)
    assert alias_watch("default").take() == (CacheTotals(), CacheTotals())


def test_backends_made_later_are_watched(two_caches: Configure) -> None:
    """In a new thread, under changed settings, and again after those."""
    two_caches("locmem")
    with unit() as totals:
        thread = threading.Thread(target=carry_context(lambda: cache.get("a")))
        thread.start()
        thread.join()
        with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}):
            cache.get("a")
        cache.get("a")
    assert counts(totals) == (0, 3, 0, 0)


def test_watching_twice_counts_once(two_caches: Configure) -> None:
    """Idempotent."""
    two_caches("locmem")
    watch_caches()
    watch_caches()
    with unit() as totals:
        cache.get("a")
    assert counts(totals) == (0, 1, 0, 0)


def test_backends_open_before_are_watched() -> None:
    """What a thread had already used is found when watching begins."""
    fresh = CacheHandler({"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
    early = fresh["default"]
    with mock.patch("logging_pkg.instrumentation.cache.watch.caches", fresh):
        watch_caches()
    with unit() as totals:
        early.get("a")
    assert counts(totals) == (0, 1, 0, 0)


# -- backends of other kinds --


def test_a_projects_own_get_is_given_its_own_default(two_caches: Configure) -> None:
    """It may look at what it is given and gets: no sentinel of ours may pass through it."""
    two_caches("ProjectCache")
    with unit() as totals:
        assert cache.get("x") == "fallback of x"
        assert cache.get("x", 5) == 5
        cache.set("x", 0)
        assert cache.get("x") == 0
    assert counts(totals) == (2, 1, 1, 0)


@pytest.mark.parametrize("kind", ["OwnClientCache", "OwnClientPropertyCache"])
def test_a_projects_own_client_is_given_the_callers_default(two_caches: Configure, kind: str) -> None:
    """Below Django's `get`; and counted as a `get` of a project's own is."""
    two_caches(kind)
    cache.set("a", 1)
    with unit() as totals:
        assert cache.get("x") == bare("default").get("x") == "the client's own"
        assert cache.get("x", 3) == bare("default").get("x", 3) == 3
        assert cache.get("a") == 1
    assert counts(totals) == (2, 1, 0, 0)


def test_a_projects_own_methods_are_made_of_counted_ones(two_caches: Configure) -> None:
    """`pop` is a get and a delete; an override that calls Django's method is that operation, once."""
    two_caches("ProjectCache")
    with unit() as totals:
        assert cache.get_or_set("x", 5) == 5
    assert counts(totals)[2:] == (1, 0)
    with unit() as totals:
        assert cache.pop("x") == 5
    assert counts(totals) == (1, 0, 0, 1)


async def test_async_methods_of_a_projects_own_count_once(two_caches: Configure) -> None:
    """Though they call sync ones, and Django's async ones call them."""
    two_caches("AsyncProjectCache")
    await cache.aset("a", None)
    with unit() as totals:
        assert await cache.aget("a", 3) is None
        assert await cache.aget("x", 3) == 3
        assert await cache.aget_or_set("a", 3) is None
    assert counts(totals) == (2, 1, 0, 0)
    with unit() as totals:
        assert await cache.aget_or_set("new", 3) == 3
        assert await cache.aadd("new", 4) is False
    assert counts(totals) == (0, 1, 1, 0)
    with mock.patch.object(Get, "__init__", side_effect=LookupError("ours")), capture_events(strict=False):
        assert await cache.aget("new") == 3


async def test_a_coroutine_that_is_dropped_half_way_leaves_nothing_behind(two_caches: Configure) -> None:
    """What comes after it is counted, in its context and in others."""
    two_caches("AsyncProjectCache")
    dropped = cache.aget("a")
    dropped.send(None)
    assert running.get() is not None
    dropped.close()
    assert running.get() is None
    elsewhere = contextvars.copy_context()
    dropped = cache.aget("a")
    elsewhere.run(dropped.send, None)
    other = CacheCall("default", (), {}, None)  # under way where the garbage collector comes by
    running.set(other)
    dropped.close()
    assert running.get() is other
    running.set(None)
    with unit() as totals:
        cache.get("a")
    assert counts(totals) == (0, 1, 0, 0)


async def test_a_backend_with_other_signatures_works(two_caches: Configure) -> None:
    """Arguments Django does not know, results that tell failures, and async methods that are no wrappers."""
    two_caches("OtherShape")

    async def default() -> str:
        assert cache.get("seen") is None
        return "made"

    backend = caches["default"]
    with unit() as totals:
        assert backend.set("a", 1) is True
        assert backend.set("b", None) is True
        assert backend.set("c", 1) is False
        assert backend.get("a", 3) == 1
        assert backend.get(name="a", strict=True) == 1
        with pytest.raises(KeyError, match="zz"):
            backend.get("zz", strict=True)
        assert backend.get("zz", 3) is None
    assert counts(totals) == (2, 1, 2, 0)
    with unit() as totals:
        assert await cache.aget("a") == 1
        assert await cache.aget("zz", 4) == 4
        assert await cache.aget_or_set("made", default) == "made"
        assert await cache.aget_or_set("made", default) == "made"
        assert await cache.aget_many(["a", "zz"]) == {"a": 1}
    assert counts(totals) == (3, 4, 1, 0)


def test_one_cache_behind_another_is_counted_as_its_own(two_caches: Configure) -> None:
    """A tiered backend: each alias has its hits and misses."""

    class Tiered(LocMemCache):
        def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
            return caches["twin"].get(key, super().get(key, default, version), version)

    two_caches("locmem")
    with (
        mock.patch(f"{__name__}.Tiered", Tiered, create=True),
        override_settings(
            CACHES={
                "default": {"BACKEND": f"{__name__}.Tiered"},
                "twin": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "twin"},
            }
        ),
        unit() as totals,
    ):
        caches["twin"].set("a", 1)
        assert cache.get("a") == 1
    assert counts(totals, "twin") == (1, 0, 1, 0)
    assert counts(totals) == (1, 0, 0, 0)


# -- nothing changed --


def _outcome(operation: Callable[[Any], Any], backend: Any) -> tuple[Any, ...]:
    """Result or exception, and warnings with the line they are told of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result: tuple[Any, ...] = ("returned", operation(backend))
        except Exception as error:
            result = ("raised", type(error), str(error), type(error.__cause__), type(error.__context__))
    return *result, [(item.category, str(item.message), item.filename, item.lineno) for item in told]


OPERATIONS: list[Callable[[Any], Any]] = [
    lambda c: c.set("a", None),
    lambda c: c.get("a"),
    lambda c: c.get("a", "default"),
    lambda c: c.get("x"),
    lambda c: c.get("x", default="default"),
    lambda c: c.get("x", "default", 2),
    lambda c: c.get(key="x", version=2, default=()),
    lambda c: c.get(),
    lambda c: c.get("x", 1, 2, 3),
    lambda c: c.get("x", 1, default=2),
    lambda c: c.get("x", wrong=1),
    lambda c: c.get("a key with spaces", 3),
    lambda c: c.get("long" * 100),
    lambda c: c.get(3),
    lambda c: c.set("a key with spaces", 3),
    lambda c: c.set("unpicklable", lambda: 0),
    lambda c: c.set("a", 1, "soon"),
    lambda c: c.set("gone", 1, 0),
    lambda c: c.get("gone", "default"),
    lambda c: c.set("a", [1, {"b": None}], version=7),
    lambda c: c.get("a", version=7),
    lambda c: c.get_many(["a", "x", "a"]),
    lambda c: c.get_many([]),
    lambda c: c.get_many(iter(())),
    lambda c: c.get_many(key for key in ["a", "x"]),
    lambda c: c.get_many(1 / (3 - number) for number in range(5)),
    lambda c: c.get_many(None),
    lambda c: c.get_many([["unhashable"]]),
    lambda c: c.set_many({"m": 1, "n": None}),
    lambda c: c.set_many({}),
    lambda c: c.set_many(None),
    lambda c: c.get_or_set("m", 5),
    lambda c: c.get_or_set("o", lambda: None),
    lambda c: c.get_or_set("o", lambda: 1 / 0),
    lambda c: c.get_or_set("p", lambda: 1 / 0),
    lambda c: c.get_or_set("p", list),
    lambda c: c.get_or_set("p"),
    lambda c: c.get_or_set("q", 5, 60, 3),
    lambda c: c.add("m", 1),
    lambda c: c.add("r", 1),
    lambda c: c.incr("r", 4),
    lambda c: c.decr("r"),
    lambda c: c.incr("x"),
    lambda c: c.incr("n"),
    lambda c: c.incr_version("r"),
    lambda c: c.get("r", version=2),
    lambda c: c.decr_version("r", version=2),
    lambda c: c.incr_version("x"),
    lambda c: c.touch("r", 100),
    lambda c: c.touch("x"),
    lambda c: c.has_key("r"),
    lambda c: "r" in c,
    lambda c: "x" in c,
    lambda c: c.delete("r"),
    lambda c: c.delete("r"),
    lambda c: c.delete_many(["m", "x"]),
    lambda c: c.delete_many([]),
    lambda c: c.delete_many(iter(())),
    lambda c: c.delete_many(key for key in ["n"]),
    lambda c: c.get_many(["m", "n", "o", "p"]),
    lambda c: c.clear(),
    lambda c: c.close(),
    lambda c: c.no_such_method(),
    lambda c: c.make_key("k", 3),
    repr,
    lambda c: type(c).__name__,
    lambda c: str(inspect.signature(c.get)),
    lambda c: str(inspect.signature(c.get_or_set)),
    lambda c: str(inspect.signature(c.aget_many)),
    lambda c: [inspect.iscoroutinefunction(getattr(c, name)) for name in ("get", "aget", "aget_or_set")],
    lambda c: (c.get.__name__, c.get.__doc__, c.get.__qualname__, c.get.__module__),
    lambda c: c.get_or_set("a", wrong=1),
]


@pytest.mark.parametrize("kind", [*KINDS, "dummy", "ProjectCache"])
@pytest.mark.parametrize("options", [{}, {"VERSION": 4, "KEY_PREFIX": "p", "TIMEOUT": None}], ids=["plain", "prefixed"])
def test_results_exceptions_and_warnings_are_those_of_an_unwatched_twin(
    two_caches: Configure, kind: str, options: dict[str, Any]
) -> None:
    """Every operation in turn, on two stores that start empty."""
    two_caches(kind, **options)
    watched, twin = caches["default"], bare("twin")
    for number, operation in enumerate(OPERATIONS):
        if operation is repr:
            continue  # holds an address
        expected = _outcome(operation, twin)
        with unit():
            assert _outcome(operation, watched) == expected, (number, inspect.getsource(operation))
    twin.close()


def test_a_backend_is_what_it_was(two_caches: Configure) -> None:
    """Class, attributes, the proxy; `repr` is Python's own."""
    two_caches("locmem")
    backend = caches["default"]
    assert type(backend) is LocMemCache
    assert isinstance(backend, LocMemCache)
    assert repr(backend).startswith("<django.core.cache.backends.locmem.LocMemCache object at 0x")
    assert isinstance(backend._cache, dict)
    assert cache == backend
    backend.version = 9
    cache.set("a", 1)
    assert bare("default").get("a", version=9) == 1
    assert LocMemCache.get is vars(LocMemCache)["get"]
    assert not hasattr(LocMemCache.get, "__wrapped__")


def test_a_copy_or_pickle_of_a_backend_is_a_backend(two_caches: Configure) -> None:
    """Of its class, with its attributes, and independent of the one it came from."""
    two_caches("dummy")
    backend = caches["default"]
    for made in (copy.copy(backend), copy.deepcopy(backend), pickle.loads(pickle.dumps(backend))):
        assert type(made) is DummyCache
        assert vars(made).keys() == vars(bare("default")).keys()
        assert made.get("a", 3) == 3
    assert pickle.loads(pickle.dumps(backend.get))("a", 3) == 3
    two_caches("file")
    assert pickle.loads(pickle.dumps(caches["default"].set))("a", 3) is None
    assert cache.get("a") == 3


def test_a_backend_goes_when_it_is_dropped(two_caches: Configure) -> None:
    """No circle keeps it, and with it its connections, until the garbage collector comes by."""
    two_caches("locmem")
    gc.disable()
    try:
        backend = caches.create_connection("default")
        backend.set("a", 1)
        seen = weakref.ref(backend)
        get = backend.get
        del backend
        assert seen() is None
        assert get("a") == 1  # a bound method goes on
    finally:
        gc.enable()


def test_methods_replaced_by_tests_and_tools_are_called(two_caches: Configure) -> None:
    """On the class, on the instance, before and after watching: they get the caller's own arguments."""
    two_caches("locmem")
    with mock.patch.object(LocMemCache, "get", return_value="patched") as patched, unit() as totals:
        assert cache.get("a", 3) == "patched"
    patched.assert_called_once_with("a", 3)
    with mock.patch.object(LocMemCache, "get", autospec=True, return_value="patched") as patched:
        assert cache.get("a") == "patched"
    patched.assert_called_once_with(caches["default"], "a")
    with mock.patch.object(caches["default"], "get", return_value="patched"):
        assert cache.get("a") == "patched"
    cache.set("a", 1)
    assert cache.get("a") == 1
    assert counts(totals) == (1, 0, 0, 0)


def test_a_tool_that_has_wrapped_the_instance_first_is_kept() -> None:
    """As error trackers and the debug toolbar do in `create_connection`."""
    seen: list[tuple[Any, ...]] = []
    create = CacheHandler.create_connection

    def wrapping(self: CacheHandler, alias: str) -> Any:
        backend = create(self, alias)
        inner = backend.get
        backend.get = lambda *args, **kwargs: seen.append((args, kwargs)) or inner(*args, **kwargs)
        return backend

    with (
        mock.patch.object(CacheHandler, "create_connection", wrapping),
        override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}),
        unit() as totals,
    ):
        assert cache.get("never-stored", 3) == 3
        assert vars(copy.copy(caches["default"]))["get"].__name__ == "<lambda>"
    assert seen == [(("never-stored", 3), {})]
    assert counts(totals) == (0, 1, 0, 0)


def test_a_fault_of_ours_does_not_reach_the_caller(two_caches: Configure) -> None:
    """Counted as failed in production, raised in strict mode; the operation is as ever."""
    two_caches("redis")
    cache.set("a", 1)
    for broken in ("__init__", "_finish"):
        with mock.patch.object(GetMany, broken, side_effect=LookupError("ours")):
            with capture_events(strict=False), unit() as totals:
                before = get_writer().faults
                assert cache.get_many(["a", "x"]) == {"a": 1}
                assert get_writer().faults == before + 1
            with capture_events(strict=True), pytest.raises(LookupError, match="ours"):
                cache.get_many(["a", "x"])
        assert running.get() is None
        assert counts(totals) == (0, 0, 0, 0)


def test_a_cancelled_operation_leaves_nothing_behind() -> None:
    """The exception passes, and the task's later operations are counted."""

    class Slow(DummyCache):
        async def aget(self, *_: Any, **__: Any) -> Any:
            await asyncio.sleep(60)

    async def story() -> None:
        task = asyncio.ensure_future(cache.aget("a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cache.aget("a"), 0.001)
        assert running.get() is None
        await cache.aset("a", 1)

    with (
        mock.patch(f"{__name__}.Slow", Slow, create=True),
        override_settings(CACHES={"default": {"BACKEND": f"{__name__}.Slow"}}),
        unit() as totals,
    ):
        asyncio.run(story())
    assert counts(totals) == (0, 0, 1, 0)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_a_process_while_a_call_is_counted_leaves_nothing_behind(
    two_caches: Configure, stop: type[BaseException]
) -> None:
    """A signal handler's exception comes anywhere; whoever catches it finds later operations counted."""
    two_caches("locmem")
    with mock.patch.object(Get, "_finish", side_effect=stop), pytest.raises(stop):
        cache.get("a")
    assert running.get() is None


def test_a_cache_may_be_used_where_its_use_is_being_counted(two_caches: Configure) -> None:
    """By a signal handler or a finaliser, which run between any two steps of ours: they do not wait for ever."""
    two_caches("locmem")
    cache.get("a")
    finished = threading.Event()

    def interrupted() -> None:
        with alias_watch("default").lock:
            cache.get("a")
        finished.set()

    threading.Thread(target=interrupted, daemon=True).start()
    assert finished.wait(10)


# -- told to others --


@pytest.fixture
def reads() -> Iterator[list[tuple[str, int | None]]]:
    """What a listener of `default` was told."""
    told: list[tuple[str, int | None]] = []
    register_read_listener("default", lambda key, version: told.append((key, version)))
    yield told
    register_read_listener("default", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_listener_is_told_of_each_value_handed_out(
    two_caches: Configure, reads: list[tuple[str, int | None]], kind: str
) -> None:
    """By get, get_many and get_or_set; not of misses, looks or other aliases."""
    two_caches(kind)
    cache.set_many({"a": None, "b": 0})
    caches["twin"].set("a", 1)
    cache.get("a")
    cache.get("a", version=1)
    cache.get("x")
    cache.get_many(["b", "x"])
    cache.get_or_set("a", 1)
    cache.get_or_set("new", 1)
    cache.touch("a")
    assert "a" in cache
    caches["twin"].get("a")
    assert [key for key, _version in reads] == ["a", "a", "b", "a"]
    assert reads[:2] == [("a", None), ("a", 1)]


def test_a_listener_may_use_the_cache(two_caches: Configure) -> None:
    """What it does is not told to it again, and not counted."""
    two_caches("locmem")
    cache.set("a", 1)
    register_read_listener("default", lambda key, _version: cache.get(key))
    try:
        with unit() as totals:
            cache.get("a")
    finally:
        register_read_listener("default", None)
    assert counts(totals) == (1, 0, 0, 0)
