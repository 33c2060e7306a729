"""Programs that write events and live, and `logpipe` commands beside them: what a test on the clock rests on.

In: names of services, a directory of log files. Out: events in it, written by the library; running commands. Never: an event
pushed past the writer, a shortened interval.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from logging_pkg.conf import Settings
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.examples import example_lines
from logging_pkg.writer import Writer
from tests.pipeline.events import ENV

REGISTRY = load_registry()
#: What calls of Google's API tell of their quotas: limits that nothing here comes near.
CALL: dict[str, Any] = {
    "quota_minute_limit": 10_000,
    "quota_user_minute_limit": 10_000,
    "quota_day_limit": 100_000,
    "quota_day_left_s": 1,
    "is_error": 0,
    "is_rate_limited": 0,
    "account_hash": None,
    "quota_day": "2026-01-01",
}


class Service:
    """A program that writes events and lives: its heartbeat comes every 5 s until it is stopped."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.writer = Writer(Settings(service_name=name, env=ENV, directory=directory), REGISTRY)
        self.heartbeat: dict[str, Any] = {"uptime_s": 100.0, "failed_count": 0}
        self.last_beat_ns = 0
        self._is_down = threading.Event()

    def emit(self, event: str, count: int = 1, **fields: Any) -> int:
        """Write an event so many times; returns when, in ns."""
        own = REGISTRY.events[event].properties
        plain = {name: value for name, value in next(iter(example_lines(REGISTRY, event, 1))).items() if name in own}
        at_ns = time.time_ns()
        for _ in range(count):
            self.writer.emit(event, {**plain, **fields})
        return at_ns

    def live(self) -> None:
        self._is_down.clear()
        threading.Thread(target=self._beat, daemon=True).start()

    def go_down(self) -> int:
        """Beat no more; returns when it last did."""
        self._is_down.set()
        return self.last_beat_ns

    def _beat(self) -> None:
        while not self._is_down.is_set():
            self.last_beat_ns = self.emit("process.sampled", **self.heartbeat)
            self._is_down.wait(5)


@contextmanager
def running(*arguments: str, logs: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `logpipe` command for the block."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    environ |= {"LOGPIPE_DIRECTORY": str(logs), "LOGPIPE_ENV": ENV}
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "logging_pkg.cli", *arguments], env=environ, stdout=stream, stderr=stream
        )
    try:
        yield process
        assert process.poll() is None, output.read_text()
    finally:
        process.terminate()
        process.wait(60)
