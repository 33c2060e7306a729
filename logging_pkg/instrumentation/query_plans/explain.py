"""Explain slow SELECTs after the unit that ran them, in a thread of our own.

In: slow queries with their parameters. Out: `db.query_explained`, once per fingerprint and interval.
Never: asks on the request's time or connection, waits for a place in the queue, lets a parameter out of memory.
"""

from __future__ import annotations

import atexit
import copy
import os
import re
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from logging_pkg import conf
from logging_pkg.context import Span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.database.sql import fingerprint, operation_of
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.query_plans.connections import VENDORS, explain, is_timeout
from logging_pkg.instrumentation.query_plans.nodes import Node
from logging_pkg.instrumentation.totals import Totals

#: Slow SELECTs that wait to be explained; more are not.
MAX_QUEUED = 20
#: Fingerprints whose last time is remembered.
MAX_REMEMBERED = 1_000
#: Characters of a statement, and bytes of its parameters; the largest are not kept in memory for this.
MAX_SQL = 10_000
MAX_PARAMS = 10_000

#: Words that make a SELECT one that writes or locks; an unquoted name that is one of these costs a plan, no more.
_NO_READING = re.compile(
    r"(?<![\w.\"`])(?:INSERT|UPDATE|DELETE|MERGE|INTO|FOR\s+(?:KEY\s+)?SHARE)(?![\w\"`])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SlowSelect:
    """A slow query to be explained: all that is needed once its connection may be gone."""

    kind: type[Any]
    settings: dict[str, Any]
    alias: str
    sql: str
    params: Any
    shape: str
    nanoseconds: int
    caller: str | None
    route: str | None
    span: Span


class Explainer:
    """The queue, and the thread that lives as long as there is something in it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as in a forked child: the thread is the parent's."""
        # Re-entrant: a signal handler, or a finaliser that the garbage collector runs, may ask the database in here.
        self._lock = threading.RLock()
        self._queue: deque[SlowSelect] = deque()
        self._thread: threading.Thread | None = None
        #: Held while a plan is asked for.
        self._asking = threading.RLock()
        self._has_stopped_asking = False
        self._last: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._is_closed = False

    def claim(self, alias: str, shape: str) -> bool:
        """Whether this fingerprint's turn has come; if so, its next one comes an interval later."""
        now = time.monotonic()
        key = (alias, shape)
        with self._lock:
            last = self._last.get(key)
            if last is not None and now - last < conf.settings().explain_interval_s:
                return False
            self._last[key] = now
            self._last.move_to_end(key)
            if len(self._last) > MAX_REMEMBERED:
                self._last.popitem(last=False)
            return True

    def give_back(self, select: SlowSelect) -> None:
        """There was no room for it: its fingerprint may try again at once."""
        with self._lock:
            self._last.pop((select.alias, select.shape), None)

    def submit(self, select: SlowSelect) -> None:
        """Queue one; where there is no room its turn is given back."""
        with self._lock:
            if self._is_closed or len(self._queue) >= MAX_QUEUED:
                self.give_back(select)
                return
            self._queue.append(select)
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="logging_pkg-explain", daemon=True)
                thread.start()  # where the system has no room for it, the next slow SELECT tries again
                self._thread = thread

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is left to explain; whether that was in time."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        return self._thread is None

    def close(self) -> None:
        """At exit: drop what waits, and let a plan that is asked for come to its end."""
        with self._lock:
            self._is_closed = True
            self._queue.clear()
        self.wait(conf.settings().explain_timeout_ms / 1000 + 0.5)

    def before_fork(self) -> None:
        """Let a plan that is asked for come to its end: SQLite's own locks, held by a thread the child lacks, would
        stop the child for ever.
        """
        if self._asking.acquire(timeout=conf.settings().explain_timeout_ms / 1000 + 0.5):
            self._has_stopped_asking = True

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._has_stopped_asking:
            self._has_stopped_asking = False
            self._asking.release()

    def _work(self) -> None:
        while (select := self._next()) is not None:
            try:
                with self._asking, faults_kept_in():
                    _explain(select)
            except BaseException:
                self._thread = None  # strict mode: the next slow SELECT starts another one
                raise

    def _next(self) -> SlowSelect | None:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._thread = None
            return None


explainer = Explainer()
os.register_at_fork(
    before=explainer.before_fork, after_in_parent=explainer.after_fork_in_parent, after_in_child=explainer.reset
)
atexit.register(explainer.close)


def offer(
    connection: Any,
    sql: str,
    params: Any,
    *,
    nanoseconds: int,
    caller: str | None,
    totals: Totals | None,
    span: Span,
) -> None:
    """Take a slow statement to be explained, if it can be and its turn has come.

    Args:
        connection: Django's, of which only class, alias and settings are taken.
        sql: the statement as text.
        params: its parameters.
        nanoseconds: how long it took.
        caller: the project's line that ran it.
        totals: of the unit it ran in; it is explained when the outermost one has ended.
        span: of the same unit.
    """
    if not is_explainable(connection, sql, params):
        return
    shape = fingerprint(sql, connection.vendor)
    if not explainer.claim(connection.alias, shape):
        return
    select = SlowSelect(
        type(connection),
        dict(connection.settings_dict),
        connection.alias,
        sql,
        copy.copy(params),
        shape,
        nanoseconds,
        caller,
        totals.route() if totals is not None else None,
        span,
    )
    is_deferred = totals is not None and totals.defer(partial(explainer.submit, select))
    if is_deferred is None:
        explainer.give_back(select)
    elif not is_deferred:
        explainer.submit(select)


def is_explainable(connection: Any, sql: str, params: Any) -> bool:
    """Whether a statement can be explained without running it, and elsewhere than where it ran.

    Not what writes or locks, is several statements, or is large; not with parameters that can be read only once; not
    SQLite in memory, which another connection does not see or would lock.
    """
    if connection.vendor not in VENDORS or len(sql) > MAX_SQL or operation_of(sql) != "select":
        return False
    # Several statements would be run from the second on. A text with a semicolon in it is the price.
    if ";" in sql.rstrip("; \r\n\t") or _NO_READING.search(fingerprint(sql, connection.vendor)):
        return False
    if not (params is None or isinstance(params, list | tuple | dict)) or _size(params) > MAX_PARAMS:
        return False
    return connection.vendor != "sqlite" or not connection.is_in_memory_db()


def _size(params: Any) -> float:
    """About how many bytes parameters take; infinite for what can be read but once."""
    if isinstance(params, str | bytes | bytearray | memoryview):
        return len(params)
    if isinstance(params, dict):
        return sum(_size(value) for value in params.values())
    if isinstance(params, list | tuple):
        return sum(map(_size, params)) + 8 * len(params)
    if hasattr(params, "__next__") or hasattr(params, "read"):
        return float("inf")
    return 8


def _explain(select: SlowSelect) -> None:
    settings = conf.settings()
    started = time.perf_counter_ns()
    nodes: list[Node] = []
    findings: list[dict[str, Any]] = []
    error_type = None
    try:
        nodes, findings = explain(
            select.kind,
            select.settings,
            select.alias,
            select.sql,
            select.params,
            select.shape,
            min_rows=settings.explain_full_scan_rows,
            timeout_ms=settings.explain_timeout_ms,
        )
    except Exception as error:
        error_type = "timeout" if is_timeout(error) else error_type_of(error)
    kinds = {finding["kind"] for finding in findings}
    emit_safely(
        "db.query_explained",
        {
            "alias": select.alias,
            "vendor": select.kind.vendor,
            "fingerprint": select.shape,
            "duration_ms": milliseconds(select.nanoseconds),
            "caller": select.caller,
            "route": select.route,
            "outcome": "explained" if error_type is None else "failed",
            "error_type": error_type,
            "explain_ms": milliseconds(time.perf_counter_ns() - started),
            "plan": [node.fields() for node in nodes],
            "findings": findings,
            "has_full_scan": int("full_scan" in kinds),
            "has_missing_index": int("missing_index_candidate" in kinds),
            "has_sort": int(not kinds.isdisjoint({"sort", "temporary_b_tree"})),
        },
        select.span,
    )
