"""What a validated event costs beside an unvalidated one of stock structlog, same fields, both to a file.

In: nothing. Out: CPU per event, and its ratio to stock structlog. Never: a line of one side with fewer fields than the other's.

Stock is structlog's own advice for speed (its documentation, "Performance"): filtering bound logger, contextvars merged, orjson,
BytesLogger, a logger bound once and kept. It gets every advantage: the envelope of our line stands in its bound context and
contextvars ready-made, its `seq` and `event_id` are constants, and nothing is validated. Ours is `structlog.get_logger()` and
`logging_pkg.emit` as a project calls them, inside a request, with all checks on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import structlog

import logging_pkg
from logging_pkg.conf import Settings
from logging_pkg.context import active, start_span
from tests.performance.side_by_side import Row, Spread, benchmark_main, interleave, ratios

#: Events per round and variant: some 10 ms, long against the clock and short against what else the machine does.
_EVENTS = 1_000
#: Short and many, since the machine's own speed changes from second to second.
_QUICK_ROUNDS, _FULL_ROUNDS = 31, 181

EVENT = "google_api.call_finished"
#: A successful attempt, as most are. 20 fields, three of them null.
FIELDS: dict[str, Any] = {
    "operation": "events.list",
    "http_method": "GET",
    "attempt": 1,
    "status_code": 200,
    "status_class": "2xx",
    "reason": None,
    "outcome": "answered",
    "duration_ms": 84.217,
    "is_error": 0,
    "is_rate_limited": 0,
    "request_size_bytes": 0,
    "response_size_bytes": 48_213,
    "page": 3,
    "item_count": 250,
    "quota_units": 1,
    "quota_day": "2026-03-01",
    "project": "calendar-sync-dev",
    "account_hash": "0f8b4d6e2c5a4f7e9b1d3c5a7e9f1b3d",
    "retry_delay_ms": None,
    "error_type": None,
}


def measure(quick: bool) -> list[Row]:
    """Measure both ways to emit against stock structlog."""
    with TemporaryDirectory() as scratch:
        stock_path, directory = Path(scratch, "stock.ndjson"), Path(scratch, "ours")
        # Rotation is rare in production too; here it would hit one side's rounds only.
        logging_pkg.configure(
            Settings(service_name="bench", env="test", release="1.0", directory=directory, file_max_bytes=1 << 40)
        )
        with stock_path.open("ab") as file, active(start_span("request")):
            ours = structlog.get_logger()
            ours.info(EVENT, **FIELDS)
            line = orjson.loads(next(directory.glob("*.ndjson")).read_bytes())
            stock = stock_logger(file, {name: line[name] for name in line if name not in FIELDS})
            stock.info(EVENT, **FIELDS)
            assert orjson.loads(stock_path.read_bytes()).keys() == line.keys(), "the lines differ in their fields"
            taken = interleave(
                {
                    "stock": _round(lambda: stock.info(EVENT, **FIELDS)),
                    "structlog": _round(lambda: ours.info(EVENT, **FIELDS)),
                    "emit": _round(lambda: logging_pkg.emit(EVENT, **FIELDS)),
                },
                _QUICK_ROUNDS if quick else _FULL_ROUNDS,
            )
    through_structlog, through_emit = (ratios(taken[name], taken["stock"]) for name in ("structlog", "emit"))
    return [
        Row("stock structlog + orjson, unvalidated, CPU per event", _microseconds(taken["stock"])),
        Row("validated, through structlog, CPU per event", _microseconds(taken["structlog"])),
        Row("validated, through emit, CPU per event", _microseconds(taken["emit"])),
        Row("through structlog / stock", through_structlog.show(), "<= 1.10x", through_structlog.median <= 1.10),
        Row("through emit / stock", through_emit.show(), "<= 0.75x", through_emit.median <= 0.75),
    ]


def stock_logger(file: Any, envelope: dict[str, Any]) -> Any:
    """A stock logger whose lines have the fields of our envelope: IDs from contextvars, the rest bound once."""
    stamped = {"event", "timestamp", "level"}
    identifiers = {"correlation_id", "span_id", "parent_span_id", "request_id"}
    structlog.contextvars.bind_contextvars(**{name: envelope[name] for name in identifiers})
    return structlog.wrap_logger(
        structlog.BytesLogger(file),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind(**{name: envelope[name] for name in envelope.keys() - stamped - identifiers})


def _round(call: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.thread_time()
        for _ in range(_EVENTS):
            call()
        return time.thread_time() - started

    return run


def _microseconds(taken: list[float]) -> str:
    return Spread.of(seconds / _EVENTS * 1e6 for seconds in taken).show(".1f", " us")


if __name__ == "__main__":
    benchmark_main("A validated event beside stock structlog", measure)
