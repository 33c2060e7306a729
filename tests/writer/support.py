"""What the writer's tests share.

In: settings. Out: writers with a sink in memory, the lines of a directory. Never: the process-wide writer.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson

from logging_pkg.conf import Settings
from logging_pkg.schemas import load_registry
from logging_pkg.writer import Sink, Writer

REGISTRY = load_registry()
#: A minimal valid event for tests that are about lines, not about fields.
MESSAGE: dict[str, Any] = {"logger": "tests", "message": "m", "source": "tests.py:1", "function": None}


class MemorySink(Sink):
    """Keeps lines as they were written."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.lines]


def memory_writer(**settings: Any) -> tuple[Writer, MemorySink]:
    """A writer of its own, in production mode unless told otherwise, and where its lines go."""
    sink = MemorySink()
    return Writer(Settings(**{"service_name": "tests", "strict": False, **settings}), REGISTRY, sink), sink


def file_writer(directory: Path, **settings: Any) -> Writer:
    """A writer with a real file sink, in production mode."""
    return Writer(Settings(service_name="tests", strict=False, directory=directory, **settings), REGISTRY)


def read_events(directory: Path) -> list[dict[str, Any]]:
    """Every event of every file of a directory in which nobody writes any more."""
    return [orjson.loads(line) for path in directory.glob("*.ndjson") for line in path.read_bytes().splitlines()]


def events_so_far(directory: Path, pattern: str = "*.ndjson") -> list[dict[str, Any]]:
    """Every event of files that others write to: of a line being written a reader may see the beginning alone."""
    return [
        orjson.loads(line)
        for path in directory.glob(pattern)
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    ]


def by_instance(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Events per instance, in the order of seq."""
    found = defaultdict(list)
    for event in sorted(events, key=lambda event: event["seq"]):
        found[event["instance_id"]].append(event)
    return dict(found)


def assert_whole(events: list[dict[str, Any]]) -> None:
    """Assert that the events of one instance have every seq from 1, in order of time, and are valid."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert [problem for event in events for problem in REGISTRY.problems(event)] == []


def program(body: str) -> str:
    """A Python program with a writer at hand, for tests that need a process of their own."""
    return textwrap.dedent(
        """
        import os, sys, signal, threading
        from pathlib import Path
        from logging_pkg.conf import Settings
        from logging_pkg.schemas import load_registry
        from logging_pkg.writer import Writer, get_writer, set_writer
        MESSAGE = {"logger": "tests", "message": "m", "source": "tests.py:1", "function": None}
        def emit(text="m"):
            get_writer().emit("log.message_recorded", {**MESSAGE, "message": text})
        """
    ) + textwrap.dedent(body)
