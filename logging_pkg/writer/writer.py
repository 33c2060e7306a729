"""The one place where an event becomes a line: validate, serialise, stamp, write.

In: an event's name and fields, the current span. Out: bytes handed to a sink.
Never: lets an invalid event through, raises because a write failed, repeats a value in an error.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.context import SpanIds, current_span
from logging_pkg.exceptions import InvalidEventError, UnknownEventError
from logging_pkg.schemas import Registry, has_non_finite, load_registry, problems_of
from logging_pkg.schemas.conventions import EVENT_NAME_PATTERN, LEVELS
from logging_pkg.writer.shorten import shorten
from logging_pkg.writer.sinks import Sink, make_sink

_dumps = orjson.dumps
_time_ns = time.time_ns
_clock = time.perf_counter_ns

#: Room the stamp takes in a line: timestamp, a seq of up to 20 digits, and event_id.
_STAMP_BYTES = 160


class Writer:
    """Writes the events of one process. Safe across threads, tasks, signal handlers and fork.

    Args:
        settings: service name, limits and mode.
        registry: the declared events.
        sink: where lines go; made from the settings when None.

    Attributes:
        instance_id: 32 hex digits; new for each process.
        written: events handed to the sink with success.
        rejected: events that broke their schema (production mode; strict mode raises and counts too).
        failed: events the sink could not write. Each consumed its seq, so the hole shows in the store.
        shortened: events cut to the line limit.
        faults: of the instrumentation itself, kept from what it watches: what it was about to tell is missing.
        emitted: calls of `emit`.
        emit_nanoseconds: what they have cost, waiting for each other left out.
    """

    def __init__(self, settings: Settings, registry: Registry, sink: Sink | None = None) -> None:
        self.settings = settings
        self.registry = registry
        self._sink = make_sink(settings) if sink is None else sink
        # Re-entrant: a signal handler or finaliser may emit while this thread is inside `_write`. What it emits is
        # written right after the line it interrupted, or seq and time would be taken out of order.
        self._lock = threading.RLock()
        self._start_instance()

    def _start_instance(self) -> None:
        self.instance_id = os.urandom(16).hex()
        self.started = time.monotonic()
        self.written = self.rejected = self.failed = self.shortened = self.faults = 0
        self.emitted = self.emit_nanoseconds = 0
        self._seq = 0
        self._microseconds = 0
        self._second = ""
        self._second_text = ""
        self._last_complaint = 0.0
        self._is_writing = False
        self._interrupting: deque[tuple[bytes, bytes, bytes]] = deque()
        self._sink.start(self.settings.service_name, self.instance_id)
        self._compiled = {name: self._compile(name) for name in self.registry.events}

    def _compile(self, name: str) -> tuple[Callable[[Any], bool], str, dict[str, bytes]]:
        schema = self.registry.events[name]
        heads = {
            level: _dumps(
                {
                    "event": name,
                    "schema_version": schema.version,
                    "level": level,
                    "service_name": self.settings.service_name,
                    "env": self.settings.env,
                    "release": self.settings.release,
                    "instance_id": self.instance_id,
                }
            )[:-1]
            for level in LEVELS
        }
        return schema.accepts, schema.level, heads

    @property
    def sink(self) -> Sink:
        """Where lines go now."""
        return self._sink

    @property
    def last_seq(self) -> int:
        """The seq taken last; 0 before the first event."""
        return self._seq

    def replace_sink(self, sink: Sink) -> Sink:
        """Send lines elsewhere from now on (tests) and return the sink used so far."""
        with self._lock:
            previous = self.sink
            self._sink = sink
        return previous

    def emit(
        self, event: str, fields: Mapping[str, Any], level: str | None = None, span: SpanIds | None = None
    ) -> None:
        """Write one event.

        Args:
            event: a declared name.
            fields: the event's own fields; the envelope is stamped here.
            level: instead of the schema's `x-level`.
            span: the unit it belongs to; the current one when None.

        Raises:
            UnknownEventError, InvalidEventError: in strict mode only. Otherwise a `logging.event_rejected` is
                written in its place. A failed write is counted, never raised.
        """
        if self.settings.enabled:
            # Over the validation too: jsonschema-rs has locks inside, and a child forked while another thread holds
            # one of them would wait for it for ever. A fork waits for this lock.
            with self._lock:
                started = _clock()
                try:
                    self._emit(event, fields, level, span)
                finally:
                    self.emitted += 1
                    self.emit_nanoseconds += _clock() - started

    def _emit(self, event: str, fields: Mapping[str, Any], level: str | None, span: SpanIds | None) -> None:
        try:
            accepts, default_level, heads = self._compiled[event]
            head = heads[level or default_level]
        except (KeyError, TypeError):
            self._refuse_name(event, level, span)
            return
        try:
            valid = accepts(fields)
        except (TypeError, ValueError):
            valid = False
        try:
            body = _dumps(fields)
        except (TypeError, ValueError, RecursionError):
            body = b""
        if not body:
            valid = False
        elif not valid and not (b"null" in body and has_non_finite(fields)):
            # Subclasses of str, tuples, datetimes, UUIDs: not JSON to the validator, but valid as they are written.
            fields = orjson.loads(body)
            valid = accepts(fields)
        if not valid:
            self._refuse_fields(event, fields, span)
            return
        fragment = (span or current_span()).fragment
        if len(body) > self._sink.max_line_bytes - len(head) - len(fragment) - _STAMP_BYTES:
            shortened = self._fit(accepts, fields, head, fragment, body)
            if shortened is None:
                limit = self._sink.max_line_bytes
                problem = f"{event}: the event is {len(body)} bytes and cannot be cut to a line of {limit}"
                self._reject(event, [problem], span)
                return
            body = shortened
        self._write(head, fragment, body)

    def _fit(
        self, accepts: Callable[[Any], bool], fields: Mapping[str, Any], head: bytes, fragment: bytes, body: bytes
    ) -> bytes | None:
        """The body cut to the room of a line; None where its schema does not admit what is left."""
        room = self._sink.max_line_bytes - len(head) - len(fragment) - _STAMP_BYTES
        shortened = shorten(fields, body, room)
        if shortened is None or not accepts({k: v for k, v in shortened.items() if k != "shortened_fields"}):
            return None
        self.shortened += 1
        return _dumps(shortened)

    def _write(self, head: bytes, fragment: bytes, body: bytes) -> None:
        if self._is_writing:
            self._interrupting.append((head, fragment, body))
            return
        self._is_writing = True
        try:
            self._write_line(head, fragment, body)
            while self._interrupting:
                self._write_line(*self._interrupting.popleft())
        finally:
            self._is_writing = False
        if self._sink.deleted:
            deleted, self._sink.deleted = self._sink.deleted, []
            for fields in deleted:
                self._emit("logging.file_deleted", fields, None, None)

    def _write_line(self, head: bytes, fragment: bytes, body: bytes) -> None:
        self._seq = seq = self._seq + 1
        microseconds = _time_ns() // 1000
        if microseconds > self._microseconds:
            self._microseconds = microseconds
        else:
            microseconds = self._microseconds  # a clock set back must not order this event before the last one
        # Cut as text: to format numbers costs more code than all the rest of the line.
        digits = str(microseconds)
        if (second := digits[:-6]) != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(second)))
        stamp = f',"timestamp":"{self._second_text}.{digits[-6:]}Z","seq":{seq},"event_id":"{self.instance_id}-{seq}",'
        line = b"".join((head, stamp.encode(), fragment, b"," if len(body) > 2 else b"", body[1:], b"\n"))
        try:
            self._sink.write(line)
        except OSError as error:
            self.failed += 1
            self._complain(error)
            return
        except BaseException:
            # A signal handler raised (KeyboardInterrupt, a worker's time limit): its business, but the seq is gone.
            self.failed += 1
            raise
        self.written += 1

    def _refuse_name(self, event: object, level: str | None, span: SpanIds | None) -> None:
        if isinstance(event, str) and event in self._compiled:
            self._reject(event, [f'{event}: level "{str(level)[:20]}" is not one of {", ".join(LEVELS)}'], span)
            return
        problem = self.registry.unknown_event(event)
        self._reject(event if isinstance(event, str) else "invalid", [problem], span, unknown=True)

    def _refuse_fields(self, event: str, fields: Mapping[str, Any], span: SpanIds | None) -> None:
        schema = self.registry.events[event]
        problems = _unwritable(event, fields)
        if not problems:
            problems = problems_of(
                schema.validator, fields, event=event, known_fields=schema.properties, source=schema.path.name
            )
        self._reject(event, problems, span)

    def _reject(self, event: str, problems: list[str], span: SpanIds | None, *, unknown: bool = False) -> None:
        self.rejected += 1
        if self.settings.strict:
            raise (UnknownEventError if unknown else InvalidEventError)(event, problems)
        named = len(event) <= 64 and EVENT_NAME_PATTERN.fullmatch(event) is not None
        fields = {
            "rejected_event": event if named else "invalid",
            "problems": [_printable(problem)[:300] for problem in problems[:10]],
            "problem_count": len(problems),
        }
        accepts, level, heads = self._compiled["logging.event_rejected"]
        head, fragment, body = heads[level], (span or current_span()).fragment, _dumps(fields)
        if len(body) > self._sink.max_line_bytes - len(head) - len(fragment) - _STAMP_BYTES:
            # Ten sentences can be more than a line on stdout; the list is what is cut.
            body = self._fit(accepts, fields, head, fragment, body) or body
        self._write(head, fragment, body)

    def _complain(self, error: OSError) -> None:
        """Say on stderr that lines are being lost, at most once a minute: the log itself cannot."""
        now = time.monotonic()
        if now - self._last_complaint > 60 or not self._last_complaint:
            self._last_complaint = now
            try:
                print(
                    f"logging_pkg: cannot write events to {self.sink}: {error.strerror or error}; "
                    f"{self.failed} lost so far. Their seq stays unused, so the store shows the hole.",
                    file=sys.stderr,
                )
            except (OSError, ValueError):
                self._last_complaint = now  # stderr is closed too; the counters still tell

    def before_fork(self) -> None:
        """Hold the lock over a fork, so that the child does not inherit it locked by a thread it lacks."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Become a new instance: own instance_id, own seq from 1, own file."""
        self._lock = threading.RLock()
        self._sink.forget()
        self._start_instance()

    def close(self) -> None:
        """Close the sink. Later events open it again."""
        with self._lock:
            self._sink.close()


def _unwritable(event: str, fields: Mapping[str, Any]) -> list[str]:
    """Sentences for the names and values JSON cannot hold, field by field."""
    problems = []
    for name, value in fields.items():
        if not isinstance(name, str):
            problems.append(f"{event}: a field name is of type {type(name).__name__}, expected str")
            continue
        shown = _printable(name[:64])
        if shown != name[:64]:
            problems.append(f'{event}: field name "{shown}" cannot be written as JSON: it has a lone surrogate')
            continue
        try:
            _dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            # orjson's message names types and limits, never a value.
            problems.append(f'{event}: field "{shown}" cannot be written as JSON: {error}')
            continue
        if has_non_finite(value):
            problems.append(f'{event}: field "{shown}" is NaN or infinite, which JSON cannot hold')
    return problems


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_writer: Writer | None = None
# Re-entrant, for the same reason as the writer's lock.
_creation = threading.RLock()


def get_writer() -> Writer:
    """The process-wide writer, made from the settings in force at its first use."""
    writer = _writer
    if writer is None:
        with _creation:
            writer = _writer
            if writer is None:
                settings = conf.settings()
                writer = set_writer(Writer(settings, load_registry(settings.schema_directories)))
    return writer


def set_writer(writer: Writer) -> Writer:
    """Replace the process-wide writer and return the new one; the old one's sink is closed."""
    global _writer
    if _writer is not None:
        _writer.close()
    _writer = writer
    return writer


_forking: Writer | None = None


def _before_fork() -> None:
    """Hold the locks over a fork, so that the child does not inherit them locked by a thread it lacks."""
    global _forking
    _creation.acquire()
    _forking = _writer
    if _forking is not None:
        _forking.before_fork()


def _after_fork_in_parent() -> None:
    if _forking is not None:
        _forking.after_fork_in_parent()
    _creation.release()


def _after_fork_in_child() -> None:
    global _creation
    _creation = threading.RLock()
    if _forking is not None:
        _forking.after_fork_in_child()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
