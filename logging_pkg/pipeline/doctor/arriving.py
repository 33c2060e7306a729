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
    lag_s = _number(loki, event_queries.shipper_lag_s())
    if lag_s is None:
        shown = "no report in 5 min" + (f"; {local}" if local else "")
        return Stage(name, "broken", shown, "start it: `logpipe ship`, or Vector with vector.toml", figures)
    backlog = _number(loki, event_queries.backlog_bytes()) or 0.0
    figures |= {"lag_s": lag_s, "backlog_bytes": backlog}
    shown = f"{lag_s:.1f} s behind, {size(backlog)} to ship"
    if lag_s > LAG_S:
        return Stage(name, "late", shown, "docs/runbooks/ShipperBehind.md", figures)
    return Stage(name, "ok", shown, figures=figures)


def loki_stage(loki: LokiClient) -> Stage:
    """Whether it is ready, and how old its newest line is."""
    loki.check_ready()
    now_ns = time.time_ns()
    answer = loki.query_range(
        '{service_name=~".+", event=~".+"}', now_ns - _HOUR_NS, now_ns + _HOUR_NS, limit=1, direction="backward"
    )
    assert isinstance(answer, Streams)
    if not answer.entries:
        return Stage("Loki", "late", "ready, no line in the last hour", "see the stages above: nothing arrives")
    age_s = max(0.0, (now_ns - answer.entries[-1].timestamp_ns) / 1e9)
    shown, figures = f"ready, newest line {span(age_s)} old", {"age_s": round(age_s, 1)}
    if age_s > QUIET_S:
        return Stage("Loki", "late", shown, "see the stages above: lines come late, or none are written", figures)
    return Stage("Loki", "ok", shown, figures=figures)


def losses(loki: LokiClient, window: str) -> Stage:
    """What of a time is missing from every number."""
    found = {
        "dead_letters": _number(loki, event_queries.dead_letters(window)) or 0.0,
        "refused": _number(loki, event_queries.refused_events(window)) or 0.0,
        "deleted": _number(loki, event_queries.deleted_events(window)) or 0.0,
        "unwritten": _number(loki, event_queries.unwritten_events(window)) or 0.0,
    }
    words = {
        "dead_letters": ("in the dead letter", "EventsDeadLettered"),
        "refused": ("broke their schema", "EventsRejected"),
        "deleted": ("deleted before they were shipped", "EventsLost"),
        "unwritten": ("could not be written", "EventsLost"),
    }
    lost = [name for name, count in found.items() if count]
    if not lost:
        return Stage("losses", "ok", f"none in {window}", figures=found)
    shown = ", ".join(f"{found[name]:,.0f} {words[name][0]}" for name in lost)
    steps = ", ".join(dict.fromkeys(f"docs/runbooks/{words[name][1]}.md" for name in lost))
    return Stage("losses", "broken", f"in {window}: {shown}", steps, found)


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
