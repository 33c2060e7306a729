"""A little site for real servers: views that hang, and views that go on when nobody waits for them any more.

In: requests. Out: `wsgi` and `asgi`, its two applications, and its URLs. Never: answers in time, `/` aside.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator

import django
from asgiref.sync import async_to_sync, sync_to_async
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from logging_pkg import carry_context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django.live_settings")
django.setup(set_prefix=False)

#: Longer than any test waits.
FOR_EVER_S = 120


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


def query(times: int = 1) -> None:
    for _ in range(times):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def sleep_in_here() -> None:
    time.sleep(FOR_EVER_S)


async def wait_in_here() -> None:
    await asyncio.sleep(FOR_EVER_S)


def wait_for_file_to_go() -> None:
    while os.path.exists(os.environ["LIVE_WAIT"]):
        time.sleep(0.01)


def stuck(request: HttpRequest) -> HttpResponse:
    query(2)
    sleep_in_here()
    return HttpResponse("too late")


def deaf(request: HttpRequest) -> HttpResponse:
    """Only SIGKILL ends it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGABRT, signal.SIGTERM})
    sleep_in_here()
    return HttpResponse("too late")


async def stuck_async(request: HttpRequest) -> HttpResponse:
    await sync_to_async(query)(2)
    await wait_in_here()
    return HttpResponse("too late")


async def stuck_gathered(request: HttpRequest) -> HttpResponse:
    await asyncio.wait_for(asyncio.gather(asyncio.sleep(0), wait_in_here()), FOR_EVER_S)
    return HttpResponse("too late")


async def stuck_in_stream(request: HttpRequest) -> HttpResponse:
    async def items() -> AsyncIterator[int]:
        await wait_in_here()
        yield 1

    return HttpResponse(str([item async for item in items()]))


async def stuck_in_thread(request: HttpRequest) -> HttpResponse:
    await sync_to_async(sleep_in_here, thread_sensitive=False)()
    return HttpResponse("too late")


async def stuck_in_loop(request: HttpRequest) -> HttpResponse:
    """What an async view must not do: the whole loop stands."""
    sleep_in_here()
    return HttpResponse("too late")


def stuck_in_bridge(request: HttpRequest) -> HttpResponse:
    async_to_sync(wait_in_here)()
    return HttpResponse("too late")


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Server-sent events: a body that takes its time."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"data: x\n\n"
            await asyncio.sleep(0.1)

    return StreamingHttpResponse(body(), content_type="text/event-stream")


def goes_on(request: HttpRequest) -> HttpResponse:
    """The client hangs up while this waits for its file to go; then it works on."""
    query(1)
    wait_for_file_to_go()
    query(5)
    cache.set("late", 1)
    cache.get("late")
    return HttpResponse("nobody reads this")


_jobs: set[asyncio.Task[None]] = set()


async def leaves_task(request: HttpRequest) -> HttpResponse:
    async def job() -> None:
        await asyncio.to_thread(wait_for_file_to_go)
        await sync_to_async(query)(4)

    task = asyncio.create_task(job())
    _jobs.add(task)
    task.add_done_callback(_jobs.discard)
    return HttpResponse("done")


def leaves_thread(request: HttpRequest) -> HttpResponse:
    def job() -> None:
        wait_for_file_to_go()
        query(3)
        connection.close()

    threading.Thread(target=carry_context(job)).start()
    return HttpResponse("done")


async def tidies_up(request: HttpRequest) -> HttpResponse:
    """Cancelled while it waits; what it does about that is still the request's work."""
    try:
        await wait_in_here()
    finally:
        await sync_to_async(query)(2)
    return HttpResponse("unreachable")


urlpatterns = [
    path("", home),
    path("stuck/", stuck),
    path("deaf/", deaf),
    path("stuck-async/", stuck_async),
    path("stuck-gathered/", stuck_gathered),
    path("stuck-in-stream/", stuck_in_stream),
    path("stuck-in-thread/", stuck_in_thread),
    path("stuck-in-loop/", stuck_in_loop),
    path("stuck-in-bridge/", stuck_in_bridge),
    path("stream/", stream),
    path("goes-on/", goes_on),
    path("leaves-task/", leaves_task),
    path("leaves-thread/", leaves_thread),
    path("tidies-up/", tidies_up),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
