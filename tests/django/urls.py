"""A small project's views, one for each thing the middleware has to get right.

In: requests of the tests. Out: responses of every kind Django has. Never: a model of the application's.
"""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import aget_user, get_user
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection, connections, transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template.backends.django import DjangoTemplates
from django.urls import include, path, re_path

from logging_pkg import ContextThreadPoolExecutor
from logging_pkg.context import current_unit

TEMPLATES = DjangoTemplates(
    {"NAME": "tests", "DIRS": [Path(__file__).parent / "templates"], "APP_DIRS": False, "OPTIONS": {}}
)


def plain(request: HttpRequest, **_: Any) -> HttpResponse:
    return HttpResponse("plain")


async def plain_async(request: HttpRequest, **_: Any) -> HttpResponse:
    return HttpResponse("async")


def unit(request: HttpRequest) -> HttpResponse:
    span = current_unit()
    assert span is not None
    return HttpResponse(span.correlation_id)


def status(request: HttpRequest, code: int) -> HttpResponse:
    return HttpResponse(status=code)


def failing(request: HttpRequest) -> HttpResponse:
    logging.getLogger("tests.django").warning("before the failure")
    raise LookupError("hunter2")


async def failing_async(request: HttpRequest) -> HttpResponse:
    raise LookupError("hunter2")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("hunter2")


def denied(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("hunter2")


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("hunter2")


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_user(request).pk) if request.GET.get("asked") else "nobody asked")


def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


async def whoami_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str((await request.auser()).pk if request.GET.get("asked") else (await aget_user(request)).pk))


# -- streams --


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        assert current_unit() is not None
        yield "one"
        list(Group.objects.all())
        yield "twö"

    return StreamingHttpResponse(body())


def stream_cleaning_up(request: HttpRequest) -> StreamingHttpResponse:
    """Queries within a transaction, and one more when it is closed, wherever that is."""

    def body() -> Iterator[bytes]:
        try:
            with transaction.atomic():
                Group.objects.exists()
                yield b"one"
                yield b"two"
        finally:
            Group.objects.exists()

    return StreamingHttpResponse(body())


def stream_of_views(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse([memoryview(bytes(1_000)), bytearray(b"yy"), 5, "é"])


def stream_unencodable(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(["one", "\ud800"])


def stream_late(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        threading.Event().wait(0.05)
        yield b"one"

    return StreamingHttpResponse(body())


def stream_failing(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        yield "one"
        raise LookupError("hunter2")

    return StreamingHttpResponse(body())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        assert current_unit() is not None
        yield "one"
        await asyncio.sleep(0)
        [group async for group in Group.objects.all()]
        yield "twö"

    return StreamingHttpResponse(body())


async def stream_endless(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.005)

    return StreamingHttpResponse(body())


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"f" * 10_000), filename="f.bin")


# -- queries --


def queries(request: HttpRequest, count: int) -> HttpResponse:
    for number in range(count):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT %s AS c{number}", [number])  # a statement of its own each time
    return HttpResponse("ok")


def n_plus_one(request: HttpRequest, count: int) -> HttpResponse:
    for number in range(count):
        User.objects.filter(pk=number).exists()  # the N+1 line
    return HttpResponse("ok")


def template_n_plus_one(request: HttpRequest) -> HttpResponse:
    """The template's loop asks for each user's groups; the view does not."""
    users = User.objects.order_by("pk")
    return HttpResponse(TEMPLATES.get_template("n_plus_one.html").render({"users": users}))


def many_n_plus_ones(request: HttpRequest) -> HttpResponse:
    for number in range(30):
        for _ in range(4):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT %s AS c{number}", [1])
    return HttpResponse("ok")


def writes(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        for number in range(6):
            Group.objects.create(name=f"group {number}")
        with transaction.atomic():
            Group.objects.bulk_create([Group(name=f"bulk {number}") for number in range(50)])
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE auth_group SET name = %s WHERE name = %s", [("a", "b"), ("c", "d"), ("e", "f")])
    return HttpResponse("ok")


def slow(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT slowly(%s)", ["hunter2"])  # the slow line
    return HttpResponse("ok")


def people(request: HttpRequest) -> HttpResponse:
    """A SELECT on the database `other`, by a parameter and literals."""
    with connections["other"].cursor() as cursor:
        cursor.execute(
            "SELECT id FROM people WHERE email = %s AND age < 2000047119 AND '1' <> 'hunter2'",
            ["hunter2@secret.example"],
        )  # the line of people
        return HttpResponse(str(cursor.fetchall()))


def broken_query(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")
    return HttpResponse("unreachable")


async def gathered(request: HttpRequest) -> HttpResponse:
    """100 queries through gather, 50 through to_thread, 50 through an executor that carries the context."""

    def one(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await asyncio.gather(*(Group.objects.acount() for _ in range(50)))
    await asyncio.gather(*(sync_to_async(one, thread_sensitive=False)(number) for number in range(50)))
    await asyncio.gather(*(asyncio.to_thread(one, number) for number in range(50)))
    with ContextThreadPoolExecutor(4) as pool:
        await asyncio.to_thread(lambda: list(pool.map(one, range(50))))
    return JsonResponse({})


def lost(request: HttpRequest) -> HttpResponse:
    """A bare executor: its threads belong to no request."""

    def one() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(one).result()
    return HttpResponse("ok")


async def waiting(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(60)
    return HttpResponse("unreachable")


nested = [path("items/<uuid:uuid>/", plain), re_path(r"^(?P<year>[0-9]{4})/(?:page-(?P<page>\d+)/)?$", plain)]

urlpatterns = [
    path("", plain, name="home"),
    path("async/", plain_async),
    path("accounts/<int:account_id>/calendars/<slug:slug>/", plain),
    path("things/<pk>/", plain_async),
    re_path(r"^articles/(?P<id>\d+)/(\w+)/$", plain),
    path("nested/<str:team>/", include(nested)),
    path("unit/", unit),
    path("status/<int:code>/", status),
    path("failing/", failing),
    path("failing-async/", failing_async),
    path("missing/", missing),
    path("denied/", denied),
    path("suspicious/", suspicious),
    path("who/", who),
    path("whoami/", whoami),
    path("whoami-async/", whoami_async),
    path("stream/", stream),
    path("stream-cleaning-up/", stream_cleaning_up),
    path("stream-of-views/", stream_of_views),
    path("stream-unencodable/", stream_unencodable),
    path("stream-late/", stream_late),
    path("stream-failing/", stream_failing),
    path("stream-async/", stream_async),
    path("stream-endless/", stream_endless),
    path("file/", file),
    path("queries/<int:count>/", queries),
    path("n-plus-one/<int:count>/", n_plus_one),
    path("template-n-plus-one/", template_n_plus_one),
    path("many-n-plus-ones/", many_n_plus_ones),
    path("writes/", writes),
    path("slow/", slow),
    path("people/", people),
    path("broken-query/", broken_query),
    path("gathered/", gathered),
    path("lost/", lost),
    path("waiting/", waiting),
    path("up/", plain),
]
