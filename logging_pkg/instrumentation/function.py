"""Watch any function, coroutine, generator or block: `@track_performance`.

In: calls. Out: `function.call_finished` with duration and success. Never: changes arguments, results or exceptions.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction

from logging_pkg.context import Span, activate, current_unit, start_span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.sampling import weight_of_detail

P = ParamSpec("P")
R = TypeVar("R")
_clock = time.perf_counter_ns


class _Call:
    """One call being watched. Entering makes its span current, so that what happens inside is below it."""

    __slots__ = ("_name", "_previous", "_started", "span")

    def __init__(self, name: str) -> None:
        self._name = name
        self.span: Span = start_span()
        self._previous: Span | None = None
        self._started = _clock()

    def enter(self) -> None:
        self._previous = activate(self.span)

    def leave(self) -> None:
        activate(self._previous)

    def finish(self, error: BaseException | None) -> None:
        cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
        failed = error is not None and not cancelled
        duration_ms = milliseconds(_clock() - self._started)
        weight = weight_of_detail(self.span, has_failed=failed)
        if weight is None:
            return
        emit_safely(
            "function.call_finished",
            {
                "function": self._name,
                "duration_ms": duration_ms,
                "outcome": "cancelled" if cancelled else "error" if failed else "ok",
                "is_error": int(failed),
                "error_type": error_type_of(error) if error is not None else None,
                "sample_weight": weight,
            },
            self.span,
        )


class _Tracker:
    """What `track_performance("name")` returns: a decorator and a context manager."""

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._calls: list[_Call] = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return _wrap(function, self._name)

    def __enter__(self) -> None:
        if self._name is None:
            raise TypeError('track_performance used as a block needs a name: with track_performance("import.parse"):')
        call = _Call(self._name)
        call.enter()
        self._calls.append(call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # One tracker may serve several threads and tasks at once: each leaves the call that is current to it.
        span = current_unit()
        call = next((call for call in reversed(self._calls) if call.span is span), self._calls[-1])
        self._calls.remove(call)
        # A generator that was dropped within the block ends wherever the garbage collector runs, perhaps in the middle
        # of another unit, which goes on as it was.
        if span is not None and span.correlation_id == call.span.correlation_id:
            call.leave()
        call.finish(error)


@overload
def track_performance(target: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def track_performance(target: str | None = None, /) -> _Tracker: ...
def track_performance(target: Callable[P, R] | str | None = None, /) -> Callable[P, R] | _Tracker:
    """Emit `function.call_finished` for every call of a function, sync or async, generator or not, or for a block.

    >>> @track_performance
    ... def parse(feed): ...
    >>> @track_performance("feed.parse")
    ... async def parse(feed): ...
    >>> with track_performance("feed.parse"): ...

    A generator counts from its first step until it is exhausted or closed. The name is the function's module and
    qualified name unless one is given.
    """
    if target is None or isinstance(target, str):
        return _Tracker(target)
    return _wrap(target, None)


def _wrap(function: Callable[P, R], name: str | None) -> Callable[P, R]:
    if isinstance(function, staticmethod | classmethod):
        raise TypeError(f"@track_performance belongs below @{type(function).__name__}, next to the function")
    if isinstance(function, type):
        raise TypeError(f"@track_performance would make a function of class {function.__name__}: put it on its methods")
    name = (name or _name_of(function))[:200]
    if inspect.isasyncgenfunction(function):
        return cast("Callable[P, R]", _wrap_async_generator(function, name))
    if inspect.isgeneratorfunction(function):
        return cast("Callable[P, R]", _wrap_generator(function, name))
    if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return cast("Callable[P, R]", _wrap_coroutine(function, name))

    @functools.wraps(function)
    def watched(*args: P.args, **kwargs: P.kwargs) -> R:
        call = _Call(name)
        call.enter()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.leave()
            call.finish(error)
            raise
        call.leave()
        call.finish(None)
        return result

    return watched


def _name_of(function: Callable[..., Any]) -> str:
    """`module.qualname`; of a `functools.partial` or another callable object, that of what it is made of."""
    function = getattr(function, "func", function)
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _wrap_coroutine(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        call = _Call(name)
        call.enter()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            call.leave()
            call.finish(error)
            raise
        call.leave()
        call.finish(None)
        return result

    return watched


def _wrap_generator(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = _Call(name)
        inner = function(*args, **kwargs)
        try:
            result = yield from _steps(inner, call)
        except BaseException as error:
            call.finish(error)
            raise
        call.finish(None)
        return result

    return watched


def _steps(inner: Any, call: _Call) -> Any:
    """Drive a generator with its span current only while its own code runs, never while its consumer's does."""
    resume: Callable[[], Any] = lambda: next(inner)  # noqa: E731
    while True:
        call.enter()
        try:
            item = resume()
        except StopIteration as stop:
            return stop.value
        finally:
            del resume  # holds what was thrown in: a circle, had it raised again
            call.leave()
        try:
            sent = yield item
        except GeneratorExit:
            call.enter()
            try:
                inner.close()
            finally:
                call.leave()
            raise
        except BaseException as error:
            resume = functools.partial(inner.throw, error)
        else:
            resume = functools.partial(inner.send, sent)


def _wrap_async_generator(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    async def watched(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        call = _Call(name)
        inner = function(*args, **kwargs)
        resume = inner.__anext__
        try:
            while True:
                call.enter()
                try:
                    item = await resume()
                except StopAsyncIteration:
                    break
                finally:
                    del resume
                    call.leave()
                try:
                    sent = yield item
                except GeneratorExit:
                    call.enter()
                    try:
                        await inner.aclose()
                    finally:
                        call.leave()
                    raise
                except BaseException as error:
                    resume = functools.partial(inner.athrow, error)
                else:
                    resume = functools.partial(inner.asend, sent)
        except BaseException as error:
            call.finish(error)
            raise
        call.finish(None)

    return watched
