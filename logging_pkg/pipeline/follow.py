"""Events as they come: appended to files, or arriving in Loki.

In: a Search, files or a LokiClient. Out: events, each once, until the consumer stops. Never: writes, an end of its own
(but that of stdin).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from logging_pkg.exceptions import LokiError
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.event_lines import PassedOver, event_in, event_of_line
from logging_pkg.pipeline.event_search import Search
from logging_pkg.pipeline.json_lines import STDIN, lines_of, log_files
from logging_pkg.schemas.conventions import parse_timestamp

_SECOND = 1_000_000_000
#: How far behind the newest an event may arrive and still be shown: shipping takes seconds, and differs per process.
_LATE_NS = 30 * _SECOND
_POLL_S = 1.0
_FILE_POLL_S = 0.25


def follow_loki(
    client: LokiClient,
    wanted: Search,
    since_ns: int = 0,
    *,
    on_problem: Callable[[LokiError], None] = lambda _: None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], int] = time.time_ns,
) -> Iterator[dict[str, Any]]:
    """Events that arrive from now on, and those of some time before; those of one look in the order of their times.

    Args:
        client: of the Loki to ask, once a second.
        wanted: which events.
        since_ns: how old events may be to begin with, ns.
        on_problem: told of a look that failed; the next one makes up for it.
        sleep: waits between two looks, seconds.
        clock: ns since 1970.

    Raises:
        LokiError: already the first look failed.
    """
    begin_ns = looked_ns = clock() - since_ns
    shown: dict[str, int] = {}
    has_answered = False
    while True:
        now_ns = clock()
        try:
            answer = client.query_range(wanted.logql(), max(begin_ns, looked_ns - _LATE_NS), now_ns + _SECOND)
        except LokiError as error:
            if not has_answered:
                raise
            on_problem(error)
        else:
            has_answered, looked_ns = True, now_ns
            assert isinstance(answer, Streams)
            for entry in answer.entries:
                event = event_of_line(entry.line)
                if event is not None and event["event_id"] not in shown:
                    shown[event["event_id"]] = entry.timestamp_ns
                    yield event
            shown = {name: at_ns for name, at_ns in shown.items() if at_ns > now_ns - 2 * _LATE_NS}
        sleep(_POLL_S)


def follow_files(
    files: Sequence[Path],
    wanted: Search,
    passed_over: PassedOver,
    since_ns: int | None = None,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[dict[str, Any]]:
    """Events that are appended from now on, also to files that appear in the directories given; and some before.

    Args:
        files: NDJSON files, directories of them, or `-`: stdin, from its start to its end.
        wanted: which events.
        passed_over: told of the lines that are no events; by their files only, unless they are stdin's.
        since_ns: how old events may be, ns, also those that are there; only what is appended when None.
        sleep: waits between two looks, seconds.

    Raises:
        OSError: a file cannot be read.
    """
    begin_ns = time.time_ns() - since_ns if since_ns is not None else 0
    if STDIN in files:
        for line in lines_of(sys.stdin.buffer, "stdin"):
            event = event_in(line, f"stdin:{line.number}", passed_over)
            if event is not None and _fits(event, wanted, begin_ns):
                yield event
        return
    positions = {path: path.stat().st_size for path in log_files(files)} if since_ns is None else {}
    while True:
        for path in log_files(files):
            raw = _appended(path, positions.setdefault(path, 0))
            positions[path] += len(raw)
            for line in lines_of(BytesIO(raw), str(path)):
                event = event_in(line, str(path), passed_over)
                if event is not None and _fits(event, wanted, begin_ns):
                    yield event
        sleep(_FILE_POLL_S)


def _appended(path: Path, position: int) -> bytes:
    """The whole lines behind a position."""
    with path.open("rb") as stream:
        stream.seek(position)
        raw = stream.read()
    return raw[: raw.rfind(b"\n") + 1]


def _fits(event: dict[str, Any], wanted: Search, begin_ns: int) -> bool:
    return parse_timestamp(event["timestamp"]) >= begin_ns and wanted.finds(event)
