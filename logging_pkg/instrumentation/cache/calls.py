"""What one call of a cache did: keys found and not found, written, deleted.

In: the arguments, result or exception of a Django cache method. Out: counts.
Never: keeps a key or value past the call, asks the cache anything, changes what the caller gets.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from django.core.cache import InvalidCacheKey
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.cache.backends.redis import RedisCache

_clock = time.perf_counter_ns
_MISSING = object()

#: Django's own `get`s hand the default back untouched, so a sentinel in its place tells every stored value from none.
#: One that a project has written may look at the default or at what a `get` below it returned
#: (`if value is None: value = self.second.get(key)`): a sentinel would change what it does.
_TRANSPARENT_GETS = frozenset(
    {cls.get for cls in (DatabaseCache, DummyCache, FileBasedCache, LocMemCache, BaseMemcachedCache, RedisCache)}
)
_SIZED: tuple[type[Sized], ...] = (list, tuple, set, frozenset, dict, type({}.keys()), type({}.values()))


class CacheCall:
    """One call from outside the cache, being watched. What the backend calls of itself meanwhile is part of it."""

    hits = misses = sets = deletes = 0
    #: Time in the project's own code that the cache called, ns.
    paused = 0
    #: Whether calls within this one have to tell it what they did.
    wants_inner = False

    def __init__(self, alias: str, args: tuple[Any, ...], kwargs: dict[str, Any], _function: Any) -> None:
        self.alias = alias
        self.args = args
        self.kwargs = kwargs

    # Those below belong to the machinery in shadows.py; underscored because every kind overrides some.

    def _finish(self, result: Any) -> Any:
        """Count, and return what the caller gets."""
        return result

    def _fail(self, _error: BaseException) -> None:
        """Count what is known of a call that raised."""

    def _inner(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A call within this one, by the backend itself."""

    def _keys_read(self) -> Iterable[tuple[Any, Any]]:
        """The keys whose values were handed out, each with the version asked for (None: the backend's own)."""
        return ()

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument, however it was passed."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def user_code(self, function: Callable[[], Any]) -> Any:
        """Call back into the project: its cache use counts for itself, and its time is not the cache's."""
        previous, started = running.get(), _clock()
        running.set(None)
        try:
            return function()
        finally:
            running.set(previous)
            self.paused += _clock() - started


#: The watched call that is running here, which calls of the same alias within it are part of.
running: ContextVar[CacheCall | None] = ContextVar("logging_pkg_cache_call", default=None)


class Get(CacheCall):
    """`get`: a hit for whatever is stored, be it None, 0 or ""."""

    def __init__(self, alias: str, args: tuple[Any, ...], kwargs: dict[str, Any], function: Any) -> None:
        self.alias = alias
        self.kwargs = kwargs
        if function in _TRANSPARENT_GETS:
            self.absent = _MISSING
            if len(args) == 1 and not kwargs:
                self.default = None
                args = (args[0], _MISSING)
            elif len(args) > 1:
                self.default = args[1]
                args = (args[0], _MISSING, *args[2:])
            else:
                self.default = kwargs.get("default")
                kwargs["default"] = _MISSING
        elif len(args) > 1:
            self.default = self.absent = args[1] if _takes_default(function) else None
        else:
            self.default = self.absent = kwargs.get("default")
        self.args = args

    def _finish(self, result: Any) -> Any:
        if result is self.absent:
            self.misses = 1
            return self.default
        self.hits = 1
        return result

    def _keys_read(self) -> Iterable[tuple[Any, Any]]:
        return ((self.argument(0, "key"), self.argument(2, "version")),)


@lru_cache(maxsize=64)
def _takes_default(function: Any) -> bool:
    """Whether a `get`'s second argument is the default; a backend of its own kind may have another one there."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return True
    # After the key, which is the first one of a bound method and the second of a function.
    return any(parameter.name == "default" for parameter in parameters[1:3]) or any(
        parameter.kind == inspect.Parameter.VAR_POSITIONAL for parameter in parameters
    )


class GetMany(CacheCall):
    """`get_many`: hits are the keys found, misses the other ones asked for."""

    def __init__(self, alias: str, args: tuple[Any, ...], kwargs: dict[str, Any], function: Any) -> None:
        super().__init__(alias, args, kwargs, function)
        self._keys = _take_keys(self)

    def _finish(self, result: Any) -> Any:
        self.hits = len(result) if isinstance(result, _SIZED) else 0
        self.misses = max(0, _distinct(self._keys, self.hits) - self.hits)
        self._found = result
        return result

    def _keys_read(self) -> Iterable[tuple[Any, Any]]:
        version = self.argument(1, "version")
        return [(key, version) for key in self._found]


class GetOrSet(CacheCall):
    """`get_or_set`: one hit, or one miss and, unless another caller was first, one set."""

    wants_inner = True
    _found: bool | None = None
    _is_stored = False
    _is_called = False

    def __init__(self, alias: str, args: tuple[Any, ...], kwargs: dict[str, Any], function: Any) -> None:
        super().__init__(alias, args, kwargs, function)
        self._default = self.argument(1, "default")
        if callable(self._default):
            wrapped = _UserCoroutine if inspect.iscoroutinefunction(self._default) else _UserCode
            if len(args) > 1:
                self.args = (args[0], wrapped(self, self._default), *args[2:])
            else:
                kwargs["default"] = wrapped(self, self._default)

    def _inner(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name in {"get", "aget"}:
            if self._found is None:
                self._found = result is not (args[1] if len(args) > 1 else kwargs.get("default"))
        elif name in {"set", "aset"} or (name in {"add", "aadd"} and result):
            self._is_stored = True

    def called(self) -> None:
        """The default is being made."""
        self._is_called = True

    def _finish(self, result: Any) -> Any:
        if self._found is None:  # a get_or_set of its own kind, that uses neither get nor add
            self._found = not self._is_called if callable(self._default) else result is not self._default
            self._is_stored = not self._found
        self._count()
        return result

    def _fail(self, _error: BaseException) -> None:
        if self._found is not None:
            self._count()

    def _count(self) -> None:
        self.hits = int(bool(self._found))
        self.misses = 1 - self.hits
        self.sets = int(self._is_stored and not self._found)

    def _keys_read(self) -> Iterable[tuple[Any, Any]]:
        return ((self.argument(0, "key"), self.argument(3, "version")),)


class _UserCode:
    """A default that the project computes. Pickled, it is the project's own callable again."""

    __slots__ = ("_call", "_default")

    def __init__(self, call: GetOrSet, default: Callable[[], Any]) -> None:
        self._call = call
        self._default = default

    def __call__(self) -> Any:
        self._call.called()
        return self._call.user_code(self._default)

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self._default,)


def _UserCoroutine(call: GetOrSet, default: Callable[[], Any]) -> Callable[[], Any]:  # noqa: N802  (twin of _UserCode)
    """The same for a coroutine function, which a backend of its own kind may await."""

    async def made() -> Any:
        call.called()
        previous, started = running.get(), _clock()
        running.set(None)
        try:
            return await default()
        finally:
            running.set(previous)
            call.paused += _clock() - started

    return made


def _same(value: Any) -> Any:
    return value


class Add(CacheCall):
    """`add`: a set when it stored something."""

    def _finish(self, result: Any) -> Any:
        self.sets = int(bool(result))
        return result


class Set(CacheCall):
    """`set`: returns nothing, but for backends that tell a failure by False."""

    def _finish(self, result: Any) -> Any:
        self.sets = int(result is not False)
        return result


class SetMany(CacheCall):
    """`set_many`: keys that failed are returned."""

    def _finish(self, result: Any) -> Any:
        failed = len(result) if isinstance(result, _SIZED) else 0
        self.sets = max(0, _distinct(self.argument(0, "data"), 0) - failed)
        return result


class Delete(CacheCall):
    """`delete`: tells whether there was something; a backend that does not is believed."""

    def _finish(self, result: Any) -> Any:
        self.deletes = int(result) if isinstance(result, int) else 1
        return result


class DeleteMany(CacheCall):
    """`delete_many`: the keys named, unless the backend tells how many there were."""

    def __init__(self, alias: str, args: tuple[Any, ...], kwargs: dict[str, Any], function: Any) -> None:
        super().__init__(alias, args, kwargs, function)
        self._keys = _take_keys(self)

    def _finish(self, result: Any) -> Any:
        told = isinstance(result, int) and not isinstance(result, bool)
        self.deletes = result if told else _distinct(self._keys, 0)
        return result


class Look(CacheCall):
    """`has_key` and `touch`: a key asked for, and found or not."""

    def _finish(self, result: Any) -> Any:
        self.hits = int(bool(result))
        self.misses = 1 - self.hits
        return result


class Change(CacheCall):
    """`incr` and `decr`: a value read and written, or a miss, which they tell by ValueError."""

    def _finish(self, result: Any) -> Any:
        self.hits = self.sets = 1
        return result

    def _fail(self, error: BaseException) -> None:
        self.misses = int(isinstance(error, ValueError) and not isinstance(error, InvalidCacheKey))


class ChangeVersion(Change):
    """`incr_version` and `decr_version`: read, written under the new version, deleted under the old one."""

    def _finish(self, result: Any) -> Any:
        self.hits = self.sets = self.deletes = 1
        return result


class Clear(CacheCall):
    """`clear`: one delete, however many keys there were."""

    def _finish(self, result: Any) -> Any:
        self.deletes = 1
        return result


#: Method -> what reads it. The `a…` twins are read alike.
KINDS: dict[str, type[CacheCall]] = {
    "add": Add,
    "clear": Clear,
    "decr": Change,
    "decr_version": ChangeVersion,
    "delete": Delete,
    "delete_many": DeleteMany,
    "get": Get,
    "get_many": GetMany,
    "get_or_set": GetOrSet,
    "has_key": Look,
    "incr": Change,
    "incr_version": ChangeVersion,
    "set": Set,
    "set_many": SetMany,
    "touch": Look,
}


def _take_keys(call: CacheCall) -> Any:
    """The keys of a call, to be counted afterwards. An iterator is read by the backend alone, and counted as it is."""
    keys = call.argument(0, "keys")
    if not isinstance(keys, Iterator):
        return keys
    seen: list[Any] = []
    if call.args:
        call.args = (_counted(keys, seen, call), *call.args[1:])
    else:
        call.kwargs["keys"] = _counted(keys, seen, call)
    return seen


def _counted(keys: Iterator[Any], seen: list[Any], call: CacheCall) -> Iterator[Any]:
    while True:
        try:
            key = call.user_code(keys.__next__)
        except StopIteration:
            return
        seen.append(key)
        yield key


def _distinct(keys: Any, otherwise: int) -> int:
    """How many different keys there are, which cost nothing to count; `otherwise` where that cannot be told."""
    if isinstance(keys, list | tuple):
        try:
            return len(set(keys))
        except TypeError:
            return len(keys)
    return len(keys) if isinstance(keys, _SIZED) else otherwise
