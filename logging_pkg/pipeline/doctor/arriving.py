"""The first half of the way: files, shipper, Loki, and what got lost on it.

In: a log directory, a LokiClient. Out: Stages, each with its figure and what to do next. Never: a write.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import orjson

from logging_pkg.analysis.words import counted, size, span
from logging_pkg.loki_client import LokiClient, Streams, Vector
from logging_pkg.pipeline import event_queries
from logging_pkg.pipeline.correlation import ALL_STREAMS
from logging_pkg.pipeline.doctor.stage import QUIET_S, Stage
from logging_pkg.schemas.conventions import LOG_FILE_SUFFIX, SHIPPED_FILE_NAME
from logging_pkg.shipper.dead_letter import DEAD_LETTER_NAME

#: Rules read lines older than 30 s; what comes later is missed (alert ShipperBehind).
LAG_S: Final = 30.0
_HOUR_NS: Final = 3600 * 10**9


def log_files(directory: Path) -> Stage:
    """Whether processes of this machine write."""
    name = "log files"
    if not directory.is_dir():
        return Stage(name, "not asked", f"no directory {directory} here", "logpipe doctor --directory DIRECTORY")
    files = {path: path.stat() for path in directory.glob(f"*{LOG_FILE_SUFFIX}")}
    total = sum(found.st_size for found in files.values())
    if not files:
        return Stage(name, "late", f"no event file in {directory}", "start the application; its DIRECTORY is this one?")
    age_s = max(0.0, time.time() - max(found.st_mtime for found in files.values()))
    figures = {"age_s": round(age_s, 1), "files": len(files), "bytes": total}
    shown = f"written {span(age_s)} ago, {counted(len(files), 'file')}, {size(total)}"
    if age_s > QUIET_S:
        return Stage(name, "late", shown, "is the application running? docs/runbooks/AppDown.md", figures)
    return Stage(name, "ok", shown, figures=figures)


def shipper(loki: LokiClient, directory: Path, state_directory: Path) -> Stage:
    """Whether lines get from files to Loki, by the shippers' own reports."""
    name = "shipper"
    local, figures = _local(directory, state_directory)
    queries = (event_queries.shipper_lag_s(), event_queries.backlog_bytes())
    lag_s = _number(loki, queries[0])
    if lag_s is None:
        shown = "no report in 5 min" + (f"; {local}" if local else "")
        step = "start it: `logpipe ship`, or Vector with vector.toml"
        return Stage(name, "broken", shown, step, figures, queries=queries)
    backlog = _number(loki, queries[1]) or 0.0
    figures |= {"lag_s": lag_s, "backlog_bytes": backlog}
    shown = f"{lag_s:.1f} s behind, {size(backlog)} to ship"
    if lag_s > LAG_S:
        return Stage(name, "late", shown, "docs/runbooks/ShipperBehind.md", figures, queries=queries)
    return Stage(name, "ok", shown, figures=figures, queries=queries)


def loki_stage(loki: LokiClient) -> Stage:
    """Whether it is ready, and how old its newest line is."""
    loki.check_ready()
    now_ns = time.time_ns()
    queries = (ALL_STREAMS,)
    answer = loki.query_range(ALL_STREAMS, now_ns - _HOUR_NS, now_ns + _HOUR_NS, limit=1, direction="backward")
    assert isinstance(answer, Streams)
    if not answer.entries:
        step = "see the stages above: nothing arrives"
        return Stage("Loki", "late", "ready, no line in the last hour", step, queries=queries)
    age_s = max(0.0, (now_ns - answer.entries[-1].timestamp_ns) / 1e9)
    shown, figures = f"ready, newest line {span(age_s)} old", {"age_s": round(age_s, 1)}
    if age_s > QUIET_S:
        step = "see the stages above: lines come late, or none are written"
        return Stage("Loki", "late", shown, step, figures, queries=queries)
    return Stage("Loki", "ok", shown, figures=figures, queries=queries)


def losses(loki: LokiClient, window: str) -> Stage:
    """What of a time is missing from every number."""
    asked = {
        "dead_letters": event_queries.dead_letters(window),
        "refused": event_queries.refused_events(window),
        "deleted": event_queries.deleted_events(window),
        "unwritten": event_queries.unwritten_events(window),
    }
    found = {name: _number(loki, query) or 0.0 for name, query in asked.items()}
    queries = tuple(asked.values())
    words = {
        "dead_letters": ("in the dead letter", "EventsDeadLettered"),
        "refused": ("broke their schema", "EventsRejected"),
        "deleted": ("deleted before they were shipped", "EventsLost"),
        "unwritten": ("could not be written", "EventsLost"),
    }
    lost = [name for name, count in found.items() if count]
    if not lost:
        return Stage("losses", "ok", f"none in {window}", figures=found, queries=queries)
    shown = ", ".join(f"{found[name]:,.0f} {words[name][0]}" for name in lost)
    steps = ", ".join(dict.fromkeys(f"docs/runbooks/{words[name][1]}.md" for name in lost))
    return Stage("losses", "broken", f"in {window}: {shown}", steps, found, queries=queries)


def _local(directory: Path, state_directory: Path) -> tuple[str, dict[str, float]]:
    """What the embedded shipper has left to do in a log directory, by its checkpoint; empty without one."""
    try:
        shipped = orjson.loads((directory / SHIPPED_FILE_NAME).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return "", {}
    left = 0
    for path in directory.glob(f"*{LOG_FILE_SUFFIX}"):
        try:
            with path.open("rb") as lines:
                left += path.stat().st_size - int(shipped.get(orjson.loads(lines.readline())["event_id"], 0))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # gone meanwhile, or empty
    dead = state_directory / DEAD_LETTER_NAME
    dead_lines = sum(1 for _ in dead.open("rb")) if dead.is_file() else 0
    shown = f"{size(left)} of {directory} to ship"
    return shown + (f", {counted(dead_lines, 'line')} in {dead}" if dead_lines else ""), {
        "local_backlog_bytes": left,
        "local_dead_letter_lines": dead_lines,
    }


def _number(loki: LokiClient, query: str) -> float | None:
    """A query's largest value now; None where there is none."""
    answer = loki.query(query)
    assert isinstance(answer, Vector)
    return max((sample.value for sample in answer.samples), default=None)
