"""`logpipe trace ID`: what happened, as a tree with times.

In: a correlation ID, its beginning, or a request, sync or API call ID. Out: a tree on the terminal. Never: writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from logging_pkg.analysis.trace import SpanNode, Trace, build_trace, waited_ns
from logging_pkg.cli.loki import LokiUrl, loki_client
from logging_pkg.pipeline.lookup import events_of

_BAR_CELLS = 40


def trace(
    some_id: Annotated[str, typer.Argument(metavar="ID", help="Correlation ID or its first digits, or another ID.")],
    loki_url: LokiUrl = None,
) -> None:
    """Show what one cause set off: request, queries, syncs and API attempts, with times."""
    with loki_client(loki_url) as client:
        found = build_trace(events_of(client, some_id))
    print_trace(found, Console())


def print_trace(found: Trace, console: Console) -> None:
    """Render a trace: one row per span, a bar for its time, findings below it."""
    spans = list(found.walk())
    if not spans:
        console.print("no request, sync, API call or function in it; its log records:")
    for event in found.loose:
        console.print(Text(f" {event['timestamp']} {event['event']} {event.get('message', '')}"))
    if not spans:
        return
    begin = min(node.start_ns for _, node in spans)
    end = max(node.end_ns for _, node in spans)
    total = max(1, end - begin)
    root = spans[0][1]
    explained = 100 - 100 * sum(node.unexplained_ns() for _, node in spans if node.children) / total
    console.print(
        Text.assemble(
            (str(root.event["correlation_id"]), "bold"),
            f"   {_label(root.event)}   {_duration(root.duration_ns)}   {max(0, explained):.0f} % explained",
        )
    )
    table = Table.grid(padding=(0, 2))
    for depth, node in spans:
        _add_rows(table, depth, node, begin, total)
    console.print(table)
    if found.orphans:
        console.print(Text(f"{len(found.orphans)} spans name a parent that is not in the store", style="red"))


def _add_rows(table: Table, depth: int, node: SpanNode, begin: int, total: int) -> None:
    indent = "  " * depth + ("└ " if depth else "")
    waited_from = node.start_ns - waited_ns(node.event)
    for reason, field in (("back-off", "retry_delay_ms"), ("quota", "quota_delay_ms")):
        delay_ns = int(float(node.event.get(field) or 0) * 1_000_000)
        if delay_ns:
            bar = _bar(waited_from - begin, delay_ns, total, "▒")
            table.add_row(Text(indent + reason, style="dim"), Text(bar, style="dim"), _duration(delay_ns), "")
            waited_from += delay_ns
    failed = node.event.get("is_error") == 1 or node.event.get("is_success") == 0 or _is_killed(node.event)
    table.add_row(
        Text(indent + _label(node.event), style="red" if failed else ""),
        Text(_bar(node.start_ns - begin, node.duration_ns, total, "█"), style="red" if failed else "cyan"),
        _duration(node.duration_ns),
        Text(_detail(node.event), style="dim"),
    )
    queries = float(node.event.get("query_time_ms", 0))
    if node.event.get("query_count"):
        label = Text("  " * (depth + 1) + "  sql", style="dim")
        table.add_row(label, "", f"{queries:.0f} ms", Text(f"{node.event['query_count']} queries", style="dim"))
    for finding in node.details:
        label = Text("  " * (depth + 1) + f"! {finding['event']}", style="yellow")
        table.add_row(label, "", "", Text(_detail(finding), style="yellow"))


def _is_killed(event: Mapping[str, Any]) -> bool:
    """A request of which nothing came after the watchdog's event."""
    return bool(event["event"] == "http.request_stuck")


def _bar(offset: int, length: int, total: int, mark: str) -> str:
    start = round(offset / total * _BAR_CELLS)
    cells = max(1, round(length / total * _BAR_CELLS))
    return ("·" * min(start, _BAR_CELLS - 1) + mark * cells)[:_BAR_CELLS]


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1_000_000
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def _label(event: Mapping[str, Any]) -> str:
    match event["event"]:
        case "http.request_finished":
            return f"{event['method']} {event['path']}  {event['status_code']}"
        case "http.request_stuck":
            return f"{event['method']} {event['route']}  no end"
        case "sync.run_finished":
            return f"sync {event['resource']} {event['kind']}"
        case "google_api.call_finished":
            return f"google {event['operation']}"
        case "http_client.request_finished":
            return f"{event['http_method']} {event['host']}"
        case "function.call_finished":
            return str(event["function"])
    return str(event["event"])


def _detail(event: Mapping[str, Any]) -> str:
    match event["event"]:
        case "http.request_finished":
            user = f"user {event['user_id']}" if event["user_id"] else "nobody signed in"
            return f"{user} · {event['response_size_bytes']:,} bytes"
        case "http.request_stuck":
            return f"at {(event['stack'] or 'unknown').splitlines()[-1]}"
        case "sync.run_finished":
            changed = ", ".join(
                f"{event[f'{name}_count']} {name}"
                for name in ("created", "updated", "deleted")
                if event[f"{name}_count"]
            )
            return f"{event['page_count']} pages · {changed or 'no change'}"
        case "google_api.call_finished":
            parts = [str(event["status_code"] or event["outcome"]), event["reason"], f"attempt {event['attempt']}"]
            if event["page"]:
                parts.append(f"page {event['page']}")
            return " · ".join(part for part in parts if part)
        case "http_client.request_finished":
            return str(event["status_code"] or event["outcome"])
        case "db.n_plus_one_detected":
            return f"{event['count']} × {event['fingerprint'][:60]} at {event['caller']}"
        case "db.slow_query_detected":
            return f"{event['duration_ms']:.0f} ms {event['fingerprint'][:60]} at {event['caller']}"
        case "log.message_recorded":
            return str(event["message"])[:80]
    return str(event.get("error_type") or "")
