"""The canonical event of a request, sync and async."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, RequestFactory

from logging_pkg.context import is_unobserved
from logging_pkg.django.middleware import ObservabilityMiddleware, route_of
from logging_pkg.instrumentation.request.watchdog import in_flight
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events
from tests.django import urls

REQUEST = "http.request_finished"


def test_a_request_is_told_once(client: Client, log_events: LogEvents) -> None:
    """Method, route, status, sizes and times of one request in one event."""
    response = client.post("/", data="x=1", content_type="application/x-www-form-urlencoded")
    event = assert_event(
        log_events,
        REQUEST,
        count=1,
        method="POST",
        route="/",
        path="/",
        status_code=200,
        status_class="2xx",
        outcome="ok",
        is_error=0,
        is_slow=0,
        apdex=1,
        query_count=0,
        queries=[],
        request_size_bytes=3,
        response_size_bytes=len(response.content),
        parent_span_id=None,
    )
    assert 0 <= event["time_to_first_byte_ms"] <= event["response_time_ms"]
    assert event["instrumentation_us"] > 0
    assert event["request_id"] == event["span_id"]
    # What it had nothing of.
    some = {"user_id", "cache_hit_count", "caches", "api_call_count", "is_streaming", "is_htmx", "error_type"}
    assert not some & event.keys()


async def test_an_async_view_is_told_the_same(async_client: AsyncClient, log_events: LogEvents) -> None:
    """Under ASGI, through the async path."""
    response = await async_client.get("/async/", headers={"HX-Request": "true"})
    assert response.content == b"async"
    assert_event(log_events, REQUEST, count=1, route="/async/", is_htmx=1, response_size_bytes=5, outcome="ok")
    assert response["X-Correlation-ID"] == log_events[0]["correlation_id"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/accounts/5/calendars/bob-at-example/?token=hunter2", "/accounts/{id}/calendars/{slug}/"),
        ("/things/hunter2@example.com/", "/things/{id}/"),
        ("/articles/7/hunter2/", "/articles/{id}/{var}/"),
        ("/nested/hunter2/items/00000000-0000-0000-0000-000000000001/", "/nested/{team}/items/{id}/"),
        ("/nested/hunter2/2026/page-3/", "/nested/{team}/{year}/(?:page-{page}/)?"),
        ("/nowhere/hunter2@example.com/?q=hunter2", "unrouted"),
        ("/", "/"),
    ],
)
def test_the_route_is_the_template_and_the_path_no_more(
    client: Client, log_events: LogEvents, path: str, route: str
) -> None:
    """Values of the URL, its query string and unrouted paths are in no event."""
    client.get(path)
    event = assert_event(log_events, REQUEST, count=1)
    assert event["path"] == event["route"]
    assert event["route"].startswith(route.split("(", maxsplit=1)[0])
    assert "hunter2" not in str(log_events)


def test_allow_listed_parameters_are_filled_in() -> None:
    """Those named in the settings, where the value is harmless; never any other."""
    with capture_events(path_parameters=("account_id", "pk")) as events:
        client = Client()
        client.get("/accounts/5/calendars/hunter2/")
        client.get("/things/fine-1.2_x/")
        client.get("/things/not@fine/")
        client.get("/things/" + "x" * 65 + "/")
    assert [event["path"] for event in events.named(REQUEST)] == [
        "/accounts/5/calendars/{slug}/",
        "/things/fine-1.2_x/",
        "/things/{id}/",
        "/things/{id}/",
    ]
    assert [event["route"] for event in events.named(REQUEST)][1] == "/things/{id}/"


@pytest.mark.parametrize(
    ("path", "status", "outcome", "is_error", "apdex"),
    [
        ("/status/204/", 204, "ok", 0, 1),
        ("/status/302/", 302, "ok", 0, 1),
        ("/status/404/", 404, "client_error", 0, 1),
        ("/missing/", 404, "client_error", 0, 1),
        ("/denied/", 403, "client_error", 0, 1),
        ("/suspicious/", 400, "client_error", 0, 1),
        ("/status/503/", 503, "server_error", 1, 0),
    ],
)
def test_statuses(
    client: Client, log_events: LogEvents, path: str, status: int, outcome: str, is_error: int, apdex: float
) -> None:
    """The class of the status decides; messages of exceptions stay out."""
    client.get(path)
    assert_event(
        log_events,
        REQUEST,
        status_code=status,
        status_class=f"{status // 100}xx",
        outcome=outcome,
        is_error=is_error,
        apdex=apdex,
    )
    assert "hunter2" not in str(log_events)


@pytest.mark.parametrize("path", ["/failing/", "/failing-async/"])
async def test_an_exception_is_told_by_class_and_stack(log_events: LogEvents, path: str) -> None:
    """What Django turned into a 500: where it was raised, without its message; sync and async."""
    client = AsyncClient(raise_request_exception=False)
    response = await client.get(path)
    assert response.status_code == 500
    event = assert_event(log_events, REQUEST, status_code=500, is_error=1, error_type="LookupError", apdex=0)
    assert "tests/django/urls.py:" in event["error_stack"]
    assert "hunter2" not in str(log_events)


def test_an_exception_of_a_middleware_passes_through(log_events: LogEvents) -> None:
    """Raised below us without Django's handler: told, and raised on unchanged."""
    error = ZeroDivisionError("hunter2")

    def broken(_: Any) -> Any:
        raise error

    with pytest.raises(ZeroDivisionError) as caught:
        ObservabilityMiddleware(broken)(RequestFactory().get("/"))
    assert caught.value is error
    assert_event(log_events, REQUEST, status_code=500, outcome="server_error", error_type="ZeroDivisionError")


async def test_a_client_that_goes_away_is_cancelled(async_client: AsyncClient, log_events: LogEvents) -> None:
    """CancelledError reaches the server; the event says 499 and no error."""
    task = asyncio.create_task(async_client.get("/waiting/"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_event(log_events, REQUEST, outcome="cancelled", status_code=499, is_error=0)


@pytest.mark.parametrize(
    ("slow_ms", "apdex_ms", "is_slow", "apdex"), [(0.0001, 500, 1, 1), (1000, 0.0001, 0, 0), (1000, 500, 0, 1)]
)
def test_slow_requests_are_found(slow_ms: float, apdex_ms: float, is_slow: int, apdex: float) -> None:
    """Over the threshold: flag, and a finding linked to the request."""
    with capture_events(slow_request_threshold_ms=slow_ms, apdex_threshold_ms=apdex_ms) as events:
        Client().get("/")
    request = assert_event(events, REQUEST, is_slow=is_slow, apdex=apdex)
    if is_slow:
        assert_event(events, "http.slow_request_detected", route="/", threshold_ms=slow_ms, span_id=request["span_id"])
    else:
        assert_no_event(events, "http.slow_request_detected")


def test_excluded_paths_are_served_and_not_watched() -> None:
    """Exactly, or by a prefix that ends in `*`; no event and no header."""
    with capture_events(excluded_paths=("/up/", "/status/*")) as events:
        client = Client()
        assert "X-Correlation-ID" not in client.get("/up/").headers
        client.get("/status/500/")
        client.get("/")
    assert [event["route"] for event in events.named(REQUEST)] == ["/"]


async def test_excluded_paths_are_served_by_async_servers_too() -> None:
    """The same without a thread hop; and what follows is observed again."""
    with capture_events(excluded_paths=("/up/",)) as events:
        client = AsyncClient()
        assert "X-Correlation-ID" not in (await client.get("/up/")).headers
        assert is_unobserved() is False
        await client.get("/")
    assert [event["route"] for event in events.named(REQUEST)] == ["/"]


def test_switched_off_the_middleware_is_not_there() -> None:
    """METRICS_ENABLED off: Django leaves it out of the chain."""
    with capture_events(enabled=False) as events:
        assert "X-Correlation-ID" not in Client().get("/").headers
    assert events == []


def test_an_answer_to_head_has_no_body_bytes(client: Client, log_events: LogEvents) -> None:
    """The view's body is not sent."""
    client.head("/items/1/")
    assert_event(log_events, "http.request_finished", method="HEAD", response_size_bytes=0)


def test_an_unregistered_method_is_other(client: Client, log_events: LogEvents) -> None:
    """Whatever a client sends as method."""
    client.generic("BREW", "/")
    assert_event(log_events, REQUEST, method="OTHER")


@pytest.mark.parametrize("length", ["", "abc", "-5", "²", "9" * 30, "9" * 5000])
def test_a_nonsense_content_length_is_not_announced(client: Client, log_events: LogEvents, length: str) -> None:
    """Neither an error nor a number."""
    client.get("/", CONTENT_LENGTH=length)
    assert "request_size_bytes" not in assert_event(log_events, REQUEST, count=1)


def test_a_fault_of_ours_costs_the_event_and_not_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production it is counted; in strict mode it is raised, to be found."""
    monkeypatch.setattr("logging_pkg.django.middleware._user_id", lambda _: 1 / 0)
    with capture_events(strict=False) as events:
        assert Client().get("/").content == b"plain"
    assert_no_event(events, REQUEST)
    with capture_events(), pytest.raises(ZeroDivisionError):
        Client().get("/")


def test_the_request_is_freed_without_the_garbage_collector(log_events: LogEvents) -> None:
    """Nothing of ours closes a circle around request, response or exception."""
    import gc
    import weakref

    request = RequestFactory().get("/")
    middleware = ObservabilityMiddleware(lambda _: HttpResponse("x"))
    gc.collect()
    gc.disable()
    try:
        response = middleware(request)
        found = weakref.ref(request)
        del request, response
        assert found() is None
    finally:
        gc.enable()


def test_what_is_no_response_passes_through(log_events: LogEvents) -> None:
    """A middleware's None: Django says what is wrong with it, as it does without us."""
    assert ObservabilityMiddleware(lambda _: None)(RequestFactory().get("/")) is None
    assert_event(log_events, REQUEST, count=1, status_code=500, outcome="server_error")


def test_a_template_nobody_has_rendered_passes_through(log_events: LogEvents) -> None:
    """Reading its content would raise here what the server is going to raise."""
    response = TemplateResponse(RequestFactory().get("/"), "no/such.html")
    assert ObservabilityMiddleware(lambda _: response)(RequestFactory().get("/")) is response
    assert not response.is_rendered
    assert_event(log_events, REQUEST, count=1, status_code=500)


def test_a_status_that_is_none_is_a_server_error(log_events: LogEvents) -> None:
    """Django lets a view set it; the event stays valid, and the response as it is."""
    response = HttpResponse("x")
    response.status_code = 999
    assert ObservabilityMiddleware(lambda _: response)(RequestFactory().get("/")) is response
    assert response.status_code == 999
    assert_event(log_events, REQUEST, count=1, status_code=500, outcome="server_error")


async def test_a_loop_that_ends_in_the_middle_is_no_error_of_the_view(log_events: LogEvents) -> None:
    """The coroutine is closed without its task being cancelled first."""
    middleware: Any = ObservabilityMiddleware(urls.waiting)
    serving = middleware(RequestFactory().get("/waiting/"))
    serving.send(None)
    serving.close()
    assert_event(log_events, REQUEST, count=1, outcome="cancelled", status_code=499, is_error=0)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/failing/", "/failing-async/", "/stream/", "/file/", "/missing/", "/queries/2/"])
async def test_no_way_to_end_leaves_a_request_in_flight(path: str, log_events: LogEvents) -> None:
    """The watchdog's registry is empty once the response is there."""
    response = await AsyncClient(raise_request_exception=False).get(path)
    assert in_flight == {}
    response.close()


@pytest.mark.django_db
def test_the_cost_of_watching_queries_is_in_the_requests_cost(client: Client, log_events: LogEvents) -> None:
    """Two hundred queries cost more to watch than none, and the field says so."""
    client.get("/queries/0/")
    client.get("/queries/200/")
    none, many = (event["instrumentation_us"] for event in log_events.named(REQUEST))
    assert many > none > 0


def test_a_request_without_a_resolver_match_is_unrouted() -> None:
    """As Django leaves it when no pattern matched."""
    assert route_of(RequestFactory().get("/x")) == "unrouted"


def test_the_time_in_the_queue_is_told_where_a_header_was_named() -> None:
    """By the proxy's header and only with the setting; a forged one is no time, and no error."""
    start = {"X-Request-Start": f"t={time.time() - 2:.3f}"}
    with capture_events() as events:
        Client().get("/", headers=start)
    assert "queue_time_ms" not in assert_event(events, REQUEST)
    with capture_events(request_start_header="X-Request-Start") as events:
        Client().get("/", headers=start)
        Client().get("/", headers={"X-Request-Start": "t=1e99"})
        Client().get("/")
    found = [event.get("queue_time_ms") for event in events if event["event"] == REQUEST]
    assert 2_000 <= found[0] < 60_000
    assert found[1:] == [None, None]


async def test_the_time_in_the_queue_is_told_under_asgi() -> None:
    """The same header on the async path."""
    with capture_events(request_start_header="X-Request-Start") as events:
        await AsyncClient().get("/async/", headers={"X-Request-Start": f"{int(time.time() * 1000) - 500}"})
    assert assert_event(events, REQUEST)["queue_time_ms"] >= 500
