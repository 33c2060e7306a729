"""Tell of requests that do not come to their end, and of what they do after it.

In: the requests in flight, and what finished ones went on to do. Out: `http.request_stuck`, once per request;
`http.orphaned_work_detected`, once it has been quiet. Never: a thread or timer per request, an interruption.

A request is watched until its response object is there. A body that is streamed for hours is not stuck: its end is told
by the request's own event.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import time
from typing import TYPE_CHECKING, Any

from logging_pkg import conf
from logging_pkg.events.stacks import describe_frames
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.late_work import Ended, LateWork, late_work
from logging_pkg.instrumentation.request.live_stack import frames_of_task, frames_of_thread

if TYPE_CHECKING:
    from logging_pkg.instrumentation.request.watch import RequestWatch

#: How often the requests in flight are looked at; a quarter of the threshold where that is shorter.
TICK_S = 1.0
#: Late work that never pauses is told of this often.
LATE_WORK_AT_MOST_NS = 60_000_000_000

_TASK = "watchdog"
_clock = time.perf_counter_ns

#: Requests without a response yet, and what runs them: a thread, by its ident, or a task.
in_flight: dict[RequestWatch, int | asyncio.Task[Any]] = {}


def start_watchdog() -> None:
    """Have the background thread look at the requests. Idempotent; survives fork."""
    background.every(_TASK, _interval_s, tick)
    background.start()


def stop_watchdog() -> None:
    """Look no more. For tests and orderly ends."""
    background.cancel(_TASK)


def _interval_s() -> float:
    """Late work is told of wherever anything periodic is; tests, which switch both off, have no thread at all."""
    settings = conf.settings()
    threshold = settings.stuck_request_threshold_s
    if threshold > 0:
        return min(TICK_S, threshold / 4)
    return TICK_S if settings.heartbeat_interval_s > 0 else 0.0


def tick() -> None:
    """Look once: at the requests in flight, and at late work that has been quiet since the last look."""
    _report_stuck()
    report_late_work(quiet_ns=int(_interval_s() * 1e9))


def _report_stuck() -> None:
    threshold_ms = conf.settings().stuck_request_threshold_s * 1000
    if threshold_ms <= 0:
        return
    now = _clock()
    for watch, runs_in in in_flight.copy().items():
        elapsed_ms = milliseconds(now - watch.entered)
        if elapsed_ms <= threshold_ms or watch.is_reported_stuck:
            continue
        watch.is_reported_stuck = True
        totals = watch.totals
        emit_safely(
            "http.request_stuck",
            {
                "method": watch.method,
                "route": watch.route(),
                "elapsed_ms": elapsed_ms,
                "threshold_ms": threshold_ms,
                "is_async": int(not isinstance(runs_in, int)),
                "in_flight_count": len(in_flight),
                "query_count": totals.query_count,
                "query_time_ms": milliseconds(totals.query_nanoseconds),
                "api_call_count": totals.api_calls,
                "api_time_ms": milliseconds(totals.api_nanoseconds),
                "stack": _stack_of(runs_in),
            },
            watch.span,
        )


def _stack_of(runs_in: int | asyncio.Task[Any]) -> str | None:
    with faults_kept_in():  # without its stack the event is still worth having
        found = frames_of_thread(runs_in) if isinstance(runs_in, int) else frames_of_task(runs_in)
        return describe_frames(found) or None
    return None


def report_late_work(*, quiet_ns: int = 0) -> None:
    """Emit what finished requests went on to do, where the last of it is so long ago."""
    now = _clock()
    for totals, late in late_work.copy().items():
        if now - late.last < quiet_ns and now - late.first < LATE_WORK_AT_MOST_NS:
            continue
        ended, taken = totals.ended, totals.take_late_work()
        if ended is not None and taken is not None:
            emit_safely("http.orphaned_work_detected", _late_fields(ended, taken), ended)


def _late_fields(ended: Ended, late: LateWork) -> dict[str, Any]:
    return {
        "method": ended.method,
        "route": ended.route,
        "outcome": ended.outcome,
        "last_seen_ms": milliseconds(max(0, late.last - ended.at)),
        "query_count": late.queries,
        "query_time_ms": milliseconds(late.query_nanoseconds),
        "commit_count": late.commits,
        "rollback_count": late.rollbacks,
        "cache_operation_count": late.cache_operations,
        "cache_time_ms": milliseconds(late.cache_nanoseconds),
        "api_call_count": late.api_calls,
        "api_time_ms": milliseconds(late.api_nanoseconds),
    }


def _after_fork() -> None:
    """The parent's requests are the parent's."""
    in_flight.clear()
    late_work.clear()


os.register_at_fork(after_in_child=_after_fork)
# What a server did in its last second; one that ends by a signal (uvicorn sends itself the one it got) takes it along.
atexit.register(report_late_work)
