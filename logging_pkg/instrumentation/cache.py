"""Count and time what is done with every Django cache.

In: calls of the backends that Django's `caches` creates. Out: totals of the running unit, and of each alias.
Never: changes a key, value, result, exception or class; adds an operation; counts one operation twice.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
import time
import weakref
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.locmem import LocMemCache

from logging_pkg.context import current_span
from logging_pkg.instrumentation.cache_calls import KINDS, CacheCall, running
from logging_pkg.instrumentation.cache_stores import Store, store_of
from logging_pkg.instrumentation.guard import faults_kept_in
from logging_pkg.instrumentation.totals import CacheTotals, Totals

#: Told of each key whose value was handed out, and the version it was asked for (None: the backend's own).
ReadListener = Callable[[str, int | None], None]

_clock = time.perf_counter_ns
#: Methods of BaseCache that do more than call others, which count for themselves.
_COMPOSITE = frozenset({"get_or_set", "aget_or_set"})


class AliasWatch:
    """What this process does with one cache alias."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        #: The alias as events tell it, which bound its length.
        self.label = alias[:64]
        self.lock = threading.Lock()
        self.on_read: ReadListener | None = None
        #: Use since it was last taken: within units of work, which tell of it themselves, and outside.
        self.inside = CacheTotals()
        self.outside = CacheTotals()
        #: Keys that local memory made room with, so far; of other stores the process does not know.
        self.evictions = 0
        self.counts_evictions = False
        #: Class of the backend created last, and what tells how much its store holds.
        self.backend: type | None = None
        self.store: Store | None = None
        self._shadows: dict[type, dict[str, FunctionType]] = {}

    def take(self) -> tuple[CacheTotals, CacheTotals]:
        """Use within and outside units since the last call."""
        with self.lock:
            taken = self.inside, self.outside
            self.inside, self.outside = CacheTotals(), CacheTotals()
        return taken

    def shadows_of(self, cls: type) -> dict[str, FunctionType]:
        """What stands before the methods of a class's instances, made once."""
        shadows = self._shadows.get(cls)
        if shadows is None:
            shadows = self._shadows[cls] = _shadows(self, cls)
        return shadows


_watches: dict[str, AliasWatch] = {}
_watches_lock = threading.Lock()


def alias_watch(alias: str) -> AliasWatch:
    """The watch of an alias, made when it is first asked for."""
    watch = _watches.get(alias)
    if watch is None:
        with _watches_lock:
            watch = _watches.setdefault(alias, AliasWatch(alias))
    return watch


def alias_watches() -> list[AliasWatch]:
    """Those of the aliases used so far."""
    return list(_watches.values())


def register_read_listener(alias: str, listener: ReadListener | None) -> None:
    """Have a callable told of every hit of `get`, `get_many` and `get_or_set` of an alias; None ends it.

    It runs within the caller's operation, in the caller's thread: it has to be quick, and what it does with this
    cache is not counted. Its exceptions do not reach the caller (strict mode aside).

    Args:
        alias: key of CACHES.
        listener: takes the key as the caller gave it, and the version asked for (None: the backend's own).
    """
    alias_watch(alias).on_read = listener


def watch_caches() -> None:
    """Watch every backend, those open now and those created later, in every thread and task. Idempotent."""
    if getattr(caches.create_connection, "is_watched", False):
        return
    create = vars(caches).get("create_connection")

    @functools.wraps(caches.create_connection)
    def create_connection(alias: str) -> Any:
        # Looked up at each call: other tools wrap the class's method, before or after.
        backend = create(alias) if create is not None else type(caches).create_connection(caches, alias)
        with faults_kept_in():
            _watch_backend(alias, backend)
        return backend

    create_connection.is_watched = True  # type: ignore[attr-defined]
    caches.create_connection = create_connection  # type: ignore[method-assign]
    for alias in caches:
        if hasattr(caches._connections, alias):  # type: ignore[attr-defined]
            _watch_backend(alias, caches[alias])


def _watch_backend(alias: str, backend: Any) -> None:
    """Put shadows before the methods of one backend, as attributes of it alone."""
    attributes = getattr(backend, "__dict__", None)
    if attributes is None or any(_is_shadow(value) for value in attributes.values()):
        return
    watch = alias_watch(alias)
    watch.backend = type(backend)
    watch.store = store_of(backend)
    watch.counts_evictions = isinstance(backend, LocMemCache)
    handle = _Handle(backend)
    for name, function in watch.shadows_of(type(backend)).items():
        if name in attributes:  # another tool's, or the project's: it is what would have been called
            function = _shadow(watch, name, attributes[name])  # noqa: PLW2901
        attributes[name] = MethodType(function, handle)


class _Handle:
    """What a shadow knows its backend by.

    A strong reference would make a circle of it: a backend (under ASGI each request has its own, and with it its
    connections to Redis) would live until the garbage collector finds it. A bound method that outlives its backend
    works on a copy of what that was when it was created.
    """

    __slots__ = ("_attributes", "_class", "_copy", "ref")

    def __init__(self, backend: Any) -> None:
        self.ref = weakref.ref(backend)
        self._class: type[Any] = type(backend)
        self._attributes = dict(vars(backend))
        self._copy: Any = None

    def backend(self) -> Any:
        """The backend, or its copy."""
        backend = self.ref()
        if backend is None and self._copy is None:
            self._copy = object.__new__(self._class)
            vars(self._copy).update(self._attributes)
        return self._copy if backend is None else backend

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.backend(),)  # a pickled bound method is one of the backend


def _same(value: Any) -> Any:
    return value


def _is_shadow(value: Any) -> bool:
    return type(value) is MethodType and type(value.__self__) is _Handle


def _shadows(watch: AliasWatch, cls: type) -> dict[str, FunctionType]:
    """Shadows for the methods a class has of its own. BaseCache's are made of those, which count for themselves."""
    shadows: dict[str, Any] = {"__getstate__": _state_shadow()}
    for name in (*KINDS, *(f"a{name}" for name in KINDS)):
        method = inspect.getattr_static(cls, name, None)
        is_own = method is not inspect.getattr_static(BaseCache, name) or name in _COMPOSITE
        if method is None or not is_own or isinstance(method, staticmethod | classmethod | property):
            continue
        if inspect.iscoroutinefunction(method) == (name not in KINDS):
            shadows[name] = _shadow(watch, name, None)
    if issubclass(cls, LocMemCache):
        shadows["_cull"] = _cull_shadow(watch)
    for name, shadow in shadows.items():
        functools.update_wrapper(shadow, getattr(cls, name))
    return shadows


def _shadow(watch: AliasWatch, name: str, replaced: Any) -> Any:
    """A function that does what the method does, and counts it.

    Args:
        watch: of the alias.
        name: of the method.
        replaced: attribute of the instance that the shadow takes the place of; None for the method of its class.
    """
    kind = KINDS.get(name) or KINDS[name[1:]]
    alias = watch.alias

    if name in KINDS:

        def shadow(handle: _Handle, /, *args: Any, **kwargs: Any) -> Any:
            entered = _clock()
            if replaced is None:
                # The class's method as it is now: tests and tools replace it there.
                backend = handle.ref()
                if backend is None:
                    backend = handle.backend()
                function = getattr(type(backend), name)
                method = MethodType(function, backend) if type(function) is FunctionType else _bind(function, backend)
            else:
                function = method = replaced
            outer = running.get()
            if outer is not None and outer.alias == alias:
                result = method(*args, **kwargs)
                if outer.wants_inner:
                    outer._inner(name, args, kwargs, result)
                return result
            try:
                call = kind(alias, args, kwargs, function)
            except Exception as error:
                call = _uncounted(error, alias, args, kwargs)
            running.set(call)
            started = _clock()
            try:
                result = method(*call.args, **call.kwargs)
            except BaseException as error:
                ended = _clock()
                running.set(outer)
                _count_failure(watch, call, error, entered, started, ended)
                raise
            return _count(watch, call, result, outer, entered, started, _clock())

        return shadow

    async def shadow_async(handle: _Handle, /, *args: Any, **kwargs: Any) -> Any:
        entered = _clock()
        if replaced is None:
            backend = handle.backend()
            function = getattr(type(backend), name)
            method = _bind(function, backend)
        else:
            function = method = replaced
        outer = running.get()
        if outer is not None and outer.alias == alias:
            result = await method(*args, **kwargs)
            if outer.wants_inner:
                outer._inner(name, args, kwargs, result)
            return result
        try:
            call = kind(alias, args, kwargs, function)
        except Exception as error:
            call = _uncounted(error, alias, args, kwargs)
        running.set(call)
        started = _clock()
        try:
            result = await method(*call.args, **call.kwargs)
        except GeneratorExit:
            raise  # dropped half-way, by the garbage collector perhaps, in whatever context that runs
        except BaseException as error:
            ended = _clock()
            running.set(outer)
            _count_failure(watch, call, error, entered, started, ended)
            raise
        return _count(watch, call, result, outer, entered, started, _clock())

    return shadow_async


def _bind(function: Any, backend: Any) -> Callable[..., Any]:
    """What `backend.name` would be for an attribute of its class."""
    bind = getattr(type(function), "__get__", None)
    bound: Callable[..., Any] = function if bind is None else bind(function, backend, type(backend))
    return bound


def _uncounted(error: Exception, alias: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CacheCall:
    """A fault of ours before the call: it goes on as it came, and only its time is taken."""
    with faults_kept_in():
        raise error
    return CacheCall(alias, args, kwargs, None)


def _count(
    watch: AliasWatch, call: CacheCall, result: Any, outer: CacheCall | None, entered: int, started: int, ended: int
) -> Any:
    """Count a call that returned; what the caller gets."""
    try:
        result = call._finish(result)
        if watch.on_read is not None and call.hits:
            for key, version in call._keys_read():
                watch.on_read(key, version)
        running.set(outer)
        _add(watch, call, entered, started, ended)
    except Exception:
        running.set(outer)
        with faults_kept_in():
            raise
    return result


def _count_failure(
    watch: AliasWatch, call: CacheCall, error: BaseException, entered: int, started: int, ended: int
) -> None:
    with faults_kept_in():
        call._fail(error)
        _add(watch, call, entered, started, ended)


def _add(watch: AliasWatch, call: CacheCall, entered: int, started: int, ended: int) -> None:
    """Into the running unit, and the alias's own totals; what that cost into the unit as well."""
    hits, misses, sets, deletes = call.hits, call.misses, call.sets, call.deletes
    nanoseconds = max(0, ended - started - call.paused) if call.paused else ended - started
    totals: Totals | None = current_span().totals
    with watch.lock:
        use = watch.outside if totals is None else watch.inside
        use.hits += hits
        use.misses += misses
        use.sets += sets
        use.deletes += deletes
        use.nanoseconds += nanoseconds
    if totals is None:
        return
    totals.add_cache(watch.label, nanoseconds, hits=hits, misses=misses, sets=sets, deletes=deletes)
    overhead = started - entered + _clock() - ended
    while totals is not None:
        totals.overhead_nanoseconds += overhead
        totals = totals.parent


def _cull_shadow(watch: AliasWatch) -> Any:
    """Local memory makes room, its lock held: how many keys that cost."""

    def cull(handle: _Handle, /) -> Any:
        backend = handle.backend()
        before = len(backend._cache)
        try:
            return type(backend)._cull(backend)
        finally:
            watch.evictions += before - len(backend._cache)

    return cull


def _state_shadow() -> Any:
    """Copies and pickles of a backend are as if it were not watched."""

    def state(handle: _Handle, /) -> Any:
        backend = handle.backend()
        cls: Any = type(backend)
        whole = cls.__getstate__(backend)
        if isinstance(whole, dict):
            return {name: value for name, value in whole.items() if not _is_shadow(value)}
        return whole

    return state


def _forget() -> None:
    """A forked child starts from nothing: what was used before is its parent's to report."""
    global _watches_lock
    _watches_lock = threading.Lock()
    for watch in _watches.values():
        watch.lock = threading.Lock()
        watch.evictions = 0
        watch.take()


os.register_at_fork(after_in_child=_forget)
