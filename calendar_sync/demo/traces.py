"""What the demonstration's events tell together: is every link there, is the syncs' time explained, and one story.

In: the events of Loki. Out: a part of the report, and what is missing. Never: a number that is not from the events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from logging_pkg.analysis.trace import SpanNode, Trace, build_trace
from logging_pkg.cli.trace import print_trace

#: Of the time of all syncs. Of a single one it is told, not demanded: on a busy machine the Python between spans waits.
_EXPLAINED_AT_LEAST, _LONG_NS = 0.95, 500_000_000


def print_traces(console: Console, events: Iterable[Mapping[str, Any]]) -> tuple[str, Sequence[str]]:
    """Print what the traces have in common, and the most telling one.

    Returns:
        Its correlation_id; what is missing.
    """
    by_correlation: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        by_correlation[event["correlation_id"]].append(event)
    traces = {correlation: build_trace(group) for correlation, group in by_correlation.items()}
    orphans = sum(len(trace.orphans) for trace in traces.values())
    units = sum(1 for trace in traces.values() for _ in trace.walk())
    syncs = [sync for trace in traces.values() for sync in _syncs_of(trace.roots)]
    explained = _explained(syncs)
    long = [_explained([sync]) for sync in syncs if sync.duration_ns >= _LONG_NS]
    worst = min(long, default=0.0)
    story, best = max(traces.items(), key=lambda entry: _story_value(entry[1]))
    console.print(f" Links             {units:,} requests, syncs, API calls and functions · {orphans} orphans")
    console.print(
        f" Explained         {explained * 100:.1f} % of the syncs' time, by the spans in them · "
        f"of {len(long)} that took half a second or more the worst to {worst * 100:.1f} %"
    )
    console.print(f" One story         logpipe trace {story}")
    print_trace(best, console, keep=3)
    required = {
        "spans in the store": units > 0,
        f"a parent of {orphans} spans": orphans == 0,
        f"what syncs did in {1 - explained:.1%} of their time": explained >= _EXPLAINED_AT_LEAST,
        "one correlation_id from a request over a sync to a retried API call": _story_value(best)[0],
    }
    return story, [what for what, holds in required.items() if not holds]


def _syncs_of(spans: Iterable[SpanNode]) -> Iterator[SpanNode]:
    """The syncs, without those within others."""
    for span in spans:
        if span.event["event"] == "sync.run_finished":
            yield span
        else:
            yield from _syncs_of(span.children)


def _explained(syncs: Iterable[SpanNode]) -> float:
    """The share of the time of these that `logpipe trace` explains, all together; 0 where there is none."""
    total = unexplained = 0
    for sync in syncs:
        total += sync.duration_ns
        unexplained += sum(span.unexplained_ns() for _, span in sync.walk())
    return 1 - unexplained / total if total else 0.0


def _story_value(trace: Trace) -> tuple[bool, bool, int]:
    """Prefer request → sync → API calls, with a retried attempt, and short enough to read."""
    kinds = {node.event["event"] for _, node in trace.walk()}
    whole = {"http.request_finished", "sync.run_finished", "google_api.call_finished"} <= kinds
    retried = any(node.event.get("attempt", 1) > 1 for _, node in trace.walk())
    return whole, retried, -sum(1 for _ in trace.walk())
