"""track_performance: every kind of callable, its result unchanged and its event right."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from logging_pkg import track_performance
from logging_pkg.context import active, current_span, current_unit, start_span
from logging_pkg.testing import LogEvents, assert_event

CALL = "function.call_finished"


@track_performance
def add(left: int, right: int = 2) -> int:
    """Add."""
    return left + right


def test_a_function_keeps_result_name_and_signature(log_events: LogEvents) -> None:
    """What callers and tools see is the function."""
    assert add(1) == 3
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert str(inspect.signature(add)) == "(left: 'int', right: 'int' = 2) -> 'int'"
    event = assert_event(log_events, CALL, count=1, function=f"{__name__}.add", outcome="ok", is_error=0)
    assert event["error_type"] is None
    assert event["duration_ms"] >= 0


def test_an_exception_passes_and_is_told_by_class(log_events: LogEvents) -> None:
    """The same object arrives; its message stays out of the event."""
    error = LookupError("hunter2")

    @track_performance("named")
    def fail() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        fail()
    assert caught.value is error
    assert_event(log_events, CALL, function="named", outcome="error", is_error=1, error_type="LookupError")
    assert "hunter2" not in str(log_events)


def test_methods_of_every_kind(log_events: LogEvents) -> None:
    """Plain, class and static methods, and the order of decorators that cannot work says so."""

    class Shop:
        @track_performance
        def plain(self) -> Any:
            return self

        @classmethod
        @track_performance
        def of_class(cls) -> Any:
            return cls

        @staticmethod
        @track_performance
        def static(value: int) -> int:
            return value

    shop = Shop()
    assert shop.plain() is shop
    assert Shop.of_class() is Shop
    assert Shop.static(5) == 5
    assert [event["function"].rsplit(".", 1)[1] for event in log_events] == ["plain", "of_class", "static"]
    for wrapper in (staticmethod, classmethod):
        with pytest.raises(TypeError, match=f"belongs below @{wrapper.__name__}"):
            track_performance(wrapper(len))  # type: ignore[call-overload]
        with pytest.raises(TypeError, match=f"belongs below @{wrapper.__name__}"):
            track_performance("named")(wrapper(len))  # type: ignore[arg-type]


def test_a_class_is_refused() -> None:
    """A function in its place would be no class to inherit from, or to ask isinstance about."""
    for decorate in (track_performance, track_performance("named")):
        with pytest.raises(TypeError, match="put it on its methods"):
            decorate(LookupError)


def test_callables_without_a_name_of_their_own(log_events: LogEvents) -> None:
    """A partial is named after its function, an object after its class."""

    class Callable:
        def __call__(self) -> int:
            return 1

    assert track_performance(functools.partial(int, "5"))() == 5
    assert track_performance(Callable())() == 1
    assert [event["function"] for event in log_events] == ["builtins.int", f"{__name__}.{Callable.__qualname__}"]


def test_recursion_links_each_call_to_its_caller(log_events: LogEvents) -> None:
    """Inner calls end first; each names the one that made it."""

    @track_performance("countdown")
    def countdown(number: int) -> int:
        return number and countdown(number - 1)

    with active(start_span("request")) as request:
        countdown(2)
    inner, middle, outer = log_events
    assert inner["parent_span_id"] == middle["span_id"]
    assert middle["parent_span_id"] == outer["span_id"]
    assert outer["parent_span_id"] == request.span_id
    assert {event["correlation_id"] for event in log_events} == {request.correlation_id}


async def test_a_coroutine(log_events: LogEvents) -> None:
    """Counted to its end, its span current inside, gathered calls apart from each other."""

    @track_performance("fetch")
    async def fetch(number: int) -> tuple[int, str]:
        mine = current_span()
        await asyncio.sleep(0)
        assert current_span() is mine
        return number, mine.span_id

    assert inspect.iscoroutinefunction(fetch)
    results = await asyncio.gather(*(fetch(number) for number in range(10)))
    assert [number for number, _ in results] == list(range(10))
    assert {event["span_id"] for event in log_events} == {span_id for _, span_id in results}
    assert current_unit() is None


async def test_a_cancelled_coroutine_is_no_error(log_events: LogEvents) -> None:
    """Cancellation is told as such, and arrives."""

    @track_performance("wait")
    async def wait() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_event(log_events, CALL, outcome="cancelled", is_error=0, error_type="asyncio.exceptions.CancelledError")


@track_performance("echo")
def echo(seen: list[Any]) -> Any:
    """A generator that takes what is sent or thrown, and returns."""
    try:
        while True:
            try:
                seen.append((yield len(seen)))
            except KeyError as error:
                seen.append(error)
            if len(seen) == 4:
                return "done"
    finally:
        seen.append(current_unit())


def test_a_generator_sends_throws_and_returns(log_events: LogEvents) -> None:
    """Everything of the protocol goes through, and one event tells of the whole."""
    seen: list[Any] = []
    error = KeyError("x")
    generator = echo(seen)
    assert inspect.isgeneratorfunction(echo)
    assert [next(generator), generator.send("a"), generator.throw(error), next(generator)] == [0, 1, 2, 3]
    assert log_events == []
    with pytest.raises(StopIteration) as stop:
        generator.send("b")
    assert stop.value.value == "done"
    assert seen[:4] == ["a", error, None, "b"]
    assert_event(log_events, CALL, count=1, function="echo", outcome="ok")


def test_yield_from_gets_the_return_value(log_events: LogEvents) -> None:
    """A tracked generator delegates like any other."""

    def outer() -> Any:
        return (yield from echo([1, 2, 3]))

    generator = outer()
    next(generator)
    with pytest.raises(StopIteration) as stop:
        generator.send("x")
    assert stop.value.value == "done"
    assert len(log_events) == 1


def test_a_closed_generator_is_cancelled_with_its_span_current(log_events: LogEvents) -> None:
    """Its cleanup runs inside the unit; the consumer's context is untouched."""
    seen: list[Any] = []
    with active(start_span("request")) as request:
        generator = echo(seen)
        next(generator)
        assert current_span() is request
        generator.close()
        assert current_span() is request
    event = assert_event(log_events, CALL, outcome="cancelled", is_error=0)
    assert seen[0].span_id == event["span_id"]
    assert event["parent_span_id"] == request.span_id


def test_an_exception_in_a_generator(log_events: LogEvents) -> None:
    """Raised where it is consumed, told once."""

    @track_performance("broken")
    def broken() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(broken())
    assert_event(log_events, CALL, count=1, outcome="error", error_type="ZeroDivisionError")


def test_a_generator_never_started_tells_nothing(log_events: LogEvents) -> None:
    """There was no call to speak of."""
    echo([]).close()
    assert log_events == []


async def test_an_async_generator(log_events: LogEvents) -> None:
    """asend, athrow and exhaustion; the span is current inside only."""
    seen: list[Any] = []

    @track_performance("rows")
    async def rows() -> AsyncIterator[int]:
        seen.append(current_unit())
        await asyncio.sleep(0)
        try:
            seen.append((yield 1))
        except KeyError:
            seen.append("thrown")
        yield 2

    assert [row async for row in rows()] == [1, 2]
    generator: Any = rows()
    assert await generator.__anext__() == 1
    assert current_unit() is None
    assert await generator.asend("sent") == 2
    await generator.aclose()
    thrown: Any = rows()
    await thrown.__anext__()
    assert await thrown.athrow(KeyError()) == 2
    with pytest.raises(StopAsyncIteration):
        await thrown.__anext__()
    assert [entry for entry in seen if isinstance(entry, str)] == ["sent", "thrown"]
    assert [event["outcome"] for event in log_events] == ["ok", "cancelled", "ok"]


def test_a_block(log_events: LogEvents) -> None:
    """`with track_performance("name")`, nested, with an error, and without a name."""
    with pytest.raises(ValueError, match="x"), track_performance("outer"), track_performance("inner"):
        raise ValueError("x")
    inner, outer = log_events
    assert (inner["function"], inner["parent_span_id"]) == ("inner", outer["span_id"])
    assert inner["outcome"] == outer["outcome"] == "error"
    with pytest.raises(TypeError, match="used as a block needs a name"), track_performance():
        pytest.fail("entered")


def test_a_block_left_in_another_unit_leaves_that_one_alone(log_events: LogEvents) -> None:
    """A generator dropped half-way ends where the last reference to it does: here, and in the middle of a request."""

    def rows() -> Iterator[int]:
        with track_performance("dropped"):
            yield 1
            yield 2

    with active(start_span("request", correlation_id="a" * 32)):
        kept = rows()
        next(kept)
    with active(start_span("request", correlation_id="b" * 32)) as other:
        del kept
        assert current_unit() is other
    assert_event(log_events, CALL, count=1, function="dropped", outcome="cancelled", correlation_id="a" * 32)
    with active(start_span("request")) as own:
        kept = rows()
        next(kept)
        del kept
        assert current_unit() is own


def test_one_tracker_shared_by_threads_keeps_their_units_apart(log_events: LogEvents) -> None:
    """Entered by two threads, left in the order of entering: each returns to its own unit."""
    shared = track_performance("shared")
    steps = [threading.Event() for _ in range(3)]
    found: dict[str, bool] = {}

    def first() -> None:
        with active(start_span("request")) as request:
            with shared:
                steps[0].set()
                steps[1].wait(10)
            found["first"] = current_span() is request
        steps[2].set()

    def second() -> None:
        steps[0].wait(10)
        with active(start_span("request")) as request:
            with shared:
                steps[1].set()
                steps[2].wait(10)
            found["second"] = current_span() is request

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"first": True, "second": True}
    assert len({event["correlation_id"] for event in log_events}) == 1
    assert len({event["request_id"] for event in log_events}) == 2


def test_a_generator_is_the_parent_of_what_it_calls(log_events: LogEvents) -> None:
    """Between its steps, what the consumer calls is the consumer's."""

    @track_performance("inner")
    def inner() -> None: ...

    @track_performance("outer")
    def outer() -> Iterator[int]:
        inner()
        yield 1
        inner()

    for _ in outer():
        inner()
    first, between, last, whole = log_events
    assert first["parent_span_id"] == last["parent_span_id"] == whole["span_id"]
    assert between["parent_span_id"] != whole["span_id"]


async def test_blocks_in_concurrent_tasks_keep_their_units_apart(log_events: LogEvents) -> None:
    """One tracker, entered by many tasks that take turns: each call is below its own unit."""
    shared = track_performance("shared")

    async def work(number: int) -> None:
        with active(start_span("request")) as request:
            with shared:
                await asyncio.sleep(0.001 * (number % 3))
                assert current_span().parent_span_id == request.span_id
            assert current_span() is request

    await asyncio.gather(*(work(number) for number in range(20)))
    assert len({event["request_id"] for event in log_events}) == 20
    assert all(event["parent_span_id"] == event["request_id"] for event in log_events)


async def test_a_block_that_is_cancelled(log_events: LogEvents) -> None:
    """While it awaits; no error."""

    async def work() -> None:
        with track_performance("waiting"):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_event(log_events, CALL, count=1, outcome="cancelled", is_error=0)


async def test_an_async_generator_cancelled_in_its_step(log_events: LogEvents) -> None:
    """Its own cleanup runs, in its unit, and it is told once."""
    seen: list[Any] = []

    @track_performance("rows")
    async def rows() -> AsyncIterator[int]:
        try:
            await asyncio.sleep(60)
            yield 1
        finally:
            seen.append(current_span().span_id)

    async def consume() -> None:
        async for _ in rows():
            pytest.fail("nothing was yielded")

    task = asyncio.create_task(consume())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    event = assert_event(log_events, CALL, count=1, outcome="cancelled")
    assert seen == [event["span_id"]]


async def test_an_async_generator_left_in_the_middle(log_events: LogEvents) -> None:
    """Closed by the event loop once nobody holds it: its cleanup runs, and it is told."""
    seen: list[str] = []

    @track_performance("rows")
    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async for _ in rows():
        break
    gc.collect()
    for _ in range(10):
        await asyncio.sleep(0)
    assert seen == ["cleaned up"]
    assert_event(log_events, CALL, count=1, outcome="cancelled")


async def test_callables_that_are_coroutines_without_saying_so(log_events: LogEvents) -> None:
    """Objects with an async `__call__`, and what asgiref has marked: timed until what they return has been awaited."""

    class Work:
        async def __call__(self) -> str:
            await asyncio.sleep(0.02)
            return "done"

    assert await track_performance("object")(Work())() == "done"
    assert await track_performance("bridge")(sync_to_async(lambda: "done", thread_sensitive=False))() == "done"
    assert asyncio.iscoroutinefunction(track_performance("object")(Work()))
    first, second = log_events
    assert (first["function"], second["function"]) == ("object", "bridge")
    assert first["duration_ms"] > 10


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_an_exception_is_freed_without_the_garbage_collector(log_events: LogEvents, kind: str) -> None:
    """Nothing of ours makes a circle of an exception and the frames it has gone through."""

    class PreciousError(KeyError):
        pass

    @track_performance
    def function() -> None:
        raise PreciousError

    @track_performance
    def generator() -> Iterator[int]:
        yield 1

    def fail() -> weakref.ref[PreciousError]:
        found: list[weakref.ref[PreciousError]] = []
        try:
            if kind == "function":
                function()
            else:
                started: Any = generator()
                next(started)
                started.throw(PreciousError())
        except PreciousError as error:
            found.append(weakref.ref(error))
        return found[0]

    gc.collect()
    gc.disable()
    try:
        assert fail()() is None
    finally:
        gc.enable()
