"""Where an ID is looked for, and how far.

In: lines of several ages in a real Loki. Out: assertions on what is found and how much time was looked through.
"""

from __future__ import annotations

import time

import pytest

from logging_pkg.context import new_span_id
from logging_pkg.exceptions import LogpipeError
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.lookup import events_of
from logging_pkg.stack import Stack
from tests.pipeline.events import line, push

_MINUTE = 60_000_000_000


def told(loki: LokiClient, age_ns: int, service: str) -> tuple[str, str]:
    """A sync of that age with two attempts; its correlation_id and sync_id."""
    moment, sync_id = time.time_ns() - age_ns, "f" + new_span_id()[1:]
    correlation = f"{moment // 1_000_000:012x}7{new_span_id()}abc"
    ids = {"correlation_id": correlation, "sync_id": sync_id}
    attempts = [
        line("google_api.call_finished", service, moment + number, span_id=new_span_id(), **ids) for number in (1, 2)
    ]
    push(loki, [*attempts, line("sync.run_finished", service, moment + 3, span_id=sync_id, **ids)])
    return correlation, sync_id


@pytest.mark.parametrize(("minutes", "parts"), [(1, 1), (100, 4), (340, 12)])
def test_an_id_without_a_time_is_looked_for_from_the_newest(loki: LokiClient, minutes: int, parts: int) -> None:
    """In half hours of 6 h and the minute to come, no further than it is found; all of its correlation is given."""
    correlation, sync_id = told(loki, minutes * _MINUTE, f"lookup-{minutes}")
    seen: list[tuple[int, int]] = []
    found = events_of(loki, sync_id, on_progress=lambda done, total: seen.append((done, total)))
    assert {event["correlation_id"] for event in found} == {correlation}
    assert len(found) == 3
    assert seen == [(number, 13) for number in range(1, parts + 1)]
    seen.clear()
    assert events_of(loki, correlation, on_progress=lambda done, total: seen.append((done, total))) == found
    assert seen == [], "its time tells where to look"


def test_the_beginning_of_an_id_is_looked_for_to_the_end(own_loki_server: Stack) -> None:
    """A second one that fits makes it ambiguous, however old it is. So few digits are but a time, which other tests' IDs share."""
    with LokiClient(own_loki_server.loki_url) as loki:
        first, _ = told(loki, 2 * _MINUTE, "lookup-prefix")
        moment = time.time_ns() - 200 * _MINUTE
        push(loki, [line("sync.run_finished", "lookup-prefix-2", moment, correlation_id=first[:20] + "0" * 12)])
        with pytest.raises(LogpipeError, match="begins 2 correlation IDs"):
            events_of(loki, first[:10])
