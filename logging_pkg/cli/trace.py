"""`logpipe trace ID`: what happened, as a tree with times.

In: a correlation ID, its beginning, or a request, sync or API call ID; events of Loki or of files. Out: a waterfall on
the terminal, or JSON. Never: writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from logging_pkg.analysis.trace import Interval, SpanNode, Trace, build_trace
from logging_pkg.analysis.waterfall import Row, bounds, waterfall
from logging_pkg.cli.durations import duration_ns
from logging_pkg.cli.escaping import one_line
from logging_pkg.cli.loki import LokiUrl, loki_client
from logging_pkg.cli.options import AsJson, Files, ShowQuery
from logging_pkg.cli.output import duration, say, say_json, telling_passed_over, terminal
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.pipeline.correlation import Progress, look_up
from logging_pkg.pipeline.lookup import events_in_files
from logging_pkg.schemas.conventions import time_text

#: Columns of the bars at most and at least, of a length of time and of its share of the whole.
_BAR_CELLS, _MIN_BAR_CELLS, _DURATION_CELLS, _SHARE_CELLS = 40, 12, 8, 6
#: From so many columns on there is room for longer bars.
_WIDE = 100
_SLIVER = "▏"
#: More spans than this beside each other are folded, unless all are asked for.
_KEEP = 12
_MARKS = {"span": "█", "wait": "▒", "gap": "░", "folded": "▓"}
_STYLES = {"wait": "dim", "sum": "dim", "finding": "yellow", "gap": "magenta", "folded": "dim"}


def trace(
    some_id: Annotated[str, typer.Argument(metavar="ID", help="Correlation ID or its first digits, or another ID.")],
    loki_url: LokiUrl = None,
    files: Files = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every span, however many stand side by side.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="How far back in Loki, where the ID tells no time; 6h."),
    ] = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Show what one cause set off: request, queries, syncs and API attempts, with times, and what they don't explain.

    The ID may be a correlation_id, the first digits of one, a request_id, a sync_id or an api_call_id.
    """
    since_ns = duration_ns(since) if since is not None else None
    if files and (since is not None or show_query):
        raise wrong_usage("--file with --since or --show-query: files are read whole, and nothing is asked of Loki")
    with telling_passed_over() as passed_over:
        if files:
            events = events_in_files(files, some_id, passed_over)
        else:
            with loki_client(loki_url) as client, _progress() as on_progress:
                looked_up = look_up(client, some_id, since_ns=since_ns, on_progress=on_progress)
            events = looked_up.events
            for asked in looked_up.asked if show_query else ():
                say(f"{asked.query}   # {time_text(asked.start_ns)} to {time_text(asked.end_ns)}", err=as_json)
        found = build_trace(events)
        if as_json:
            say_json(_value(found))
        else:
            print_trace(found, terminal(), keep=None if show_all else _KEEP)


def print_trace(found: Trace, console: Console, *, keep: int | None = None) -> None:
    """Render a trace: one row per span, a bar for its time, findings below it, and what nothing accounts for.

    Args:
        found: the trace.
        console: where to print; bars and texts are cut to its width.
        keep: how many spans beside each other are shown; None is all.
    """
    rows = waterfall(found, keep=keep)
    if not rows:
        console.print("no request, sync, API call or function in it; its log records:")
        for event in found.loose:
            console.print(Text(one_line(f" {event['timestamp']} {event['event']} {event.get('message', '')}")))
        return
    begin, end = bounds(found)
    root = next(row for row in rows if row.kind == "span")
    title = f"   {one_line(root.label)}   {duration(end - begin)}   {100 * found.explained:.0f} % explained"
    console.print(Text.assemble((one_line(str(root.event["correlation_id"])), "bold"), title), soft_wrap=True)
    cells = _MIN_BAR_CELLS if console.width < _WIDE else min(_BAR_CELLS, console.width // 5)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(24, console.width // 2 - 8))
    table.add_column(no_wrap=True, min_width=cells)
    table.add_column(no_wrap=True, min_width=_DURATION_CELLS)
    table.add_column(no_wrap=True, min_width=_SHARE_CELLS, justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis")
    for row in rows:
        style = "red" if row.failed else _STYLES.get(row.kind, "")
        table.add_row(
            Text(one_line(_indent(row) + row.label), style=style),
            Text(bar_of(row, (begin, max(end, begin + 1)), cells), style=style or "cyan"),
            duration(row.duration_ns) if row.duration_ns is not None else "",
            row.share(end - begin),
            Text(one_line(row.detail), style="yellow" if row.kind == "finding" else "dim"),
        )
    console.print(table)
    if found.orphans:
        console.print(Text(f"{len(found.orphans)} spans name a parent that is not in the store", style="red"))


@contextmanager
def _progress() -> Iterator[Progress]:
    """Who waits before a terminal sees a bar on stderr; nothing of it is in a file."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(24))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("looking through the last hours", total=None)
        yield lambda done, total: bars.update(bar, total=total, completed=done)


def _indent(row: Row) -> str:
    branch = {"span": "└ ", "folded": "└ ", "finding": "! ", "sum": "  "}.get(row.kind, "┊ ")
    return "  " * row.depth + (branch if row.depth else "")


def bar_of(row: Row, between: Interval, cells: int) -> str:
    """The row's intervals as cells, to the nearest; of less than half a cell a sliver, so that none is lost."""
    begin, total = between[0], between[1] - between[0]
    bar = ["·"] * cells
    for start, end in row.intervals:
        first, last = (min(max(0, round((moment - begin) / total * cells)), cells) for moment in (start, end))
        bar[first:last] = _MARKS[row.kind] * (last - first)
        at = min(max(0, (start - begin) * cells // total), cells - 1)
        if first == last and bar[at] == "·":
            bar[at] = _SLIVER
    return "".join(bar).rstrip("·")


def _value(found: Trace) -> dict[str, Any]:
    return {
        "explained": round(found.explained, 4),
        "roots": [_span(node) for node in found.roots],
        "orphans": [_span(node) for node in found.orphans],
        "loose": list(found.loose),
    }


def _span(node: SpanNode) -> dict[str, Any]:
    return {
        "start_ns": node.start_ns,
        "duration_ns": node.duration_ns,
        "unexplained_ns": node.unexplained_ns(),
        "event": dict(node.event),
        "details": [dict(event) for event in node.details],
        "children": [_span(child) for child in sorted(node.children, key=lambda child: child.start_ns)],
    }
