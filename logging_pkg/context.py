"""Which unit of work is running: the correlation ID and span IDs every event of it carries.

In: the start and end of units (request, sync, API call, function), inbound and outbound headers.
Out: the current Span, and its IDs as ready-made JSON. Never: emits an event, trusts a header it was not told to trust.
"""

from __future__ import annotations

import contextvars
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any, ParamSpec, TypeVar

from logging_pkg.schemas.conventions import (
    CORRELATION_HEADER,
    CORRELATION_ID_PATTERN,
    SPAN_ID_PATTERN,
    TRACEPARENT_HEADER,
)

P = ParamSpec("P")
R = TypeVar("R")

#: Unit of work -> the envelope field that holds its span_id.
UNIT_FIELDS: Mapping[str, str] = {"request": "request_id", "sync": "sync_id", "api_call": "api_call_id"}

# A generator of our own: seeding `random` in a test must not repeat IDs. Forked children must not either.
_random = Random()
os.register_at_fork(after_in_child=_random.seed)


class SpanIds:
    """What events and pages need of a span, and all that is kept of one that has ended.

    Attributes:
        correlation_id: 32 hex digits.
        fragment: all IDs of the span as the inside of a JSON object, UTF-8.
    """

    __slots__ = ("correlation_id", "fragment")

    correlation_id: str
    fragment: bytes


class Span(SpanIds):
    """One unit of work. Immutable but for `totals`, where instrumentation keeps what the unit has done so far.

    Attributes:
        correlation_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_span_id: span that set this one off; None at a root.
        unit_ids: enclosing units, e.g. `{"request_id": …}`, this one's own included.
        is_unit: whether an event of its own will tell of this span; if not, spans below it are roots.
        totals: owned by `logging_pkg.instrumentation`; shared with child spans that do not set their own.
    """

    __slots__ = ("is_unit", "parent_span_id", "span_id", "totals", "unit_ids")

    def __init__(
        self,
        correlation_id: str,
        span_id: str,
        parent_span_id: str | None,
        unit_ids: Mapping[str, str],
        totals: Any = None,
        *,
        is_unit: bool = True,
    ) -> None:
        self.is_unit = is_unit
        self.correlation_id = correlation_id
        self.span_id = span_id
        self.parent_span_id = parent_span_id
        self.unit_ids = unit_ids
        self.totals = totals
        parent = f'"{parent_span_id}"' if parent_span_id else "null"
        text = f'"correlation_id":"{correlation_id}","span_id":"{span_id}","parent_span_id":{parent}'
        for name in unit_ids:
            text += f',"{name}":"{unit_ids[name]}"'
        self.fragment = text.encode()

    def __repr__(self) -> str:
        return f"<Span {self.correlation_id} {self.span_id}>"


#: Of a UUIDv7's lower 80 bits, the random ones, and the version and the variant between them (RFC 9562).
_RANDOM_BITS = 0xFFF << 64 | (1 << 62) - 1
_VERSION_7 = 7 << 76 | 2 << 62


def new_correlation_id() -> str:
    """A UUIDv7 (RFC 9562) as 32 hex digits: a search can read from it when its events were written.

    Digits come from bytes: to format a number in hexadecimal runs more code than all the rest.
    """
    number = time.time_ns() // 1_000_000 << 80 | _random.getrandbits(80) & _RANDOM_BITS | _VERSION_7
    return number.to_bytes(16, "big").hex()


def start_root_span(unit: str, totals: Any) -> Span:
    """`start_span` for a unit that nothing set off, which most requests are: in one step, since each has one.

    Args:
        unit: as of `start_span`.
        totals: what the unit counts into.
    """
    span_id = new_span_id()
    return Span(new_correlation_id(), span_id, None, {UNIT_FIELDS[unit]: span_id}, totals)


def new_span_id() -> str:
    """16 hex digits, never all zero."""
    return (_random.getrandbits(64) or 1).to_bytes(8, "big").hex()


#: Where a watched request keeps its span, so that records logged after the middleware has returned still find it. The
#: middleware sets it by this name in its code, for which Python searches no class.
REQUEST_ATTRIBUTE = "logging_pkg_span"

_current: contextvars.ContextVar[Span | None] = contextvars.ContextVar("logging_pkg_span", default=None)
_process_span: Span | None = None


def current_span() -> Span:
    """The running unit's span; outside every unit, the span of the process."""
    return _current.get() or _root_of_process()


def current_unit() -> Span | None:
    """The running unit's span; None outside every unit."""
    return _current.get()


def current_correlation_id() -> str:
    """The correlation ID events emitted now would carry."""
    return current_span().correlation_id


def _root_of_process() -> Span:
    """What is emitted outside every unit still has a cause: this process, or the one that started it (TRACEPARENT)."""
    global _process_span
    if _process_span is None:
        inherited = parse_traceparent(os.environ.get("TRACEPARENT", ""))
        correlation_id, parent = inherited or (new_correlation_id(), None)
        span = Span(correlation_id, new_span_id(), parent, {}, is_unit=False)
        # No call stands between the test and the assignment, so that two threads cannot both be first.
        if _process_span is None:
            _process_span = span
    return _process_span


def _forget_process_span() -> None:
    global _process_span
    _process_span = None


os.register_at_fork(after_in_child=_forget_process_span)


def start_span(
    unit: str | None = None,
    *,
    correlation_id: str | None = None,
    parent_span_id: str | None = None,
    totals: Any = None,
) -> Span:
    """Make the span of a new unit below the current one. It is not current until `activate`.

    Args:
        unit: `request`, `sync`, `api_call`, or None for a plain span.
        correlation_id: of a remote parent; starts a new tree.
        parent_span_id: of that remote parent.
        totals: what the unit counts into; the parent's when None.
    """
    span_id = new_span_id()
    unit_ids: Mapping[str, str] = {}
    if correlation_id is None:
        parent = current_span()
        correlation_id, unit_ids = parent.correlation_id, parent.unit_ids
        parent_span_id = parent.span_id if parent.is_unit else parent.parent_span_id
        if totals is None:
            totals = parent.totals
    if unit is not None:
        unit_ids = {**unit_ids, UNIT_FIELDS[unit]: span_id}
    return Span(correlation_id, span_id, parent_span_id, unit_ids, totals)


def activate(span: Span | None) -> Span | None:
    """Make a span current and return the one that was. Undo with `activate(previous)`.

    `ContextVar.set` and not `reset`: a token may not cross from sync to async code.
    """
    previous = _current.get()
    _current.set(span)
    return previous


@contextmanager
def active(span: Span) -> Iterator[Span]:
    """`activate` for the length of a `with` block."""
    previous = activate(span)
    try:
        yield span
    finally:
        activate(previous)


_unobserved: contextvars.ContextVar[bool] = contextvars.ContextVar("logging_pkg_unobserved", default=False)


def is_unobserved() -> bool:
    """Whether what runs now is left out of the log on purpose."""
    return _unobserved.get()


def set_unobserved(value: bool) -> bool:
    """Say whether what follows is left out; returns what was. Undo with `set_unobserved(previous)`, as `activate`."""
    previous = _unobserved.get()
    _unobserved.set(value)
    return previous


@contextmanager
def unobserved() -> Iterator[None]:
    """Leave the queries and outgoing requests of a `with` block out of the log: those of who watches."""
    previous = set_unobserved(True)
    try:
        yield
    finally:
        set_unobserved(previous)


@contextmanager
def new_correlation() -> Iterator[str]:
    """Start a cause of its own: each pass of a worker loop, each message of a queue. Yields the correlation ID."""
    cause = Span(new_correlation_id(), new_span_id(), None, {}, is_unit=False)
    with active(cause):
        yield cause.correlation_id


def current_traceparent() -> str:
    """The W3C `traceparent` of now, to keep with work that is put off; `continued` takes it up."""
    span = current_span()
    return f"00-{span.correlation_id}-{span.span_id}-01"


@contextmanager
def continued(traceparent: str) -> Iterator[str]:
    """Go on with what was put off: a block under the correlation, and below the span, that a `traceparent` names.

    One that cannot be read starts a cause of its own. Yields the correlation ID.
    """
    correlation_id, parent = parse_traceparent(traceparent) or (new_correlation_id(), None)
    cause = Span(correlation_id, new_span_id(), parent, {}, is_unit=False)
    with active(cause):
        yield cause.correlation_id


def carry_context(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a callable so that it runs in the context of now: for threads and executors that start with none.

    >>> threading.Thread(target=carry_context(work)).start()
    """
    span = _current.get()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        previous = activate(span)
        try:
            return function(*args, **kwargs)
        finally:
            activate(previous)

    return carried


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A ThreadPoolExecutor whose tasks run in the context of their `submit`."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Schedule a call; it sees the correlation and totals of the caller."""
        return super().submit(carry_context(fn), *args, **kwargs)


def current_headers() -> dict[str, str]:
    """The headers that tell another service the current correlation (W3C trace context, and our own)."""
    span = current_span()
    return {CORRELATION_HEADER: span.correlation_id, TRACEPARENT_HEADER: current_traceparent()}


_UUID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRACEPARENT_PATTERN = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def parse_correlation_id(value: str) -> str | None:
    """An inbound correlation ID as 32 hex digits, or None. A UUID is accepted with its dashes; nothing else is."""
    value = value.lower()
    if _UUID_PATTERN.fullmatch(value):
        value = value.replace("-", "")
    if CORRELATION_ID_PATTERN.fullmatch(value) is None or value == "0" * 32:
        return None
    return value


def parse_traceparent(value: str) -> tuple[str, str] | None:
    """Trace ID and parent span ID of a W3C `traceparent`, version 00, or None when it is anything else."""
    match = _TRACEPARENT_PATTERN.fullmatch(value)
    if match is None or match[1] == "0" * 32 or SPAN_ID_PATTERN.fullmatch(match[2]) is None or match[2] == "0" * 16:
        return None
    return match[1], match[2]
