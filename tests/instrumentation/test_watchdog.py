"""The watchdog's looks: who is stuck, what came late; each told once, counted exactly, forgotten afterwards."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from logging_pkg.context import active
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation import late_work as late_work_module
from logging_pkg.instrumentation.database.statements import Statement
from logging_pkg.instrumentation.late_work import late_work, unattributed
from logging_pkg.instrumentation.request import watchdog
from logging_pkg.instrumentation.request.live_stack import frames_of_thread
from logging_pkg.instrumentation.request.watch import RequestWatch
from logging_pkg.instrumentation.request.watchdog import (
    in_flight,
    report_late_work,
    start_watchdog,
    stop_watchdog,
    tick,
)
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events

STUCK, ORPHANED = "http.request_stuck", "http.orphaned_work_detected"
pytestmark = pytest.mark.usefixtures("background_alone", "_clean")


@pytest.fixture
def _clean() -> Iterator[None]:
    assert in_flight == {}
    late_work.clear()  # what tests before this one left
    yield
    in_flight.clear()
    late_work.clear()


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns after a few instructions, not after milliseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def watched() -> RequestWatch:
    return RequestWatch("GET", lambda: "/items/{id}/")


def finished() -> RequestWatch:
    """A request that has been told of."""
    watch = watched()
    watch.started()
    watch.responded()
    watch.finish(status=200, response_bytes=0)
    return watch


def wait_for_event(events: LogEvents, name: str) -> None:
    deadline = time.monotonic() + 20
    while not events.named(name) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert events.named(name)


def test_a_stuck_request_is_told_once() -> None:
    """However often the watchdog looks; with what it has done so far and where it stands."""
    with capture_events(stuck_request_threshold_s=0.001) as events:
        watch = watched()
        watch.started()
        watch.totals.add_query(Statement("default", "sqlite", "SELECT 1"), 2_000_000)
        watch.totals.add_api_attempt(3_000_000, 1)
        time.sleep(0.002)
        for _ in range(3):
            tick()
        event = assert_event(
            events,
            STUCK,
            count=1,
            method="GET",
            route="/items/{id}/",
            threshold_ms=1,
            is_async=0,
            in_flight_count=1,
            query_count=1,
            query_time_ms=2,
            api_call_count=1,
            api_time_ms=3,
            span_id=watch.span.span_id,
        )
        watch.finish(status=200, response_bytes=0)
    assert event["elapsed_ms"] > 1
    assert "test_a_stuck_request_is_told_once" in event["stack"]
    assert in_flight == {}


def test_one_that_answers_in_time_is_not_stuck() -> None:
    """Below the threshold, or with its response there while its body is still being sent."""
    with capture_events(stuck_request_threshold_s=100) as events:
        watch = watched()
        watch.started()
        tick()
    with capture_events(stuck_request_threshold_s=0.001) as events:
        watch.responded()
        time.sleep(0.002)
        tick()
    assert_no_event(events, STUCK)


def test_a_threshold_of_nought_is_off() -> None:
    """Nobody is stuck then, and without a heartbeat there is no thread at all."""
    with capture_events(stuck_request_threshold_s=0, heartbeat_interval_s=0) as events:
        watch = watched()
        watch.started()
        tick()
        start_watchdog()
        assert not background.is_running()
    assert_no_event(events, STUCK)


def test_the_thread_looks_by_itself() -> None:
    """Several times within the threshold; after `stop_watchdog` no more."""
    with capture_events(stuck_request_threshold_s=0.04) as events:
        start_watchdog()
        start_watchdog()
        watch = watched()
        watch.started()
        wait_for_event(events, STUCK)
        stop_watchdog()
        assert not background.is_running()


@pytest.mark.parametrize("way", ["responded", "finished"])
def test_no_request_stays_in_the_registry(way: str, log_events: LogEvents) -> None:
    """However it ends, nothing keeps it alive."""
    watch = watched()
    watch.started()
    assert list(in_flight) == [watch]
    if way == "responded":
        watch.responded()
    else:
        watch.finish(status=500, response_bytes=0)
    assert in_flight == {}
    found = weakref.ref(watch)
    del watch
    assert found() is None


def test_totals_and_span_are_freed_without_the_garbage_collector(log_events: LogEvents) -> None:
    """What a finished request keeps for its late work makes no circle."""

    class Marker(dict[str, Any]):
        """Something of the totals' that can be watched."""

    watch = finished()
    watch.totals.caches = Marker()
    found = weakref.ref(watch.totals.caches)
    gc.disable()
    try:
        del watch
        assert found() is None
    finally:
        gc.enable()


def test_a_task_is_looked_at_by_its_awaits() -> None:
    """From another thread, while its loop runs."""

    async def inner() -> None:
        await asyncio.sleep(30)

    async def outer() -> None:
        watch = watched()
        watch.started(asyncio.current_task())
        await inner()

    async def main() -> None:
        task = asyncio.create_task(outer())
        await asyncio.sleep(0.01)
        await asyncio.to_thread(tick)
        task.cancel()

    with capture_events(stuck_request_threshold_s=0.001) as events:
        asyncio.run(main())
    event = assert_event(events, STUCK, is_async=1)
    names = [line.rsplit(".", 1)[-1] for line in event["stack"].splitlines() if __file__ in line]
    assert names == ["outer", "inner"]


def test_late_work_of_every_kind_is_counted_apart() -> None:
    """Queries, transactions, caches, API calls: none of it changes what the request's own event said."""
    with capture_events() as events:
        watch = watched()
        watch.started()
        watch.totals.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        watch.finish(status=200, response_bytes=0)
        for _ in range(2):
            watch.totals.add_query(Statement("default", "sqlite", "SELECT 1"), 2_000_000)
        watch.totals.add_transaction("default", "sqlite", committed=True, nanoseconds=1)
        watch.totals.add_transaction("default", "sqlite", committed=False, nanoseconds=1)
        watch.totals.add_cache("default", 1_000_000, hits=1)
        watch.totals.add_api_attempt(5_000_000, 1)
        report_late_work()
    request = assert_event(events, "http.request_finished", query_count=1)
    event = assert_event(
        events,
        ORPHANED,
        count=1,
        method="GET",
        route="/items/{id}/",
        outcome="ok",
        query_count=2,
        query_time_ms=4,
        commit_count=1,
        rollback_count=1,
        cache_operation_count=1,
        cache_time_ms=1,
        api_call_count=1,
        api_time_ms=5,
        request_id=request["request_id"],
        parent_span_id=None,
    )
    assert event["last_seen_ms"] > 0
    assert watch.totals.query_count == 1


def test_late_work_of_a_nested_unit_is_the_requests() -> None:
    """A sync run that began in the request and goes on after it."""
    with capture_events() as events:
        watch = watched()
        nested = Totals(parent=watch.totals)
        nested.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        watch.finish(status=200, response_bytes=0)
        nested.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        nested.add_cache("default", 1, hits=1)
        nested.add_api_attempt(1, 1)
        nested.add_transaction("default", "sqlite", committed=True, nanoseconds=1)
        report_late_work()
    finished = assert_event(events, "http.request_finished", query_count=1)
    assert not {"api_call_count", "cache_hit_count"} & finished.keys()
    assert_event(events, ORPHANED, count=1, query_count=1, api_call_count=1, cache_operation_count=1, commit_count=1)
    assert nested.query_count == 2


def test_late_work_is_told_when_it_has_been_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it goes on, but for once a minute; what comes after that is told anew, and nothing twice."""
    now = [10**12]
    monkeypatch.setattr(watchdog, "_clock", lambda: now[0])
    monkeypatch.setattr(late_work_module, "_clock", lambda: now[0])
    with capture_events() as events:
        found = finished().totals
        for _ in range(59):
            now[0] += 10**9
            found.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
            report_late_work(quiet_ns=2 * 10**9)
        assert_no_event(events, ORPHANED)
        now[0] += 10**9
        found.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        report_late_work(quiet_ns=2 * 10**9)
        assert_no_event(events, ORPHANED)
        now[0] += 10**9
        report_late_work(quiet_ns=2 * 10**9)
        assert [event["query_count"] for event in events.named(ORPHANED)] == [60]
        found.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        now[0] += 10**9
        report_late_work(quiet_ns=2 * 10**9)
        assert len(events.named(ORPHANED)) == 1
        now[0] += 10**9
        report_late_work(quiet_ns=2 * 10**9)
        assert [event["query_count"] for event in events.named(ORPHANED)] == [60, 1]
        for _ in range(5):
            report_late_work()
        assert len(events.named(ORPHANED)) == 2
    assert late_work == {}


def test_late_work_from_many_threads_is_counted_exactly() -> None:
    """While the watchdog looks again and again: each query in exactly one event."""
    with capture_events() as events:
        watch = watched()
        watch.started()
        begin = threading.Barrier(9)

        def work() -> None:
            begin.wait()
            for _ in range(500):
                watch.totals.add_query(Statement("default", "sqlite", "SELECT 1"), 1)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        begin.wait()
        watch.finish(status=200, response_bytes=0)
        while any(thread.is_alive() for thread in threads):
            report_late_work()
        report_late_work()
    counted = events.named("http.request_finished")[0]["query_count"]
    assert counted + sum(event["query_count"] for event in events.named(ORPHANED)) == 4000


def test_memory_for_late_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody looks, requests beyond the bound leave their queries with those of no unit."""
    monkeypatch.setattr(late_work_module, "MAX_LATE", 3)
    before = unattributed.query_count
    with capture_events() as events:
        for _ in range(5):
            found = finished().totals
            found.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
            found.add_cache("default", 1, hits=1)
        assert len(late_work) == 3
        report_late_work()
    assert [event["query_count"] for event in events.named(ORPHANED)] == [1, 1, 1]
    assert unattributed.query_count - before == 2
    assert late_work == {}


def test_what_is_emitted_late_is_the_requests(log_events: LogEvents) -> None:
    """The span stays whole: what runs in it after the end carries its correlation ID."""
    watch = finished()
    with active(watch.span):
        from logging_pkg import emit

        emit("log.message_recorded", logger="l", message="m", source="s:1", function=None)
    assert_event(log_events, "log.message_recorded", request_id=watch.span.span_id)


def test_a_stack_that_cannot_be_had_costs_only_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread may have ended meanwhile, or we have a fault: the request is told of all the same."""
    monkeypatch.setattr(watchdog, "frames_of_thread", lambda _: 1 / 0)
    with capture_events(stuck_request_threshold_s=0.001, strict=False) as events:
        watched().started()
        time.sleep(0.002)
        tick()
        assert_event(events, STUCK, count=1, stack=None)
        monkeypatch.setattr(watchdog, "frames_of_thread", lambda _: [])
        watched().started()
        time.sleep(0.002)
        tick()
    assert [event["stack"] for event in events.named(STUCK)] == [None, None]


def test_a_stack_is_bounded_and_holds_no_values() -> None:
    """The innermost frames of a deep one, each as file:line function."""

    def deep(secret: str, levels: int) -> None:
        if levels:
            deep(secret, levels - 1)
            return
        watched().started()
        time.sleep(0.002)
        tick()

    with capture_events(stuck_request_threshold_s=0.001) as events:
        deep("hunter2", 200)
    lines = assert_event(events, STUCK)["stack"].splitlines()
    assert len(lines) == 30
    assert sum(" " in line and line.endswith("deep") for line in lines) > 20
    assert all(re.fullmatch(r".+\.py:\d+ \S+", line) for line in lines)
    assert "hunter2" not in str(events)


@pytest.mark.parametrize("looked_at", ["it", "another"])
def test_looking_keeps_nothing_alive(looked_at: str) -> None:
    """What a function has in its hands is freed at its end, garbage collector or not, though somebody has looked."""

    class Held:
        pass

    held: list[weakref.ref[Held]] = []
    has_it, let_go = threading.Event(), threading.Event()

    def work() -> None:
        mine = Held()
        held.append(weakref.ref(mine))
        has_it.set()
        let_go.wait(20)

    worker = threading.Thread(target=work)
    worker.start()
    assert has_it.wait(20)
    gc.collect()
    gc.disable()
    try:
        ident = worker.ident if looked_at == "it" else threading.get_ident()
        looker = threading.Thread(target=lambda: len(frames_of_thread(ident or 0)))
        looker.start()
        looker.join()
        let_go.set()
        worker.join()
        assert held[0]() is None
    finally:
        gc.enable()


def test_looking_does_not_disturb_a_unit_that_is_counting(often: None) -> None:
    """New database aliases come up while the watchdog adds up the queries of all."""
    with capture_events(stuck_request_threshold_s=0.0001) as events:
        watch = watched()
        watch.started()
        stop = threading.Event()

        def work() -> None:
            for number in range(100_000):
                watch.totals.add_query(Statement(f"alias {number}", "sqlite", "SELECT 1"), 1)
                if stop.is_set():
                    break

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(300):
            watch.is_reported_stuck = False
            tick()
        stop.set()
        thread.join()
        counts = [event["query_count"] for event in events.named(STUCK)]
    assert len(counts) >= 299
    assert counts == sorted(counts)
