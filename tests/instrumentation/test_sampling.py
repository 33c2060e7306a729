"""Sampling of detail events: whole traces, decided alike everywhere, with counters that stay right."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from logging_pkg import conf, track_performance
from logging_pkg.context import Span, active, new_correlation, new_correlation_id, start_span
from logging_pkg.exceptions import ConfigurationError
from logging_pkg.instrumentation.database.statements import Statement
from logging_pkg.instrumentation.request.watch import RequestWatch
from logging_pkg.instrumentation.sampling import weight_of_detail
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events

CALL = "function.call_finished"


def span_of(correlation_id: str, totals: Totals | None = None) -> Span:
    return Span(correlation_id, "1" * 16, None, {}, totals)


#: The least and the greatest random part an ID can have.
LOWEST, HIGHEST = "0192f0c1d4e87abc81" + "0" * 14, "0192f0c1d4e87abc81" + "f" * 14


@track_performance("sampled")
def work(fail: bool = False) -> None:
    if fail:
        raise ValueError


def test_all_are_kept_unless_asked_otherwise(log_events: LogEvents) -> None:
    """Each stands for itself."""
    with active(span_of(HIGHEST)):
        work()
    assert_event(log_events, CALL, count=1, sample_weight=1)


@pytest.mark.parametrize(("rate", "kept"), [(0.0, []), (0.25, [LOWEST]), (0.999, [LOWEST]), (1.0, [LOWEST, HIGHEST])])
def test_the_correlation_id_decides(rate: float, kept: list[str]) -> None:
    """By its random bits: all details of a trace or none, each with its weight."""
    with capture_events(detail_sample_rate=rate) as events:
        for correlation_id in (LOWEST, HIGHEST):
            with active(span_of(correlation_id)):
                for _ in range(3):
                    work()
    assert [event["correlation_id"] for event in events] == [one for one in kept for _ in range(3)]
    assert all(event["sample_weight"] == pytest.approx(1 / rate) for event in events)


def test_every_process_decides_alike() -> None:
    """Another interpreter, with another hash seed, keeps the same ones."""
    ids = [new_correlation_id() for _ in range(200)]
    program = (
        "import sys; from logging_pkg.context import Span; "
        "from logging_pkg.instrumentation.sampling import weight_of_detail\n"
        "for line in sys.stdin: print(weight_of_detail(Span(line.strip(), '1' * 16, None, {}), has_failed=False))"
    )
    with capture_events(detail_sample_rate=0.5):
        here = [str(weight_of_detail(span_of(one), has_failed=False)) for one in ids]
    there = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(ids),
        env={"LOGPIPE_DETAIL_SAMPLE_RATE": "0.5", "PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert here == there
    assert set(here) == {"2.0", "None"}


def test_sums_of_weights_are_the_true_counts() -> None:
    """Over many traces of several calls each, the weights add up to the calls made, within four standard errors."""
    rate, traces, calls = 0.2, 4000, 3
    with capture_events(detail_sample_rate=rate):
        weights = []
        for _ in range(traces):
            with new_correlation():
                span = start_span()
            weights += [weight_of_detail(span, has_failed=False) or 0 for _ in range(calls)]
    deviation = calls * (traces * (1 / rate - 1)) ** 0.5
    assert abs(sum(weights) - traces * calls) < 4 * deviation


def test_failures_are_always_kept() -> None:
    """Each once, and each standing for itself alone: those of dropped traces are not missing."""
    with capture_events(detail_sample_rate=0.0) as events, active(span_of(HIGHEST)):
        for fail in (True, False, True):
            try:
                work(fail)
            except ValueError:
                continue
    assert [(event["is_error"], event["sample_weight"]) for event in events] == [(1, 1), (1, 1)]


def test_what_was_left_out_is_counted_by_the_request() -> None:
    """In nested units too; canonical events and findings are not details."""
    with capture_events(detail_sample_rate=0.0, query_count_threshold=0) as events:
        watch = RequestWatch("GET", lambda: "/")
        with active(watch.span):
            work()
            nested = Totals(parent=watch.totals)
            with active(start_span("sync", totals=nested)):
                work()
                work()
        watch.totals.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        watch.finish(status=200, response_bytes=0)
    assert_no_event(events, CALL)
    assert_event(events, "http.request_finished", details_dropped=3)
    assert_event(events, "db.high_query_count_detected")
    assert nested.details_dropped == 2


def test_where_no_detail_was_left_out_the_field_is(log_events: LogEvents) -> None:
    """Most requests leave none out."""
    watch = RequestWatch("GET", lambda: "/")
    with active(watch.span):
        work()
    watch.finish(status=200, response_bytes=0)
    assert "details_dropped" not in assert_event(log_events, "http.request_finished", count=1)


@pytest.mark.parametrize("rate", [1.5, -0.1, float("nan")])
def test_a_rate_is_a_share(rate: Any) -> None:
    """From 0 to 1."""
    with pytest.raises(ConfigurationError, match="detail_sample_rate is"):
        conf.Settings(detail_sample_rate=rate).checked()
