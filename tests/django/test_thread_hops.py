"""Under ASGI the middleware adds no hop between threads: as many calls of asgiref's bridges with it as without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import AsyncToSync, SyncToAsync
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import path

from logging_pkg.django.middleware import ObservabilityMiddleware
from logging_pkg.testing import LogEvents, assert_event

OURS = "logging_pkg.django.middleware.ObservabilityMiddleware"
PLAIN = "tests.django.test_thread_hops.sync_only"
pytestmark = pytest.mark.django_db(transaction=True)
BOTH = ["django.middleware.common.CommonMiddleware", "django.contrib.sessions.middleware.SessionMiddleware"]


def sync_only(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware that makes Django run everything around it in a thread."""

    def serve(request: Any) -> Any:
        return get_response(request)

    return serve


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sync")


async def view_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("async")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter(["one", "two"]))


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    return StreamingHttpResponse(body())


urlpatterns = [
    path("sync/", view),
    path("async/", view_async),
    path("stream/", stream),
    path("stream-async/", stream_async),
]


async def ask(url: str) -> list[dict[str, Any]]:
    """One request through a handler made anew; what it sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        first = next(requests, None)
        if first is not None:
            return first
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    headers = [(b"host", b"testserver")]
    scope = {"type": "http", "method": "GET", "path": url, "query_string": b"", "headers": headers}
    await ASGIHandler()(scope, receive, send)
    return sent


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of both bridges from now on."""
    found: list[str] = []
    for bridge in (SyncToAsync, AsyncToSync):

        def counted(
            self: Any, *args: Any, bridge: Any = bridge, call: Callable[..., Any] = bridge.__call__, **kwargs: Any
        ) -> Any:
            found.append(bridge.__name__)
            return call(self, *args, **kwargs)

        monkeypatch.setattr(bridge, "__call__", counted)
    return found


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
@pytest.mark.parametrize("url", ["/sync/", "/async/", "/stream/", "/stream-async/"])
@pytest.mark.parametrize("others", [[], BOTH, [PLAIN], [*BOTH, PLAIN]], ids=["none", "both", "sync", "mixed"])
async def test_under_asgi(settings: Any, hops: list[str], log_events: LogEvents, others: list[str], url: str) -> None:
    """Sync and async views and streams, below middleware of every kind."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = others
    without = await ask(url)
    expected = list(hops)
    hops.clear()
    settings.MIDDLEWARE = [OURS, *others]
    with_ours = await ask(url)
    assert hops == expected
    assert [message.get("body") for message in with_ours] == [message.get("body") for message in without]
    assert_event(log_events, "http.request_finished", count=1, status_code=200)


@pytest.mark.parametrize("url", ["/sync/", "/async/"])
def test_under_wsgi(settings: Any, hops: list[str], url: str) -> None:
    """An async view costs the one bridge that Django needs for it."""
    settings.ROOT_URLCONF = __name__
    found = []
    for middleware in ([], [OURS]):
        settings.MIDDLEWARE = middleware
        hops.clear()
        WSGIHandler()(RequestFactory().get(url).environ, lambda *_: None).close()
        found.append(list(hops))
    assert found[0] == found[1] == (["AsyncToSync"] if url == "/async/" else [])


def test_it_follows_what_it_wraps() -> None:
    """Async around an async handler, sync around a sync one: Django has nothing to adapt."""
    from asgiref.sync import iscoroutinefunction

    async def handler(_: Any) -> None: ...

    assert iscoroutinefunction(ObservabilityMiddleware(handler))
    assert not iscoroutinefunction(ObservabilityMiddleware(lambda _: None))
