"""From the events of one correlation ID to the tree of what happened, and how much of its time is accounted for.

In: events as dicts, in any order. Out: spans in tree order with their times. Never: guesses a missing link.

What accounts for time is one thing: an API attempt, an outgoing request, a function, a wait before an attempt, the sum
of queries, the sum of cache calls. A request or a sync accounts for nothing by itself: it is to be explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logging_pkg.analysis.values import length_ns, number_of
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


#: Units of work: what happened in them is summed up in their events.
_UNITS = frozenset({"http.request_finished", "http.request_stuck", "sync.run_finished"})
#: Events of single things that may set off others (a token's refresh in an attempt), and account for all of their time.
_WHOLE = frozenset({"google_api.call_finished", "http_client.request_finished"})
_FUNCTION = "function.call_finished"
#: What is waited before an attempt, in this order: the field, and its name.
_WAITS = (("retry_delay_ms", "back-off"), ("quota_delay_ms", "quota"))

#: Spans below spans that are followed; a function that calls itself may go on for ever.
_DEEPEST = 100

#: From, to; ns since 1970.
Interval = tuple[int, int]


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

    @property
    def is_unit(self) -> bool:
        """Whether it is a request or a sync: something that others happen in."""
        return self.event["event"] in _UNITS

    def waits(self) -> list[tuple[str, Interval]]:
        """What was waited before it began: `back-off`, `quota`, each with its time, in order."""
        found, end = [], self.start_ns
        for name, reason in reversed(_WAITS):
            if length := length_ns(self.event, name):
                found.append((reason, (end - length, end)))
                end -= length
        return found[::-1]

    def gaps(self) -> list[Interval]:
        """When nothing below it went on, nor was waited for."""
        if self.event["event"] in _WHOLE or not (self.children or self.is_unit):
            return []
        found, covered_to = [], self.start_ns
        for start, end in sorted(child._covered() for child in self.children):
            if start > covered_to:
                found.append((covered_to, min(start, self.end_ns)))
            covered_to = max(covered_to, end)
        return [(start, end) for start, end in [*found, (covered_to, self.end_ns)] if end > start]

    def own(self, name: str) -> float:
        """A sum in its event (`query_time_ms`, `query_count`, …) without what the units below it have of it."""
        return number_of(self.event, name) - sum(number_of(unit.event, name) for unit in self._units())

    def unexplained_ns(self) -> int:
        """Time in this span, but not in a span below it, that nothing accounts for.

        Its queries may have run in functions, whose events do not sum them up: what those took comes off the sums
        first, so this is rather too much than too little.
        """
        functions = sum(child.duration_ns for child in self.children if child.event["event"] == _FUNCTION)
        sums = (self.own("query_time_ms") + self.own("cache_time_ms")) * 1_000_000 - functions
        gaps = sum(end - start for start, end in self.gaps())
        return gaps - int(min(max(0.0, sums), gaps))

    def _covered(self) -> Interval:
        return min([start for _, (start, _) in self.waits()], default=self.start_ns), self.end_ns

    def _units(self) -> Iterator[SpanNode]:
        """The nearest units below."""
        for child in self.children:
            if child.is_unit:
                yield child
            else:
                yield from child._units()


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one or more correlations as trees.

    Attributes:
        roots: spans without a parent, in order of time.
        orphans: spans whose parent is named but has no event of its own here, or cannot be their parent.
        loose: events outside every span (records of the process itself).
    """

    roots: tuple[SpanNode, ...]
    orphans: tuple[SpanNode, ...]
    loose: tuple[Mapping[str, Any], ...]

    def walk(self) -> Iterator[tuple[int, SpanNode]]:
        """All spans in tree order; orphans last."""
        for root in (*self.roots, *self.orphans):
            yield from root.walk()

    @property
    def explained(self) -> float:
        """The share of its roots' time that something accounts for, 0 to 1."""
        total = sum(root.duration_ns for root in (*self.roots, *self.orphans))
        unexplained = sum(node.unexplained_ns() for _, node in self.walk())
        return max(0.0, 1 - unexplained / total) if total else 1.0


def build_trace(events: Iterable[Mapping[str, Any]]) -> Trace:
    """Link events to a tree by span_id and parent_span_id.

    Args:
        events: envelope-carrying events; repeated ones (same event_id) count once.
    """
    unique = {str(event["event_id"]): event for event in sorted(events, key=_when)}
    ended = {str(event["span_id"]) for event in unique.values() if event["event"] in CANONICAL_EVENTS}
    nodes: dict[str, SpanNode] = {}
    rest = []
    for event in unique.values():
        length = CANONICAL_EVENTS.get(str(event["event"]))
        if length is None and str(event["span_id"]) not in ended:
            length = _LAST_SEEN.get(str(event["event"]))
        # Without a length of time it is no span; it is shown all the same.
        duration = length_ns(event, length) if length is not None else None
        if duration is None or str(event["span_id"]) in nodes:
            rest.append(event)
            continue
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
    orphans += _unreachable(nodes, [*roots, *orphans])
    loose: list[Mapping[str, Any]] = []
    for event in rest:
        owner = nodes.get(str(event["span_id"]))
        (owner.details if owner is not None else loose).append(event)
    by_start = sorted(roots, key=lambda node: node.start_ns)
    return Trace(tuple(by_start), tuple(orphans), tuple(loose))


def _unreachable(nodes: Mapping[str, SpanNode], tops: Iterable[SpanNode]) -> list[SpanNode]:
    """Spans that name each other as parents, and those too deep to be followed: cut off, so that none is lost."""
    cut: list[SpanNode] = []
    todo = [(node, 0) for node in tops]
    left = dict(nodes)
    while todo or left:
        if not todo:
            seen: set[str] = set()
            name = next(iter(left))
            while name not in seen:
                seen.add(name)
                name = str(nodes[name].event["parent_span_id"])
            node, parent = nodes[name], nodes[str(nodes[name].event["parent_span_id"])]
            parent.children = [child for child in parent.children if child is not node]
            cut.append(node)
            todo.append((node, 0))
        node, depth = todo.pop()
        left.pop(node.span_id, None)
        if depth == _DEEPEST and node.children:
            cut += node.children
            todo += [(child, 0) for child in node.children]
            node.children = []
        todo += [(child, depth + 1) for child in node.children]
    return cut


def _when(event: Mapping[str, Any]) -> tuple[str, str, int]:
    """The order of events of several processes, wherever they were read from."""
    return str(event["timestamp"]), str(event.get("instance_id")), int(number_of(event, "seq"))
