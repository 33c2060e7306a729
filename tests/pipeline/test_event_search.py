"""A search means in Loki what it means of a file.

In: lines in a real Loki and in memory. Out: assertions on which are found. Never: a query no user could type.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from logging_pkg.analysis.filters import condition
from logging_pkg.exceptions import LogpipeError
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.event_search import Search, event_names
from logging_pkg.pipeline.scope import Scope
from tests.pipeline.events import REGISTRY, line, push

_SECOND = 1_000_000_000
_ROUTES = ("/", '/a"b/', "/accounts/{id}/")


@pytest.mark.parametrize(
    "conditions",
    [
        ["route=/accounts/{id}/"],
        ['route=/a"b/'],
        ["route!=/"],
        ["route=~/a.*"],
        ["route!~/a.*"],
        ["response_time_ms>200"],
        ["response_time_ms>=200", "response_time_ms<300"],
        ["response_time_ms<=200"],
        ["user_id="],
        ["user_id!="],
        ["is_error=1", "status_code=500"],
        ["status_code>=500"],
        ["level=error"],
        ["release=1.0", "route=/"],
        ["service_name=~search-.*"],
    ],
    ids=" ".join,
)
def test_conditions_find_the_same_in_loki_and_in_memory(conditions: list[str], loki: LokiClient) -> None:
    """Texts, regular expressions, numbers, nulls, labels, structured metadata and the envelope's other fields."""
    now_ns = time.time_ns()
    lines = [
        line(
            "http.request_finished",
            f"search-{now_ns}",
            now_ns - number * 1_000_000 - _SECOND,
            route=_ROUTES[number % 3],
            response_time_ms=100.0 * (number % 4),
            user_id=None if number % 5 else "7",
            status_code=500 if number % 2 else 200,
            is_error=number % 2,
            level="error" if number % 2 else "info",
            release="1.1" if number % 3 else "1.0",
        )
        for number in range(30)
    ]
    push(loki, lines)
    asked = tuple(map(condition, conditions))
    wanted = Search(event_names(REGISTRY, (), asked), asked, scope=Scope({"service_name": f"search-{now_ns}"}))
    answer = loki.query_range(wanted.logql(), now_ns - 60 * _SECOND, now_ns)
    assert isinstance(answer, Streams)
    found = {json.loads(entry.line)["event_id"] for entry in answer.entries}
    expected = {item["event_id"] for item in lines if wanted.fits(item, json.dumps(item))}
    assert found == expected
    assert 0 < len(expected) <= 30


def test_text_and_names_narrow_a_search() -> None:
    """Globs of names, those that have the fields, and a text with characters that mean something in LogQL."""
    assert event_names(REGISTRY, ["db.n_*"], ()) == ("db.n_plus_one_detected",)
    having = event_names(REGISTRY, [], [condition("quota_units>0")])
    assert having == ("cache.warm_finished", "google_api.call_finished", "sync.run_finished")
    assert event_names(REGISTRY, [], [condition("level=error")]) is None
    wanted = Search(("a.b_done",), (), 'say "\\')
    assert wanted.logql() == '{event=~"a\\\\.b_done"} |= "say \\"\\\\"'
    assert wanted.fits({"event": "a.b_done"}, 'they say "\\ so')
    assert not wanted.fits({"event": "a.b_done"}, "they say nothing")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: condition("route"),
            "'route' is no condition: expected field=value, or != =~ !~ > >= < <= in place of =",
        ),
        (lambda: condition("a>b"), "'a>b': expected a number after > (could not convert string to float: 'b')"),
        (lambda: condition("a=~("), "'a=~(': expected a regular expression after =~ ("),
        (lambda: event_names(REGISTRY, ["nosuch*"], ()), "no declared event is called nosuch*"),
        (
            lambda: event_names(REGISTRY, (), [condition("respnse_time_ms>1")]),
            'respnse_time_ms is no field of any event (did you mean "response_time_ms"?)',
        ),
    ],
)
def test_mistakes_are_named(call: Callable[[], object], message: str) -> None:
    """What was typed, what is expected, what is near."""
    with pytest.raises(LogpipeError) as caught:
        call()
    assert str(caught.value).startswith(message)
