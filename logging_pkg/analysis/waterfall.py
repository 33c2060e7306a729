"""A trace as rows to draw: what happened, when, and the time nothing accounts for.

In: a Trace. Out: Rows in the order of time, each with the intervals of its bar. Never: colours, widths, markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from logging_pkg.analysis.describe import detail, label
from logging_pkg.analysis.trace import Interval, SpanNode, Trace
from logging_pkg.analysis.values import number_of

#: `span`: a bar of its own. `wait`: before an attempt. `sum`: of queries or cache calls, without a place in time.
#: `finding`: an event in a span. `gap`: nothing accounts for it. `folded`: spans that are not shown.
Kind = Literal["span", "wait", "sum", "finding", "gap", "folded"]
#: A gap is shown from this share of its root's time on; smaller ones are in the percentage only.
_SHOWN_GAP = 0.01
#: What a unit's event sums up: the row's label, the field of its time, and the counts with what they count.
_SUMS = (
    ("sql", "query_time_ms", (("query_count", "queries"),)),
    (
        "cache",
        "cache_time_ms",
        (
            ("cache_hit_count", "hits"),
            ("cache_miss_count", "misses"),
            ("cache_set_count", "sets"),
            ("cache_delete_count", "deletes"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a waterfall.

    Attributes:
        kind: what it is.
        depth: 0 for a root.
        label: what happened.
        intervals: where its bar is, ns since 1970; none where it has no place in time.
        duration_ns: how long it took; None where that is not known.
        detail: what is worth knowing.
        failed: whether it went wrong.
        event: the event behind it, if there is one.
    """

    kind: Kind
    depth: int
    label: str
    intervals: tuple[Interval, ...] = ()
    duration_ns: int | None = None
    detail: str = ""
    failed: bool = False
    event: Mapping[str, Any] = field(default_factory=dict)

    def share(self, length_ns: int) -> str:
        """How much of so many nanoseconds it took, as text: `8.3 %`; empty where that is not known."""
        if self.duration_ns is None or length_ns <= 0:
            return ""
        # Folded spans may have gone on at once: of the trace they took what they cover.
        taken_ns = _covered(self.intervals) if self.kind == "folded" else self.duration_ns
        percent = 100 * taken_ns / length_ns
        return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.1f} %" if percent >= 0.05 else "<0.1 %"


def _covered(intervals: Sequence[Interval]) -> int:
    covered, reached = 0, 0
    for start, end in sorted(intervals):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def waterfall(trace: Trace, *, keep: int | None = None) -> list[Row]:
    """The rows of a trace.

    Args:
        trace: of one correlation, as a rule.
        keep: of more spans than this beside each other the first ones are shown, and those that failed, were
            retried, or have such below them; the others are one row.
    """
    rows: list[Row] = []
    for root in (*trace.roots, *trace.orphans):
        rows.extend(_rows(root, 0, root, keep))
    return rows


def bounds(trace: Trace) -> Interval:
    """When the first span began and the last one ended; ns since 1970."""
    nodes = [node for _, node in trace.walk()]
    return min(node.start_ns for node in nodes), max(node.end_ns for node in nodes)


def has_failed(event: Mapping[str, Any]) -> bool:
    """Whether an event tells of a failure, or of a request that never came to its end."""
    return event.get("is_error") == 1 or event.get("is_success") == 0 or event["event"] == "http.request_stuck"


def _rows(node: SpanNode, depth: int, root: SpanNode, keep: int | None) -> Iterator[Row]:
    for reason, (start, end) in node.waits():
        yield Row("wait", depth, reason, ((start, end),), end - start, event=node.event)
    bar = ((node.start_ns, node.end_ns),)
    failed = has_failed(node.event)
    yield Row("span", depth, label(node.event), bar, node.duration_ns, detail(node.event), failed, node.event)
    yield from _sums(node, depth + 1)
    for found in node.details:
        yield Row("finding", depth + 1, str(found["event"]), detail=detail(found), event=found)
    children = sorted(node.children, key=lambda child: child.start_ns)
    shown = _shown(children, keep)
    hidden = [child for child in children if id(child) not in shown]
    for child in children:
        if id(child) in shown:
            yield from _rows(child, depth + 1, root, keep)
    if hidden:
        yield _folded(hidden, depth + 1)
    if (left := node.unexplained_ns()) > _SHOWN_GAP * root.duration_ns:
        yield Row("gap", depth + 1, "unexplained", tuple(node.gaps()), left)


def _sums(node: SpanNode, depth: int) -> Iterator[Row]:
    for name, time_field, counts in _SUMS if node.is_unit else ():
        own = {unit: round(node.own(count_field)) for count_field, unit in counts}
        text = ", ".join(f"{count:,} {unit}" for unit, count in own.items() if count > 0)
        if text:
            yield Row("sum", depth, name, (), max(0, round(node.own(time_field) * 1_000_000)), text, event=node.event)


def _shown(children: list[SpanNode], keep: int | None) -> set[int]:
    if keep is None or len(children) <= keep + 1:  # one row for one span hides it for nothing
        return {id(child) for child in children}
    special = [child for child in children if _is_special(child)]
    usual = [child for child in children if not _is_special(child)]
    return {id(child) for child in (special + usual)[:keep]}


def _is_special(node: SpanNode) -> bool:
    is_retried = number_of(node.event, "attempt") > 1
    return is_retried or has_failed(node.event) or any(_is_special(child) for child in node.children)


def _folded(nodes: list[SpanNode], depth: int) -> Row:
    kinds = {label(node.event) for node in nodes}
    what = kinds.pop() if len(kinds) == 1 else "spans"
    bars = tuple((node.start_ns, node.end_ns) for node in nodes)
    return Row("folded", depth, f"{len(nodes)} more {what}", bars, sum(node.duration_ns for node in nodes))
