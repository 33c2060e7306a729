"""Capture events at the writer's end, so that threads, async code, live servers and cached loggers are all seen.

In: the process-wide writer. Out: a list of events as dicts, in the order written. Never: a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson

from logging_pkg import conf
from logging_pkg.exceptions import InvalidEventError
from logging_pkg.schemas import load_registry
from logging_pkg.writer import Sink, Writer, get_writer, set_writer


class LogEvents(list[dict[str, Any]]):
    """Captured events: a list of dicts, each with its envelope."""

    def named(self, event: str) -> list[dict[str, Any]]:
        """Those with this name."""
        return [entry for entry in self if entry["event"] == event]


class _MemorySink(Sink):
    def __init__(self) -> None:
        self.events = LogEvents()

    def __str__(self) -> str:
        return "memory"

    def write(self, line: bytes) -> None:
        self.events.append(orjson.loads(line))


@contextmanager
def capture_events(**overrides: Any) -> Iterator[LogEvents]:
    """Capture what the block emits, in strict mode unless told otherwise.

    Args:
        overrides: fields of `logging_pkg.conf.Settings` for the length of the block, e.g. `strict=False`.

    Raises:
        InvalidEventError: at the end, when a captured line does not match its schema whole, envelope included.
    """
    previous_settings = conf.settings()
    previous_writer = get_writer()
    settings = replace(previous_settings, **{"strict": True, "enabled": True, **overrides}).checked()
    registry = previous_writer.registry
    if settings.schema_directories != previous_settings.schema_directories:
        registry = load_registry(settings.schema_directories)
    sink = _MemorySink()
    conf.configure(settings)
    set_writer(Writer(settings, registry, sink))
    try:
        yield sink.events
    finally:
        conf.configure(previous_settings)
        set_writer(previous_writer)
    for line in sink.events:
        problems = registry.problems(line)
        if problems:
            raise InvalidEventError(str(line.get("event")), problems)
