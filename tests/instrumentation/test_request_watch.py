"""What a request's event says of plain values, by a clock that stands still."""

from __future__ import annotations

import pytest

from logging_pkg.instrumentation.request import watch as watch_module
from logging_pkg.instrumentation.request.watch import RequestWatch
from logging_pkg.testing import assert_event, capture_events

FINISHED = "http.request_finished"


class Clock:
    """Nanoseconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch_module, "_clock", made)
    return made


@pytest.mark.parametrize(
    ("microseconds", "status", "apdex"),
    [
        (0, 200, 1),
        (500_000, 200, 1),
        (500_001, 200, 0.5),
        (2_000_000, 404, 0.5),
        (2_000_001, 200, 0),
        (10, 500, 0),
        (500_001, 500, 0),
    ],
)
def test_apdex_is_one_a_half_or_nothing(clock: Clock, microseconds: int, status: int, apdex: float) -> None:
    """Satisfied up to the threshold, tolerating up to four times it, frustrated beyond it and by an error."""
    with capture_events(apdex_threshold_ms=500) as events:
        watch = RequestWatch("GET", lambda: "/")
        watch.started()
        clock.now = microseconds * 1000
        watch.responded()
        watch.finish(status=status, response_bytes=3)
    event = assert_event(events, FINISHED, apdex=apdex, response_time_ms=microseconds / 1000, status_code=status)
    assert event["is_error"] == int(status >= 500)


def test_an_event_says_nothing_of_the_one_before(clock: Clock) -> None:
    """What one request had to tell is not left in the next one's fields."""
    with capture_events(slow_request_threshold_ms=1) as events:
        rich, plain = RequestWatch("POST", lambda: "/rich/"), RequestWatch("GET", lambda: "/plain/")
        rich.totals.add_cache("default", 1_000_000, hits=2, misses=1, sets=1, deletes=1)
        rich.totals.add_api_attempt(3_000_000, 5)
        rich.queue_ms = 7.0
        clock.now = 5_000_000
        rich.finish(
            status=500,
            response_bytes=9,
            request_bytes=8,
            user_id="u",
            is_streaming=True,
            is_htmx=True,
            error=LookupError(),
        )
        clock.now = 0
        plain.finish(status=200, response_bytes=0)
    first, second = [event for event in events if event["event"] == FINISHED]
    told = {
        "cache_hit_count": 2,
        "cache_miss_count": 1,
        "cache_set_count": 1,
        "cache_delete_count": 1,
        "cache_time_ms": 1.0,
        "api_call_count": 1,
        "api_time_ms": 3.0,
        "queue_time_ms": 7.0,
        "user_id": "u",
        "request_size_bytes": 8,
        "is_streaming": 1,
        "is_htmx": 1,
        "is_slow": 1,
        "is_error": 1,
        "error_type": "LookupError",
    }
    assert told.items() <= first.items()
    assert [alias["alias"] for alias in first["caches"]] == ["default"]
    assert told.keys() & second.keys() == {"is_slow", "is_error"}
    assert (second["is_slow"], second["is_error"], second["queries"]) == (0, 0, [])
    assert "caches" not in second
