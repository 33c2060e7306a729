"""Lines that anybody may have pushed: markup in every field, shapes that no schema has.

In: hostile events in a real Loki. Out: assertions on the markup of every page that shows them. Never: a value that stands
unescaped, a page that fails.
"""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from logging_pkg.console.pages.google import _used
from logging_pkg.context import new_correlation_id
from logging_pkg.loki_client import Entry, LokiClient, Stream, Vector, VectorSample
from tests.console.conftest import settled
from tests.pipeline.events import ENV, REGISTRY, line, push

_ATTACK = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}"
_SECOND = 1_000_000_000
SHOWN = [
    "http.request_finished",
    "http.slow_request_detected",
    "db.n_plus_one_detected",
    "db.slow_query_detected",
    "db.high_query_count_detected",
    "db.query_explained",
    "google_api.call_finished",
    "sync.run_finished",
    "calendar.connection_checked",
    "log.message_recorded",
    "logging.event_rejected",
    "function.call_finished",
]
PAGES = ["overview", "routes", "queries", "google", "syncs", "pipeline", "search", "alerts"]


class Elements(HTMLParser):
    """What a browser would make of it: elements, and attributes that run."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str | None] = []
        self.dangerous: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "script" and "src" not in told:
            self.scripts.append(tag)
        if tag == "img" and told.get("src") == "x":
            self.dangerous.append("img")
        self.dangerous += [name for name, _ in attrs if name.startswith("on")]
        self.dangerous += [
            str(value) for name, value in attrs if name == "href" and str(value).startswith("javascript:")
        ]


def attacked(event: str, service: str, now_ns: int, correlation_id: str, **changed: Any) -> dict[str, Any]:
    """A line with the attack in every text that its schema does not bound to certain words."""
    made = line(event, service, now_ns, level="error", correlation_id=correlation_id)
    kept = {*REGISTRY.envelope["properties"]}
    # So that lists of failures show it.
    made |= {name: value for name, value in {"is_error": 1, "is_success": 0, "is_healthy": 0}.items() if name in made}
    for name, schema in REGISTRY.events[event].properties.items():
        if name in kept or "enum" in schema or "pattern" in schema:
            continue
        if isinstance(made.get(name), str) or schema.get("type") == ["string", "null"]:
            made[name] = _ATTACK
    return {**made, **changed}


@pytest.fixture(scope="module")
def hostile(loki_server: Any) -> tuple[str, str]:
    """A service whose every line is an attack, and a correlation of all of them."""
    now_ns = time.time_ns()
    service, correlation_id = f"hostile-{now_ns % 10**12}", new_correlation_id()
    with LokiClient(loki_server.loki_url) as client:
        push(client, [attacked(event, service, now_ns - _SECOND, correlation_id) for event in SHOWN])
    return service, correlation_id


def check(text: str) -> None:
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    elements = Elements()
    elements.feed(text)
    assert elements.scripts == []
    assert elements.dangerous == []


@pytest.mark.parametrize("name", PAGES)
def test_no_field_of_an_event_becomes_markup(staff: Client, hostile: tuple[str, str], name: str) -> None:
    """Routes, statements, callers, messages, errors: shown as they are written."""
    text = settled(staff, f"/console/{name}/", service=hostile[0])
    check(text)
    if name != "alerts":
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "49" not in re.findall(r"onerror=alert\(2\)&gt;&#x27;(..)", text)


def test_nor_in_a_waterfall(staff: Client, hostile: tuple[str, str]) -> None:
    """All of them in one trace."""
    text = settled(staff, f"/console/trace/{hostile[1]}/")
    check(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize(
    "query", [{"q": _ATTACK}, {"event": _ATTACK}, {"q": f"route={_ATTACK}"}, {"service": _ATTACK}, {"range": _ATTACK}]
)
def test_nor_does_what_is_typed(staff: Client, query: dict[str, str]) -> None:
    """Whatever it is answered with."""
    check(staff.get("/console/search/", query).content.decode())
    check(staff.get("/console/trace/", {"id": _ATTACK, **query}).content.decode())


@pytest.mark.parametrize(
    "written",
    [
        "no JSON at all",
        "[1, 2]",
        '"text"',
        "{}",
        '{"event": 7}',
        json.dumps({"event": "http.request_finished"}),
        json.dumps({"event": "http.request_finished", "method": None, "path": {}, "status_code": [], "timestamp": 5}),
        json.dumps({"event": "sync.run_finished", "correlation_id": "../../x", "timestamp": "yesterday"}),
    ],
)
def test_lines_of_any_shape_are_no_error(staff: Client, loki: LokiClient, service: str, written: str) -> None:
    """In a list, and under the correlation ID that their metadata claims."""
    correlation_id = new_correlation_id()
    labels = {"service_name": service, "env": ENV, "event": "http.request_finished"}
    entry = Entry(time.time_ns() - _SECOND, written, {"correlation_id": correlation_id})
    loki.push([Stream(labels, [entry])])
    check(settled(staff, "/console/search/", service=service))
    text = settled(staff, f"/console/trace/{correlation_id}/")
    check(text)
    assert "banner bad" in text


@pytest.mark.parametrize(
    "written", ['{"quota_minute_limit": 600, "operation": ', "[1, 2]", '{"quota_minute_limit": "many"}', "{}"]
)
def test_a_limit_in_a_line_of_any_shape_is_no_error(written: str) -> None:
    """Of the newest attempt that tells one: what cannot be read is not known."""
    used = Vector((VectorSample({}, 0, 30.0),))
    assert _used("quota_minute_limit", used, [written]) is None
    assert _used("quota_minute_limit", used, ['{"quota_minute_limit": 600}']) == 0.05
