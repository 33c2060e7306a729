"""Views of every kind Django has, which note what they see.

In: requests. Out: responses, notes. Never: anything that knows the package under test.
"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.contrib import messages
from django.contrib.auth import aauthenticate, alogin, authenticate, login, logout
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import Group
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.template import engines
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_control, cache_page, never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition, require_POST
from django.views.decorators.vary import vary_on_headers

from tests.interference.trail import client_may_leave, note

_log = logging.getLogger("interference.views")


class CustomError(Exception):
    """An exception with state of its own."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code


# -- plain --


def plain(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    note("view", type(request).__name__, request.method, request.path, kwargs, sorted(request.GET.items()))
    note("view attributes", sorted(vars(request).keys() - {"logging_pkg_span"}))
    return HttpResponse("plain", headers={"X-One": "1", "x-two": "2"})


async def plain_async(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    note("view", type(request).__name__, asyncio.current_task() is not None, kwargs)
    await asyncio.sleep(0)
    return HttpResponse("async")


class ClassView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("class")

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().options(request, *args, **kwargs)


class AsyncClassView(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("async class")


def status(request: HttpRequest, code: int) -> HttpResponse:
    return HttpResponse(
        "body" if code not in {204, 304} else "", status=code, reason="Because" if code == 299 else None
    )


def redirect(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/plain/")


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("cookies")
    response.set_cookie("one", "1", max_age=60, httponly=True, samesite="Lax")
    response.set_signed_cookie("two", "2", salt="salt")
    response.delete_cookie("three")
    return response


def charset(request: HttpRequest) -> HttpResponse:
    return HttpResponse("grün", content_type="text/plain; charset=latin-1")


def no_response(request: HttpRequest) -> None:
    return None


async def never_awaited(request: HttpRequest) -> Any:
    return plain_async(request)


def bytes_iterator(request: HttpRequest) -> HttpResponse:
    return HttpResponse(part for part in ["a", b"b", 3])


def nested_loop(request: HttpRequest) -> HttpResponse:
    return HttpResponse(async_to_sync(_soon)("from a loop within"))


async def _soon(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def threads(request: HttpRequest) -> HttpResponse:
    """Which threads the sync parts run in: the request's own where Django says so."""
    first = await sync_to_async(threading.get_ident)()
    second = await sync_to_async(threading.get_ident)()
    free = await sync_to_async(threading.get_ident, thread_sensitive=False)()
    return JsonResponse(
        {"same": first == second, "free": first == free, "main": first == threading.main_thread().ident}
    )


def warns(request: HttpRequest) -> HttpResponse:
    warnings.warn("of the view", UserWarning, stacklevel=1)
    warnings.warn("of its caller", DeprecationWarning, stacklevel=1)
    _log.warning("logged %s", "with arguments", extra={"own": 1})
    return HttpResponse("warned")


def kept_alive(request: HttpRequest) -> HttpResponse:
    """Earlier requests of this view that something still holds on to."""
    gc.collect()
    alive = sum(getattr(thing, "is_marked", False) for thing in _requests_alive())
    request.is_marked = True  # type: ignore[attr-defined]
    return HttpResponse(str(alive))


def _requests_alive() -> Iterator[HttpRequest]:
    return (thing for thing in gc.get_objects() if type(thing).__name__ in {"WSGIRequest", "ASGIRequest"})


# -- exceptions --


def failing(request: HttpRequest) -> HttpResponse:
    try:
        int("no number")
    except ValueError as error:
        error.add_note("noted")
        raise CustomError(7, detail="of the view") from error


async def failing_async(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    raise CustomError(8, detail="of the async view")


def excuse_me(request: HttpRequest) -> HttpResponse:
    raise LookupError("excuse me")


def group_failing(request: HttpRequest) -> HttpResponse:
    raise ExceptionGroup("several", [ValueError(1), TypeError(2)])


_RAISED: dict[str, type[BaseException]] = {
    "404": Http404,
    "403": PermissionDenied,
    "400": SuspiciousOperation,
    "bad": BadRequest,
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "generator": GeneratorExit,
    "stop": StopIteration,
}


def raises(request: HttpRequest, kind: str) -> HttpResponse:
    raise _RAISED[kind]("raised by the view")


async def raises_async(request: HttpRequest, kind: str) -> HttpResponse:
    raise _RAISED[kind]("raised by the async view")


def render_fails(request: HttpRequest) -> TemplateResponse:
    template = engines["django"].from_string("before {{ thing.fails }} after")

    class Thing:
        def fails(self) -> str:
            raise CustomError(9, detail="while rendering")

    return TemplateResponse(request, template, {"thing": Thing()})


def template(request: HttpRequest) -> TemplateResponse:
    response = TemplateResponse(
        request, engines["django"].from_string("{{ user.username|default:'nobody' }} {{ added }} {{ perms.auth }}"), {}
    )
    response.add_post_render_callback(lambda done: note("rendered", done.content))
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    note("handler500", request.path)
    return HttpResponse("own 500", status=500, headers={"X-Handler": "500"})


def failing_server_error(request: HttpRequest) -> HttpResponse:
    note("failing handler500", request.path)
    raise RuntimeError("the handler fails too")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    note("handler404", type(exception).__name__)
    return HttpResponse("own 404", status=404)


# -- streams and files --


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str | bytes]:
        note("stream", "begins")
        yield "one"
        note("stream", Group.objects.count())
        yield b""
        yield "twö"
        note("stream", "ends")

    return StreamingHttpResponse(body())


def stream_closed(request: HttpRequest) -> StreamingHttpResponse:
    class Body:
        """An iterator with a close() of its own."""

        def __init__(self) -> None:
            self.left = 3

        def __iter__(self) -> Body:
            return self

        def __next__(self) -> bytes:
            if not self.left:
                raise StopIteration
            self.left -= 1
            return b"x" * self.left

        def close(self) -> None:
            note("stream", "closed with left", self.left)

    return StreamingHttpResponse(Body())


def stream_map(request: HttpRequest) -> StreamingHttpResponse:
    response = StreamingHttpResponse(map(str, range(3)), headers={"Content-Length": "3"})
    note("stream", response.streaming, response.is_async)
    return response


def stream_failing(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        try:
            yield "one"
            raise CustomError(10, detail="in the stream")
        finally:
            note("stream", "finally")

    return StreamingHttpResponse(body())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        note("stream", "begins")
        yield "one"
        await asyncio.sleep(0)
        note("stream", await Group.objects.acount())
        yield "twö"
        note("stream", "ends")

    return StreamingHttpResponse(body())


async def stream_async_failing(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        yield "one"
        raise CustomError(11, detail="in the async stream")

    return StreamingHttpResponse(body())


async def stream_endless(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0.001)
        except asyncio.CancelledError as error:
            note("stream", "cancelled", error.args)
            raise
        finally:
            note("stream", "finally")

    return StreamingHttpResponse(body())


async def waiting(request: HttpRequest) -> HttpResponse:
    client_may_leave[0]()
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        note("view", "cancelled")
        raise
    return HttpResponse("unreachable")


FILE = Path(__file__)


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"f" * 10_000), filename="f.bin", as_attachment="attached" in request.GET)


def real_file(request: HttpRequest) -> FileResponse:
    response = FileResponse(FILE.open("rb"))
    note("file", response.file_to_stream.name == str(FILE), sorted(response.headers))
    return response


def file_part(request: HttpRequest) -> FileResponse:
    handle = io.BytesIO(bytes(range(100)))
    handle.seek(90)
    return FileResponse(handle, status=206, headers={"Content-Range": "bytes 90-99/100"})


# -- bodies --


def body(request: HttpRequest, how: str) -> HttpResponse:
    if how == "whole":
        return HttpResponse(request.body)
    if how == "part":
        return HttpResponse(request.read(5) + b"|" + request.readline())
    if how == "twice":
        request.read(3)
        return HttpResponse(request.body)  # RawPostDataException
    if how == "form":
        return JsonResponse({"post": dict(request.POST), "length": len(request.body)})
    if how == "files":
        return JsonResponse(
            {
                "post": dict(request.POST),
                "files": [
                    [name, item.name, item.size, item.content_type, type(item).__name__, len(item.read())]
                    for name, item in sorted(request.FILES.items())
                ],
                "encoding": str(request.encoding),
            }
        )
    return HttpResponse("unread")


async def body_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


# -- sessions, users, messages, CSRF --


def session(request: HttpRequest) -> HttpResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def session_untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.session.accessed} {request.session.modified}")


def sign_in(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, username="ann", password=request.GET.get("password", "secret"))
    if user is None:
        return HttpResponse("wrong", status=401)
    login(request, user)
    return HttpResponse("in")


async def sign_in_async(request: HttpRequest) -> HttpResponse:
    user = await aauthenticate(request, username="ann", password="secret")
    assert user is not None
    await alogin(request, user)
    return HttpResponse("in")


def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse("out")


def user_untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{hasattr(request, '_cached_user')} {request.session.accessed}")


def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user} {type(request.user).__name__}")


async def whoami_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{await request.auser()}")


members = login_required(whoami)
editors = permission_required("auth.add_group", raise_exception=True)(whoami)


def add_message(request: HttpRequest) -> HttpResponse:
    messages.success(request, "well done")
    return HttpResponseRedirect("/messages/")


def read_messages(request: HttpRequest) -> HttpResponse:
    return HttpResponse(",".join(str(message) for message in messages.get_messages(request)))


def csrf_token(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(get_token(request))))


@require_POST
def csrf_checked(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST.get("a", "nothing"))


# -- decorators --


@gzip_page
def zipped(request: HttpRequest) -> HttpResponse:
    return HttpResponse("compressible " * 100)


@gzip_page
def zipped_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse("compressible " for _ in range(100))


@condition(etag_func=lambda request: '"tag"')
def conditional(request: HttpRequest) -> HttpResponse:
    note("view", "condition not met")
    return HttpResponse("content")


def not_modified(request: HttpRequest) -> HttpResponse:
    return HttpResponseNotModified(headers={"ETag": '"tag"'})


@cache_page(60)
@vary_on_headers("Accept-Language")
def cached_page(request: HttpRequest) -> HttpResponse:
    note("view", "not from the cache")
    return HttpResponse("cached")


@never_cache
@xframe_options_exempt
def uncached(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fresh")


@cache_control(private=True, max_age=60)
@ensure_csrf_cookie
async def decorated_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("decorated")


@sensitive_variables("secret")
@sensitive_post_parameters("password")
@csrf_exempt
def sensitive(request: HttpRequest) -> HttpResponse:
    secret = "hunter2"  # noqa: F841  (what sensitive_variables is for)
    raise CustomError(12, detail="sensitive")


@method_decorator(never_cache, name="dispatch")
class DecoratedView(ClassView):
    """A class with a decorator on a method."""
