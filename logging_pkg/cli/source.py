"""Where the commands that show numbers read: Loki, or files and stdin alike.

In: --loki-url or --file, --since, and which events. Out: rows of tables, LogQL. Never: two ways to the same number that
a test does not compare.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logging_pkg.analysis.tables import Table, TableRow, table_rows
from logging_pkg.cli.durations import SECOND_NS, duration_ns
from logging_pkg.cli.loki import loki_client
from logging_pkg.cli.output import telling_passed_over
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.event_lines import event_of_line
from logging_pkg.pipeline.event_search import Search
from logging_pkg.pipeline.event_tables import column_query, loki_rows
from logging_pkg.pipeline.lookup import events_of_files
from logging_pkg.pipeline.scope import Scope
from logging_pkg.schemas.conventions import parse_timestamp


def scope_of(service: str | None, env: str | None, release: str | None = None) -> Scope:
    """Which events the options ask for."""
    labels = {"service_name": service, "env": env}
    return Scope(
        {name: value for name, value in labels.items() if value is not None},
        {"release": release} if release is not None else {},
    )


@dataclass(frozen=True)
class Source:
    """Events up to a time, in Loki or in memory."""

    end_ns: int
    window_s: int
    client: LokiClient | None
    events: list[dict[str, Any]]

    def rows(self, table: Table, scope: Scope, limit: int | None = None, window_s: int | None = None) -> list[TableRow]:
        """A table's rows over the window, or the last `window_s` seconds of it."""
        window_s = window_s or self.window_s
        if self.client is not None:
            return loki_rows(self.client, table, self.end_ns, window_s, scope=scope, limit=limit)
        start_ns = self.end_ns - window_s * SECOND_NS
        events = (
            event
            for event in self.events
            if start_ns < parse_timestamp(event["timestamp"]) <= self.end_ns and scope.fits(event)
        )
        return table_rows(table, events, limit)

    def search(self, wanted: Search, limit: int) -> list[dict[str, Any]]:
        """The newest events of a search, oldest first."""
        if self.client is not None:
            start_ns = self.end_ns - self.window_s * SECOND_NS
            answer = self.client.query_range(wanted.logql(), start_ns, self.end_ns, limit=limit, direction="backward")
            assert isinstance(answer, Streams)
            return [event for entry in answer.entries if (event := event_of_line(entry.line)) is not None]
        start_ns = self.end_ns - self.window_s * SECOND_NS
        fitting = [(parse_timestamp(event["timestamp"]), event) for event in self.events if wanted.finds(event)]
        timed = sorted((found for found in fitting if found[0] > start_ns), key=lambda found: found[0])
        return [event for _, event in timed[-limit:]]

    def queries(self, table: Table, scope: Scope, window_s: int | None = None) -> dict[str, str]:
        """The LogQL behind each column."""
        return {column.title: column_query(table, column, window_s or self.window_s, scope) for column in table.columns}


@contextmanager
def open_source(
    loki_url: str | None, files: list[Path] | None, since: str | None, default_since: str = "1h"
) -> Iterator[Source]:
    """The events a command looks at; when it is done, it is told which lines of files were none.

    Args:
        loki_url: of the Loki to ask where no file is given.
        files: NDJSON files or directories of them; `-` is stdin.
        since: how far back from now, of files from their newest event.
        default_since: how far back in Loki; files are read whole.

    Raises:
        StackError: no Loki is known and no file given.
        OSError: a file cannot be read.
    """
    if not files:
        window_s = duration_ns(since or default_since) // SECOND_NS
        with loki_client(loki_url) as client:
            yield Source(time.time_ns(), window_s, client, [])
        return
    with telling_passed_over() as passed_over:
        events = list(events_of_files(files, passed_over))
        times = [parse_timestamp(event["timestamp"]) for event in events]
        end_ns = max(times, default=time.time_ns())
        whole_s = (end_ns - min(times, default=end_ns)) // SECOND_NS + 1
        yield Source(end_ns, duration_ns(since) // SECOND_NS if since else whole_s, None, events)
