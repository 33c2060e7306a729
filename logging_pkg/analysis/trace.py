"""From the events of one correlation ID to the tree of what happened.

In: events as dicts, in any order. Out: spans in tree order with their times. Never: guesses a missing link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logging_pkg.schemas.conventions import parse_timestamp

#: The event that tells of a whole span, and its field with the span's length in ms.
CANONICAL_EVENTS: Mapping[str, str] = {
    "http.request_finished": "response_time_ms",
    "sync.run_finished": "duration_ms",
    "google_api.call_finished": "duration_ms",
    "http_client.request_finished": "duration_ms",
    "function.call_finished": "duration_ms",
}
#: What stands in for a request that was killed before its event: how long it had run when it was last seen.
_LAST_SEEN: Mapping[str, str] = {"http.request_stuck": "elapsed_ms"}


@dataclass(slots=True)
class SpanNode:
    """One span: its canonical event, the other events that happened in it, and the spans below it."""

    event: Mapping[str, Any]
    start_ns: int
    duration_ns: int
    children: list[SpanNode] = field(default_factory=list)
    details: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def span_id(self) -> str:
        """The span's ID."""
        return str(self.event["span_id"])

    @property
    def end_ns(self) -> int:
        """When it ended, ns since 1970."""
        return self.start_ns + self.duration_ns

    def walk(self, depth: int = 0) -> Iterator[tuple[int, SpanNode]]:
        """Yield the span and all below it in order of time, each with its depth."""
        yield depth, self
        for child in sorted(self.children, key=lambda node: node.start_ns):
            yield from child.walk(depth + 1)

    def unexplained_ns(self) -> int:
        """Time in this span that neither a child, a database query nor a wait before an attempt accounts for."""
        explained, covered_to = 0, self.start_ns
        for start, end in sorted(_covered(child) for child in self.children):
            begin, finish = max(start, covered_to), min(end, self.end_ns)
            if finish > begin:
                explained += finish - begin
                covered_to = finish
        own_queries = float(self.event.get("query_time_ms", 0)) - sum(
            float(child.event.get("query_time_ms", 0)) for child in self.children
        )
        return max(0, self.duration_ns - explained - int(max(0.0, own_queries) * 1_000_000))


def waited_ns(event: Mapping[str, Any]) -> int:
    """What was waited before an API attempt was made: as back-off, and for its turn under a quota."""
    return int(sum(float(event.get(name) or 0) for name in ("retry_delay_ms", "quota_delay_ms")) * 1_000_000)


def _covered(child: SpanNode) -> tuple[int, int]:
    return child.start_ns - waited_ns(child.event), child.end_ns


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one or more correlations as trees.

    Attributes:
        roots: spans without a parent, in order of time.
        orphans: spans whose parent is named but has no event of its own here.
        loose: events outside every span (records of the process itself).
    """

    roots: tuple[SpanNode, ...]
    orphans: tuple[SpanNode, ...]
    loose: tuple[Mapping[str, Any], ...]

    def walk(self) -> Iterator[tuple[int, SpanNode]]:
        """All spans in tree order; orphans last."""
        for root in (*self.roots, *self.orphans):
            yield from root.walk()


def build_trace(events: Iterable[Mapping[str, Any]]) -> Trace:
    """Link events to a tree by span_id and parent_span_id.

    Args:
        events: envelope-carrying events; repeated ones (same event_id) count once.
    """
    unique = {str(event["event_id"]): event for event in events}
    ended = {str(event["span_id"]) for event in unique.values() if event["event"] in CANONICAL_EVENTS}
    nodes: dict[str, SpanNode] = {}
    rest = []
    for event in unique.values():
        length = CANONICAL_EVENTS.get(str(event["event"]))
        if length is None and str(event["span_id"]) not in ended:
            length = _LAST_SEEN.get(str(event["event"]))
        if length is None or str(event["span_id"]) in nodes:
            rest.append(event)
            continue
        duration = int(float(event[length]) * 1_000_000)
        node = SpanNode(event, parse_timestamp(str(event["timestamp"])) - duration, duration)
        nodes[node.span_id] = node
    roots, orphans = [], []
    for node in nodes.values():
        parent = node.event["parent_span_id"]
        if parent is None:
            roots.append(node)
        elif str(parent) in nodes:
            nodes[str(parent)].children.append(node)
        else:
            orphans.append(node)
    loose: list[Mapping[str, Any]] = []
    for event in rest:
        owner = nodes.get(str(event["span_id"]))
        (owner.details if owner is not None else loose).append(event)
    by_start = sorted(roots, key=lambda node: node.start_ns)
    return Trace(tuple(by_start), tuple(orphans), tuple(loose))
