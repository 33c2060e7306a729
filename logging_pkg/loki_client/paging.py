"""Reading every entry of a range although one query returns a bounded number of them.

In: a function that runs one bounded log query, and a range. Out: every entry of the range, each once, in the direction
asked for. Never: a silent gap. Where a page border falls among entries of one timestamp, that timestamp is read again
as a whole; where it alone fills a page, it is read stream by stream; where one stream alone fills it, LokiIncomplete is
raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from logging_pkg.loki_client.errors import LokiIncomplete, LokiTooLarge
from logging_pkg.loki_client.models import Entry, Stream, Streams

Direction = Literal["forward", "backward"]


class Row(NamedTuple):
    """One entry with the labels of its stream."""

    labels: Mapping[str, str]
    entry: Entry


class Source(NamedTuple):
    """The two questions paging asks of Loki; ranges are [start, end) in nanoseconds.

    fetch(expr, start_ns, end_ns, limit): at most `limit` entries, those nearest to the end of the range the direction
    begins at. streams(selector, start_ns, end_ns): the label sets that may have entries there.
    """

    fetch: Callable[[str, int, int, int], Streams]
    streams: Callable[[str, int, int], Sequence[Mapping[str, str]]]


def rows_of(streams: Streams, direction: Direction) -> list[Row]:
    """The entries of all streams in one list, ordered by time; entries of equal time keep Loki's order."""
    rows = [Row(stream.labels, entry) for stream in streams.streams for entry in stream.entries]
    rows.sort(key=lambda row: row.entry.timestamp_ns, reverse=direction == "backward")
    return rows


def group(rows: Sequence[Row]) -> Streams:
    """Rows put back into streams, in order of first appearance."""
    found: dict[tuple[tuple[str, str], ...], tuple[Mapping[str, str], list[Entry]]] = {}
    for row in rows:
        found.setdefault(tuple(sorted(row.labels.items())), (row.labels, []))[1].append(row.entry)
    return Streams(tuple(Stream(labels, tuple(entries)) for labels, entries in found.values()))


def read_pages(
    source: Source, expr: str, start_ns: int, end_ns: int, direction: Direction, page_entries: int
) -> Iterator[list[Row]]:
    """Yield the entries of [start_ns, end_ns) in pages.

    Raises:
        LokiIncomplete: one stream has page_entries or more entries with the same timestamp.
    """
    forward = direction == "forward"
    while start_ns < end_ns:
        page, limit = _fetch_fitting(source, expr, start_ns, end_ns, page_entries, direction)
        if len(page) < limit:
            yield page
            return
        edge_ns = page[-1].entry.timestamp_ns
        if page[0].entry.timestamp_ns != edge_ns:
            # More entries of the last timestamp may wait behind the border: leave all of them to the next page.
            yield [row for row in page if row.entry.timestamp_ns != edge_ns]
            start_ns, end_ns = (edge_ns, end_ns) if forward else (start_ns, edge_ns + 1)
        else:
            yield _one_timestamp(source, expr, edge_ns, page_entries)
            start_ns, end_ns = (edge_ns + 1, end_ns) if forward else (start_ns, edge_ns)


def split_selector(expr: str) -> tuple[str, str]:
    """`{a="b"} |= "c"` as its stream selector and the rest.

    Raises:
        ValueError: the query does not begin with a selector (it is in parentheses, or not a log query).
    """
    text = expr.strip()
    if not text.startswith("{"):
        raise ValueError(f"expected a log query that begins with a stream selector in braces, got {expr[:80]!r}")
    quote = ""
    skip = False
    for position, char in enumerate(text):
        if skip:
            skip = False
        elif quote:
            # LogQL strings are Go's: a backslash escapes in "…" and is plain text in `…`.
            skip = char == "\\" and quote == '"'
            quote = "" if char == quote else quote
        elif char in '"`':
            quote = char
        elif char == "}":
            return text[: position + 1], text[position + 1 :]
    raise ValueError(f"expected a closing brace in {expr[:80]!r}")


def _one_timestamp(source: Source, expr: str, timestamp_ns: int, page_entries: int) -> list[Row]:
    selector, pipeline = split_selector(expr)
    rows: list[Row] = []
    for labels in source.streams(selector, timestamp_ns, timestamp_ns + 1):
        # JSON string escapes are a subset of Go's, which LogQL's strings follow.
        exact = "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items())) + "}"
        page, limit = _fetch_fitting(source, exact + pipeline, timestamp_ns, timestamp_ns + 1, page_entries, "forward")
        if len(page) >= limit:
            raise LokiIncomplete(exact, timestamp_ns, limit)
        rows.extend(page)
    return rows


def _fetch_fitting(
    source: Source, expr: str, start_ns: int, end_ns: int, limit: int, direction: Direction
) -> tuple[list[Row], int]:
    """One page, and the limit it was read with: smaller when that many entries did not fit into one answer."""
    while True:
        try:
            return rows_of(source.fetch(expr, start_ns, end_ns, limit), direction), limit
        except LokiTooLarge:
            if limit == 1:
                raise
            limit //= 2
