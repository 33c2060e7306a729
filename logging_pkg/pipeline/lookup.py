"""Find in Loki or in files what belongs to one ID, and what a set of log files should have left in Loki.

In: a LokiClient or NDJSON files, IDs, a log directory. Out: events as dicts, a Completeness. Never: writes.
"""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import orjson

from logging_pkg.analysis.completeness import Completeness, Stored, completeness
from logging_pkg.loki_client import LokiClient, Streams, Vector
from logging_pkg.pipeline.correlation import ALL_STREAMS, SPAN_ID_DIGITS, UNIT_IDS, checked, look_up, only_one
from logging_pkg.pipeline.event_lines import PassedOver, event_in
from logging_pkg.pipeline.json_lines import STDIN, json_lines
from logging_pkg.schemas.conventions import LOG_FILE_SUFFIX

_SECOND = 1_000_000_000


def events_of(
    client: LokiClient,
    some_id: str,
    *,
    now_ns: int | None = None,
    at_ns: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[dict[str, Any]]:
    """All events that share the correlation of an ID.

    Args:
        client: of the Loki to ask.
        some_id: a correlation ID, the beginning of one (4 digits or more), or a request_id, sync_id or api_call_id.
        now_ns: end of the search; the present when None.
        at_ns: when the line was written that led to this ID; see `look_up`.
        on_progress: told, after each part of the time that was looked through, how many are and how many there are.

    Raises:
        LogpipeError: the ID is not hexadecimal, nothing was found, or the prefix fits several correlations.
        LokiError: Loki could not be asked.
    """
    return look_up(client, some_id, now_ns=now_ns, at_ns=at_ns, on_progress=on_progress).events


def events_in_files(files: Sequence[Path], some_id: str, passed_over: PassedOver) -> list[dict[str, Any]]:
    """The same of events in files.

    Args:
        files: NDJSON files or directories of them; `-` is stdin, which is kept in a temporary file.
        some_id: as for `events_of`.
        passed_over: told of the lines that are no events.

    Raises:
        LogpipeError: as for `events_of`.
        OSError: a file cannot be read.
    """
    some_id = checked(some_id)
    # Read twice: which correlation it is may be known only at the end.
    with TemporaryFile() as stdin:
        if STDIN in files:
            shutil.copyfileobj(sys.stdin.buffer, stdin)
        stdin.seek(0)
        correlations = {
            str(event["correlation_id"])
            for event in events_of_files(files, passed_over, stdin)
            if str(event["correlation_id"]).startswith(some_id)
            or (len(some_id) == SPAN_ID_DIGITS and some_id in {event.get(name) for name in UNIT_IDS})
        }
        correlation = only_one(some_id, correlations, " in these files")
        stdin.seek(0)
        again = events_of_files(files, PassedOver(), stdin)
        return [event for event in again if event["correlation_id"] == correlation]


def events_of_files(
    files: Sequence[Path], passed_over: PassedOver, stdin: BinaryIO | None = None
) -> Iterator[dict[str, Any]]:
    """Every line of NDJSON files that is an event of this pipeline.

    Args:
        files: `-` is stdin.
        passed_over: told of the other lines.
        stdin: a copy of it, for who reads twice.

    Raises:
        OSError: a file cannot be read.
    """
    for line in json_lines(files, stdin):
        event = event_in(line, f"{line.source}:{line.number}", passed_over)
        if event is not None:
            yield event


def stored_events(client: LokiClient, start_ns: int, end_ns: int) -> list[dict[str, Any]]:
    """Every stored event of a time range, ns."""
    answer = client.query_range(ALL_STREAMS, start_ns, end_ns)
    assert isinstance(answer, Streams)
    return [orjson.loads(entry.line) for entry in answer.entries]


def last_written(directory: Path) -> dict[str, int]:
    """instance_id -> last seq in the event files of a directory. What a torn last line was is not counted."""
    last: dict[str, int] = {}
    for path in directory.glob(f"*{LOG_FILE_SUFFIX}"):
        with path.open("rb") as lines:
            for raw in lines:
                try:
                    event = orjson.loads(raw)
                    instance, seq = event["instance_id"], event["seq"]
                except (ValueError, KeyError, TypeError):
                    continue
                last[instance] = max(last.get(instance, 0), seq)
    return last


def measure_completeness(client: LokiClient, directory: Path, start_ns: int, end_ns: int) -> Completeness:
    """Compare the files of a log directory with what Loki stores of their time range.

    The count is a metric query, which counts repeated entries; the distinct seqs come from a log query, which
    folds them.

    Raises:
        LokiError: Loki could not be asked.
    """
    seconds = max(1, -(-(end_ns - start_ns) // _SECOND))
    # A metric query's range is whole seconds; both queries have to look at the same ones.
    start_ns = end_ns - seconds * _SECOND
    seqs: dict[str, set[int]] = defaultdict(set)
    deleted: dict[str, set[int]] = defaultdict(set)
    for event in stored_events(client, start_ns, end_ns):
        seqs[event["instance_id"]].add(event["seq"])
        if event["event"] == "logging.file_deleted" and event["lost_first_seq"] is not None:
            deleted[event["file_instance_id"]].update(range(event["lost_first_seq"], event["lost_last_seq"] + 1))
    counted = client.query(
        f'sum by (instance_id) (count_over_time({ALL_STREAMS} | json instance_id="instance_id" [{seconds}s]))', end_ns
    )
    assert isinstance(counted, Vector)
    counts = {sample.labels["instance_id"]: int(sample.value) for sample in counted.samples}
    stored = {instance: Stored(seqs[instance], counts.get(instance, 0)) for instance in {*seqs, *counts}}
    return completeness(last_written(directory), stored, deleted)
