"""Reading every entry of a range, however many there are and wherever the page borders fall."""

from __future__ import annotations

import pytest

from logging_pkg.loki_client import LokiClient, LokiIncomplete, LokiTooLarge, Stream, Streams
from logging_pkg.loki_client.paging import Source, read_pages, split_selector

from .conftest import Store


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_more_entries_than_one_query_returns_come_back_in_full(store: Store, direction: str) -> None:
    """12,001 entries of two streams are three pages; each comes back once, in order, with the real limit of 5,000."""
    store.push({2 * n: f"even-{n}" for n in range(6001)}, event="even.one_done")
    store.push({2 * n + 1: f"odd-{n}" for n in range(6000)}, event="odd.one_done")
    expected = [f"{('even', 'odd')[n % 2]}-{n // 2}" for n in range(12001)]
    assert store.lines(direction=direction) == expected


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("page", [2, 3, 5, 7, 10, 50])
def test_equal_timestamps_at_page_borders_are_neither_lost_nor_doubled(
    loki_server, store: Store, direction: str, page: int
) -> None:
    """Runs of 1, 2, 3 and 4 entries of the same nanosecond, in two streams, with borders in every position."""
    pairs = [(offset, f"{offset}-{copy}") for offset in range(12) for copy in range(1 + offset % 4)]
    for event in ("a.b_done", "c.d_done"):
        store.push([(offset, f"{event} {text}") for offset, text in pairs], event=event)
    longest = 4
    with LokiClient(loki_server.loki_url, page_entries=page) as client:
        if page <= longest:
            with pytest.raises(LokiIncomplete):
                client.query_range(store.selector, *store.range, direction=direction)
            return
        found = [entry.line for entry in client.query_range(store.selector, *store.range, direction=direction).entries]
    assert sorted(found) == sorted(f"{event} {text}" for event in ("a.b_done", "c.d_done") for _, text in pairs)


def test_one_timestamp_with_more_than_a_page_is_read_stream_by_stream(store: Store) -> None:
    """6,000 entries of one nanosecond in two streams, with the real limit of 5,000."""
    for event in ("a.b_done", "c.d_done"):
        store.push([(0, f"{event} {n}") for n in range(3000)], event=event)
    store.push({1: "after"})
    assert len(set(store.lines(' !~ "nothing like this"'))) == 6001


def test_one_stream_with_more_than_a_page_at_one_timestamp_is_an_error(store: Store) -> None:
    """What cannot be read in full is never returned in part; the error names stream, timestamp and what to raise."""
    store.push([(0, f"{n}") for n in range(5001)])
    with pytest.raises(LokiIncomplete, match="max_entries_limit_per_query") as caught:
        store.lines()
    assert caught.value.timestamp_ns == store.start_ns
    assert store.service in caught.value.selector


@pytest.mark.parametrize("limit", [1, 4999, 5000, 5001, 5500])
def test_limit_returns_the_first_entries_in_the_direction(store: Store, limit: int) -> None:
    """Also past one page, and no more than asked for."""
    store.push({n: f"{n}" for n in range(6000)})
    assert store.lines(limit=limit) == [f"{n}" for n in range(limit)]
    assert store.lines(limit=limit, direction="backward") == [f"{n}" for n in range(6000 - limit, 6000)]


def test_page_of_long_lines_is_answered(store: Store) -> None:
    """5,000 lines of 2 KB are more than gRPC's default message; the committed configuration lets them through."""
    store.push({n: f"{n:05d}" + "x" * 2000 for n in range(5001)})
    assert len(store.lines()) == 5001


def test_page_over_the_size_limit_is_read_in_smaller_pages() -> None:
    """When an answer is refused for its size, fewer entries are asked for at once; an entry refused alone is the error."""
    asked: list[int] = []

    def fetch(expr: str, start_ns: int, end_ns: int, limit: int) -> Streams:
        asked.append(limit)
        if limit > 3:
            raise LokiTooLarge(
                "http://127.0.0.1:1/query_range", 413, "response larger than the max message size (9 vs 8)"
            )
        return Streams((Stream({}, [e for e in entries if start_ns <= e.timestamp_ns < end_ns][:limit]),))

    from logging_pkg.loki_client import Entry

    entries = [Entry(n, str(n)) for n in range(10)]
    source = Source(fetch, lambda *_: [])
    pages = list(read_pages(source, "{}", 0, 100, "forward", 12))
    assert [row.entry.line for page in pages for row in page] == [str(n) for n in range(10)]
    assert asked[:3] == [12, 6, 3]

    def refuse(*_: object) -> Streams:
        raise LokiTooLarge("http://127.0.0.1:1/query_range", 413, "too large")

    with pytest.raises(LokiTooLarge):
        list(read_pages(Source(refuse, lambda *_: []), "{}", 0, 100, "forward", 4))


@pytest.mark.parametrize(
    ("expr", "selector", "rest"),
    [
        ('{a="b"}', '{a="b"}', ""),
        ('  {a="b"} |= "c" ', '{a="b"}', ' |= "c"'),
        (r'{a="}\"}"} | json', r'{a="}\"}"}', " | json"),
        ('{a=~`}\\`, b="x"} != `y`', '{a=~`}\\`, b="x"}', " != `y`"),
    ],
)
def test_selector_is_told_from_the_rest_of_the_query(expr: str, selector: str, rest: str) -> None:
    """Braces and quotes inside strings do not end the selector."""
    assert split_selector(expr) == (selector, rest)


@pytest.mark.parametrize("expr", ['({a="b"})', 'rate({a="b"}[1m])', '{a="b', '{a="b}"'])
def test_query_without_a_leading_selector_is_refused(expr: str) -> None:
    """The message shows the query and what was expected."""
    with pytest.raises(ValueError, match="expected a"):
        split_selector(expr)
