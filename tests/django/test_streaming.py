"""Streams: counted to the last byte, ended once, and never in the way of what else the thread does."""

from __future__ import annotations

import asyncio
import gc
import io
import wsgiref.util
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse
from django.test import AsyncClient, Client

from logging_pkg.context import active, current_span, current_unit, start_span
from logging_pkg.testing import LogEvents, assert_event, assert_no_event

REQUEST = "http.request_finished"
pytestmark = pytest.mark.django_db


def wsgi(path: str, method: str = "GET", **environ: Any) -> Any:
    """The response as a WSGI server gets it."""
    environment: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "wsgi.input": io.BytesIO(), **environ}
    wsgiref.util.setup_testing_defaults(environment)
    return WSGIHandler()(environment, lambda *_: None)


def test_a_sync_stream_is_counted_to_its_end(client: Client, log_events: LogEvents) -> None:
    """Told when it is consumed: bytes of the encoded chunks, and the queries run meanwhile."""
    response = client.get("/stream/")
    assert_no_event(log_events, REQUEST)
    assert b"".join(response) == "onetwö".encode()
    response.close()
    assert_event(
        log_events,
        REQUEST,
        count=1,
        is_streaming=1,
        response_size_bytes=7,
        outcome="ok",
        query_count=1,
        route="/stream/",
    )


async def test_an_async_stream_is_counted_to_its_end(async_client: AsyncClient, log_events: LogEvents) -> None:
    """The same under ASGI, its queries in a thread."""
    response = await async_client.get("/stream-async/")
    assert b"".join([chunk async for chunk in response]) == "onetwö".encode()
    assert_event(log_events, REQUEST, count=1, is_streaming=1, response_size_bytes=7, outcome="ok", query_count=1)
    assert current_unit() is None


def test_an_error_in_a_stream_is_the_requests_error(client: Client, log_events: LogEvents) -> None:
    """The status was already sent; outcome and class tell what happened, and the server sees the error."""
    response = client.get("/stream-failing/")
    with pytest.raises(LookupError):
        b"".join(response)
    assert_event(
        log_events, REQUEST, count=1, outcome="server_error", is_error=1, status_code=200, error_type="LookupError"
    )
    assert "hunter2" not in str(log_events)


def test_a_stream_left_half_way_is_a_disconnect(log_events: LogEvents) -> None:
    """The server closes the response; what had gone out is counted."""
    response = wsgi("/stream/")
    assert next(iter(response)) == b"one"
    response.close()
    assert_event(log_events, REQUEST, count=1, outcome="client_disconnect", response_size_bytes=3, is_error=0)


def test_what_a_body_does_when_it_is_closed_is_the_requests(log_events: LogEvents) -> None:
    """Its cleanup runs in the server's close(): queries there are counted like those before."""
    response = wsgi("/stream-cleaning-up/")
    next(iter(response))
    response.close()
    event = assert_event(log_events, REQUEST, count=1, outcome="client_disconnect", query_count=2)
    assert event["queries_unattributed"] == 0


def test_chunks_of_every_kind_are_measured_in_bytes(client: Client, log_events: LogEvents) -> None:
    """As Django makes bytes of them: memoryviews, byte arrays, numbers, text."""
    response = client.get("/stream-of-views/")
    sent = len(b"".join(response))
    response.close()
    assert_event(log_events, REQUEST, count=1, response_size_bytes=sent)


def test_a_chunk_that_cannot_be_sent_is_the_requests_error(client: Client, log_events: LogEvents) -> None:
    """What cannot be encoded fails as it does without us, and the request is told of."""
    response = client.get("/stream-unencodable/")
    with pytest.raises(UnicodeEncodeError):
        b"".join(response)
    response.close()
    assert_event(log_events, REQUEST, count=1, outcome="server_error", error_type="UnicodeEncodeError")


def test_the_first_byte_of_a_stream_is_its_first_chunk(client: Client, log_events: LogEvents) -> None:
    """The response object is there long before."""
    response = client.get("/stream-late/")
    b"".join(response)
    response.close()
    event = assert_event(log_events, REQUEST, count=1)
    assert 50 <= event["time_to_first_byte_ms"] <= event["response_time_ms"]


def test_a_stream_never_begun_is_a_disconnect(log_events: LogEvents) -> None:
    """Only the closer runs."""
    wsgi("/stream/").close()
    assert_event(log_events, REQUEST, count=1, outcome="client_disconnect", response_size_bytes=0)


def test_head_needs_no_body(log_events: LogEvents) -> None:
    """A server does not consume the stream of a HEAD request; that is no disconnect."""
    wsgi("/stream/", "HEAD").close()
    assert_event(log_events, REQUEST, count=1, outcome="ok", method="HEAD")


def test_a_server_that_never_closes_is_told_of_at_the_end(log_events: LogEvents) -> None:
    """Some ASGI servers skip `close`: the end of the stream is enough."""
    response = wsgi("/stream/")
    assert len(list(response)) == 2
    assert_event(log_events, REQUEST, count=1, outcome="ok")
    response.close()
    assert len(log_events.named(REQUEST)) == 1


def test_a_dropped_stream_disturbs_no_other_unit(log_events: LogEvents) -> None:
    """Its generator ends wherever the garbage collector runs: the unit current there stays current."""
    response = wsgi("/stream/")
    next(iter(response))
    with active(start_span("request")) as other:
        del response
        gc.collect()
        assert current_span() is other
        assert_event(log_events, REQUEST, count=1, outcome="client_disconnect")
    assert current_unit() is None


def test_the_consumer_keeps_its_own_unit(log_events: LogEvents) -> None:
    """Between chunks the server's code runs, not the request's."""
    response = wsgi("/stream/")
    for _ in response:
        assert current_unit() is None
    response.close()
    assert len(log_events.named(REQUEST)) == 1


def test_a_file_keeps_the_servers_sendfile(log_events: LogEvents) -> None:
    """`wsgi.file_wrapper` gets the file itself; its announced length is what was sent."""
    given: list[Any] = []

    def file_wrapper(file: Any, block_size: int) -> Any:
        given.append(file)
        return wsgiref.util.FileWrapper(file, block_size)

    response = wsgi("/file/", **{"wsgi.file_wrapper": file_wrapper})
    assert isinstance(given[0], io.BytesIO)
    response.close()
    assert_event(log_events, REQUEST, count=1, is_streaming=1, response_size_bytes=10_000, outcome="ok")


def test_a_file_without_sendfile_is_counted(client: Client, log_events: LogEvents) -> None:
    """Read by Django, chunk by chunk."""
    response = client.get("/file/")
    assert isinstance(response, FileResponse)
    assert len(b"".join(response)) == 10_000
    response.close()
    assert_event(log_events, REQUEST, count=1, response_size_bytes=10_000, outcome="ok")


async def test_a_client_that_goes_away_from_an_endless_stream(log_events: LogEvents) -> None:
    """A real ASGI exchange: after a few chunks the client disconnects; told once, and the server's task ends."""
    sent: list[dict[str, Any]] = []
    gone = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if len(sent) == 4:
            gone.set()

    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        first = next(requests, None)
        if first is not None:
            return first
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/stream-endless/", "query_string": b"", "headers": []}
    handler = ASGIHandler()
    await asyncio.wait_for(handler(scope, receive, send), 20)
    event = assert_event(log_events, REQUEST, count=1, outcome="client_disconnect", is_streaming=1, is_error=0)
    assert event["response_size_bytes"] >= 3
    assert current_unit() is None
