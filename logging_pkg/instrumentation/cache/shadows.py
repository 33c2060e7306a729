"""Stand before the methods of one cache backend, to count and time what they do.

In: a backend. Out: counts in the running unit's totals and the alias's own, each operation once.
Never: changes a key, value, result, exception or class; adds an operation; keeps a backend alive.
"""

from __future__ import annotations

import functools
import inspect
import time
import weakref
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from logging_pkg.context import current_span
from logging_pkg.instrumentation.cache.alias import AliasWatch
from logging_pkg.instrumentation.cache.calls import KINDS, CacheCall, running
from logging_pkg.instrumentation.guard import faults_kept_in
from logging_pkg.instrumentation.totals import Totals

_clock = time.perf_counter_ns
#: Methods of BaseCache that do more than call others, which count for themselves.
_COMPOSITE = frozenset({"get_or_set", "aget_or_set"})
#: Shadows that count no operation.
_INTERNAL = frozenset({"__getstate__", "_cull"})


def put_shadows(watch: AliasWatch, backend: Any) -> bool:
    """Put shadows before the methods of one backend, as attributes of it alone; False where they are or cannot be."""
    attributes = getattr(backend, "__dict__", None)
    if attributes is None or any(_is_shadow(value) for value in attributes.values()):
        return False
    shadows = watch.shadows.get(type(backend))
    if shadows is None:
        shadows = watch.shadows[type(backend)] = _shadows(watch, type(backend))
    handle = _Handle(backend)
    for name, function in shadows.items():
        replaced = attributes.get(name)
        if replaced is None:
            attributes[name] = MethodType(function, handle)
        elif name not in _INTERNAL:  # another tool's or the project's: it is what would have been called
            over = functools.update_wrapper(_shadow(watch, name, replaced), replaced, updated=())
            attributes[name] = MethodType(over, handle)
    return True


class _Handle:
    """What a shadow knows its backend by.

    A strong reference would make a circle of it: a backend (under ASGI each request has its own, and with it its
    connections to Redis) would live until the garbage collector finds it. A bound method that outlives its backend
    works on a copy of what that was when it was created.
    """

    __slots__ = ("_class", "_copy", "attributes", "has_own_client", "ref")

    def __init__(self, backend: Any) -> None:
        self.ref = weakref.ref(backend)
        self._class: type[Any] = type(backend)
        self.attributes = dict(vars(backend))
        self.has_own_client = _is_own_client(self._class, self.attributes.get("_class"))  # type: ignore[arg-type]
        self._copy: Any = None

    def backend(self) -> Any:
        """The backend, or its copy."""
        backend = self.ref()
        if backend is None and self._copy is None:
            self._copy = object.__new__(self._class)
            vars(self._copy).update(self.attributes)
        return self._copy if backend is None else backend

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.backend(),)  # a pickled bound method is one of the backend


@functools.lru_cache(maxsize=64)
def _is_own_client(cls: type, client: Any) -> bool:
    """Whether Django's methods of a backend hand their arguments to a client that the project has written."""
    made_by = inspect.getattr_static(cls, "_cache", None)
    if client is None or made_by is None:
        return False
    modules = getattr(client, "__module__", ""), getattr(getattr(made_by, "func", made_by), "__module__", "")
    return any(module.partition(".")[0] not in {"django", "pylibmc", "pymemcache"} for module in modules)


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
    if inspect.getattr_static(cls, "_cull", None) is LocMemCache._cull:  # type: ignore[attr-defined]
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
                call = kind(alias, args, kwargs, None if handle.has_own_client else function)
            except Exception as error:
                call = _uncounted(error, alias, args, kwargs)
            started = _clock()
            try:
                running.set(call)
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
            call = kind(alias, args, kwargs, None if handle.has_own_client else function)
        except Exception as error:
            call = _uncounted(error, alias, args, kwargs)
        started = _clock()
        try:
            running.set(call)
            result = await method(*call.args, **call.kwargs)
        except GeneratorExit:
            # Dropped half-way, by the garbage collector perhaps, in whatever context that runs.
            if running.get() is call:
                running.set(outer)
            raise
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
        try:
            result = call._finish(result)
            if watch.on_read is not None and call.hits:
                for key, version in call._keys_read():
                    watch.on_read(key, version)
        finally:
            # Whatever a signal handler raises in here: what comes next in this context is counted.
            running.set(outer)
        _add(watch, call, entered, started, ended)
    except Exception:
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
            own = {name: value for name, value in whole.items() if not _is_shadow(value)}
            return own | {name: value for name, value in handle.attributes.items() if _is_shadow(whole.get(name))}
        return whole

    return state
