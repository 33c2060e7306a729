"""Queries against a real Loki: results as types."""

from __future__ import annotations

import time

import pytest

from logging_pkg.loki_client import LokiClient, LokiRejected, Matrix, Scalar, Streams, Vector

from .conftest import Store


def test_instant_metric_query_gives_a_vector(store: Store, loki: LokiClient) -> None:
    """Each sample has its labels, the time asked for and a float."""
    store.push({0: "a", 1: "b"})
    now_ns = time.time_ns() // 1_000_000 * 1_000_000
    answer = loki.query(f"sum by (event) (count_over_time({store.selector}[5m]))", now_ns)
    assert isinstance(answer, Vector)
    assert [(s.labels, s.timestamp_ns, s.value) for s in answer.samples] == [
        ({"event": "test.thing_done"}, now_ns, 2.0)
    ]


def test_query_without_matching_entries_gives_an_empty_vector(store: Store, loki: LokiClient) -> None:
    """No entries is not an error and not a zero."""
    assert loki.query(f"count_over_time({store.selector}[5m])") == Vector(())


def test_query_without_selector_gives_a_scalar(loki: LokiClient) -> None:
    """Arithmetic alone is a scalar."""
    assert loki.query("1 + 1") == Scalar(2.0)


def test_log_query_is_refused_as_an_instant_query(store: Store, loki: LokiClient) -> None:
    """Loki's refusal of a log query at one instant arrives as LokiRejected with its text."""
    with pytest.raises(LokiRejected, match="log queries are not supported as an instant query"):
        loki.query(store.selector)


def test_range_metric_query_gives_a_matrix(store: Store, loki: LokiClient) -> None:
    """A sample per step, in order, at multiples of the step."""
    store.push({0: "a"})
    step_ns = 30_000_000_000
    start_ns = store.start_ns // step_ns * step_ns + step_ns
    answer = loki.query_range(
        f"sum(count_over_time({store.selector}[5m]))", start_ns, start_ns + 2 * step_ns, step_s=30
    )
    assert isinstance(answer, Matrix)
    assert [[(s.timestamp_ns, s.value) for s in series.samples] for series in answer.series] == [
        [(start_ns, 1.0), (start_ns + step_ns, 1.0), (start_ns + 2 * step_ns, 1.0)]
    ]


def test_parsed_labels_are_kept_apart_from_stream_labels(store: Store, loki: LokiClient) -> None:
    """What the query's parser extracted is on the entry; the stream keeps the labels it was pushed with."""
    store.push({0: '{"route": "/a/", "ms": 12}', 1: '{"route": "/b/", "ms": 13}'})
    answer = loki.query_range(store.selector + ' | json route="route"', *store.range)
    assert isinstance(answer, Streams)
    assert [dict(entry.parsed) for entry in answer.entries] == [{"route": "/a/"}, {"route": "/b/"}]
    assert {tuple(sorted(stream.labels)) for stream in answer.streams} == {("env", "event", "service_name")}


def test_range_includes_its_start_and_excludes_its_end(store: Store, loki: LokiClient) -> None:
    """An entry at start_ns is in, one at end_ns is not."""
    store.push({0: "start", 5: "inside", 10: "end"})
    answer = loki.query_range(store.selector, store.start_ns, store.start_ns + 10)
    assert [entry.line for entry in answer.entries] == ["start", "inside"]


def test_labels_values_and_series(store: Store, loki: LokiClient) -> None:
    """Names, values and label sets of what was pushed."""
    store.push({0: "x"}, event="a.b_done")
    store.push({0: "x"}, event="c.d_done")
    assert {"service_name", "env", "event"} <= set(loki.labels())
    assert store.service in loki.label_values("service_name", *store.range)
    assert sorted(labels["event"] for labels in loki.series(store.selector)) == ["a.b_done", "c.d_done"]
    assert loki.label_values("no_such_label") == []
    assert loki.series('{service_name="nobody-has-this"}') == []


def test_ready_says_whether_loki_answers(loki: LokiClient) -> None:
    """True for a running Loki, False where nobody listens."""
    assert loki.ready()
    assert not LokiClient("http://127.0.0.1:1").ready()


def test_flush_makes_entries_of_last_week_visible(store: Store, loki: LokiClient) -> None:
    """After flush() an entry 7 days old is found."""
    store.start_ns -= 7 * 24 * 3600 * 1_000_000_000
    store.push({0: "old"})
    loki.flush()
    deadline = time.monotonic() + 20
    while not (found := store.lines()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == ["old"]


def test_a_query_is_given_back_as_loki_writes_it(loki: LokiClient) -> None:
    """Short ones on one line; what does not parse is refused with its place."""
    assert loki.format_query('sum(count_over_time({ event = "a" }[5m]))') == 'sum(count_over_time({event="a"}[5m]))'
    with pytest.raises(LokiRejected, match="parse error at line 1, col 5") as refused:
        loki.format_query("sum(")
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("label_format a=`{{ nothing .a }}`", 'function "nothing" not defined'),
        ('json a="a["', "unexpected"),
    ],
)
def test_a_pipeline_that_parses_and_cannot_be_built_is_refused(
    store: Store, loki: LokiClient, stage: str, said: str
) -> None:
    """Where no line is in the range, too, and nothing is in the store; what can be built is no error."""
    query = f"{store.selector} | {stage}"
    assert loki.format_query(query)
    with pytest.raises(LokiRejected, match=said) as refused:
        loki.try_query(query)
    assert refused.value.status == 400
    loki.try_query(f'{store.selector} | json a="a" | label_format b=`{{{{ .a }}}}`')
