"""The one place where an event becomes a line: validate, serialise, stamp, write.

In: an event's name and fields, the current span. Out: bytes handed to a sink.
Never: lets an invalid event through, raises because a write failed, repeats a value in an error.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.context import Span, current_span
from logging_pkg.exceptions import InvalidEventError, UnknownEventError
from logging_pkg.schemas import Registry, has_non_finite, load_registry, problems_of
from logging_pkg.schemas.conventions import EVENT_NAME_PATTERN, LEVELS
from logging_pkg.writer.shorten import shorten
from logging_pkg.writer.sinks import Sink, make_sink

_dumps = orjson.dumps
_time_ns = time.time_ns

#: Room the stamp takes in a line: timestamp, a seq of up to 20 digits, and event_id.
_STAMP_BYTES = 160


class Writer:
    """Writes the events of one process. Safe across threads, tasks, signal handlers and fork.

    Args:
        settings: service name, limits and mode.
        registry: the declared events.
        sink: where lines go; made from the settings when None.
        instance_id: 32 hex digits; new for each process when None.

    Attributes:
        written: events handed to the sink with success.
        rejected: events that broke their schema (production mode; strict mode raises and counts too).
        failed: events the sink could not write. Each consumed its seq, so the hole shows in the store.
        shortened: events cut to the line limit.
    """

    def __init__(self, settings: Settings, registry: Registry, sink: Sink | None = None) -> None:
        self.settings = settings
        self.registry = registry
        self._sink = sink
        # Re-entrant: a signal handler or finaliser may emit while this thread is inside `_write`.
        self._lock = threading.RLock()
        self._start_instance()

    def _start_instance(self) -> None:
        self.instance_id = os.urandom(16).hex()
        self.started = time.monotonic()
        self.written = self.rejected = self.failed = self.shortened = 0
        self._instance = self.instance_id.encode()
        self._seq = 0
        self._microseconds = 0
        self._second = -1
        self._second_text = b""
        self._last_complaint = 0.0
        if self._sink is None:
            self._sink = make_sink(self.settings)
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
        assert self._sink is not None
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

    def emit(self, event: str, fields: Mapping[str, Any], level: str | None = None, span: Span | None = None) -> None:
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
        if not self.settings.enabled:
            return
        try:
            accepts, default_level, heads = self._compiled[event]
            head = heads[level or default_level]
        except (KeyError, TypeError):
            self._refuse_name(event, level)
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
            self._refuse_fields(event, fields)
            return
        fragment = (span or current_span()).fragment
        room = self.sink.max_line_bytes - len(head) - len(fragment) - _STAMP_BYTES
        if len(body) > room:
            shortened = shorten(fields, body, room)
            if shortened is None or not accepts({k: v for k, v in shortened.items() if k != "shortened_fields"}):
                self._reject(event, [f"{event}: the event is {len(body)} bytes and cannot be cut to {room}"])
                return
            self.shortened += 1
            body = _dumps(shortened)
        self._write(head, fragment, body)

    def _write(self, head: bytes, fragment: bytes, body: bytes) -> None:
        with self._lock:
            self._seq = seq = self._seq + 1
            # A clock set back must not order this event before the last one.
            self._microseconds = microseconds = max(self._microseconds, _time_ns() // 1000)
            second, fraction = divmod(microseconds, 1_000_000)
            if second != self._second:
                self._second = second
                self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
            line = b'%b,"timestamp":"%b.%06dZ","seq":%d,"event_id":"%b-%d",%b%b%b\n' % (
                head,
                self._second_text,
                fraction,
                seq,
                self._instance,
                seq,
                fragment,
                b"," if len(body) > 2 else b"",
                body[1:],
            )
            try:
                self.sink.write(line)
            except OSError as error:
                self.failed += 1
                self._complain(error)
                return
            self.written += 1
        for deleted in self.sink.take_deleted():
            self.emit("logging.file_deleted", deleted)

    def _refuse_name(self, event: object, level: str | None) -> None:
        if isinstance(event, str) and event in self._compiled:
            self._reject(event, [f'{event}: level "{str(level)[:20]}" is not one of {", ".join(LEVELS)}'])
            return
        problem = self.registry.unknown_event(event)
        self._reject(event if isinstance(event, str) else "invalid", [problem], unknown=True)

    def _refuse_fields(self, event: str, fields: Mapping[str, Any]) -> None:
        schema = self.registry.events[event]
        problems = _unwritable(event, fields)
        if not problems:
            problems = problems_of(
                schema.validator, fields, event=event, known_fields=schema.properties, source=schema.path.name
            )
        self._reject(event, problems)

    def _reject(self, event: str, problems: list[str], *, unknown: bool = False) -> None:
        self.rejected += 1
        if self.settings.strict:
            raise (UnknownEventError if unknown else InvalidEventError)(event, problems)
        named = len(event) <= 64 and EVENT_NAME_PATTERN.fullmatch(event) is not None
        fields = {
            "rejected_event": event if named else "invalid",
            "problems": [_printable(problem)[:300] for problem in problems[:10]],
            "problem_count": len(problems),
        }
        _, level, heads = self._compiled["logging.event_rejected"]
        self._write(heads[level], current_span().fragment, _dumps(fields))

    def _complain(self, error: OSError) -> None:
        """Say on stderr that lines are being lost, at most once a minute: the log itself cannot."""
        now = time.monotonic()
        if now - self._last_complaint > 60 or not self._last_complaint:
            self._last_complaint = now
            try:
                print(
                    f"logging_pkg: cannot write events to {self.sink}: {error.strerror}; "
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
        self.sink.forget()
        self._start_instance()

    def close(self) -> None:
        """Close the sink. Later events open it again."""
        with self._lock:
            self.sink.close()


def _unwritable(event: str, fields: Mapping[str, Any]) -> list[str]:
    """Sentences for the values JSON cannot hold, field by field."""
    problems = []
    for name, value in fields.items():
        shown = _printable(str(name))[:64]
        try:
            _dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            reason = "text with a lone surrogate" if "surrogates" in str(error) else type(value).__name__
            problems.append(f'{event}: field "{shown}" cannot be written as JSON: {reason}')
            continue
        if has_non_finite(value):
            problems.append(f'{event}: field "{shown}" is NaN or infinite, which JSON cannot hold')
    return problems


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_writer: Writer | None = None
_creation = threading.Lock()


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


def _hook(name: str) -> Callable[[], None]:
    def call() -> None:
        if _writer is not None:
            getattr(_writer, name)()

    return call


os.register_at_fork(
    before=_hook("before_fork"),
    after_in_parent=_hook("after_fork_in_parent"),
    after_in_child=_hook("after_fork_in_child"),
)
