"""The two ends of a server: one request through WSGI or ASGI, everything that comes out written down.

In: a Call, a handler. Out: status, headers, chunks or messages, the exception that got through. Never: Django's test
client, which changes signals and closes in its own way.
"""

from __future__ import annotations

import asyncio
import io
import json
import wsgiref.util
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from tests.interference.scenarios import Call
from tests.interference.trail import client_may_leave, describe, note, stable

#: The one header that ours may add.
CORRELATION = "x-correlation-id"


def serve_wsgi(handler: WSGIHandler, call: Call, cookies: SimpleCookie) -> dict[str, Any]:
    """As gunicorn does it: iterate, close, whatever happens."""
    answer: dict[str, Any] = {"chunks": []}
    path, _, query = call.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "PATH_INFO": unquote(path).encode().decode("latin-1"),
        "QUERY_STRING": query,
        "REMOTE_ADDR": call.peer,
        "CONTENT_LENGTH": str(len(call.body)) if call.body else "",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": io.StringIO(),
    }
    wsgiref.util.setup_testing_defaults(environ)
    for name, value in _headers(call, cookies):
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    if call.headers.get("Remote-User"):
        environ["REMOTE_USER"] = call.headers["Remote-User"]
    if call.file_wrapper:
        environ["wsgi.file_wrapper"] = _file_wrapper

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answer["status"] = status
        answer["headers"] = _kept(headers, cookies)
        return answer["chunks"].append

    response = None
    try:
        response = handler(environ, start_response)
        answer["type"] = type(response).__name__
        for chunk in response if call.leave_after != 0 else ():
            answer["chunks"].append([type(chunk).__name__, stable(chunk)])
            if len(answer["chunks"]) == call.leave_after:
                break
    except BaseException as error:
        answer["exception"] = describe(error)
    finally:
        try:
            if response is not None:
                response.close()
        except BaseException as error:
            answer["exception in close"] = describe(error)
    answer["errors"] = environ["wsgi.errors"].getvalue()
    answer["body left"] = environ["wsgi.input"].read().decode("latin-1")[:100]
    return answer


def _file_wrapper(file: Any, block_size: int) -> Any:
    note("file_wrapper", type(file).__name__, block_size)
    return wsgiref.util.FileWrapper(file, block_size)


async def serve_asgi(handler: ASGIHandler, call: Call, cookies: SimpleCookie) -> dict[str, Any]:
    """As uvicorn does it: one task per request, messages in and out."""
    answer: dict[str, Any] = {"messages": []}
    path, _, query = call.path.partition("?")
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _headers(call, cookies)]
    if call.body:
        headers.append((b"content-length", str(len(call.body)).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": (call.peer, 1),
        "server": ("127.0.0.1", 80),
    }
    middle = len(call.body) // 2
    inbox = [
        {"type": "http.request", "body": call.body[:middle], "more_body": True},
        {"type": "http.request", "body": call.body[middle:], "more_body": False},
    ]
    gone = asyncio.Event()
    if call.leave_after == 0:
        client_may_leave[:] = [partial(asyncio.get_running_loop().call_soon_threadsafe, gone.set)]

    async def receive() -> dict[str, Any]:
        if inbox:
            return inbox.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answer["messages"].append(_message(message, cookies))
        if len(answer["messages"]) == call.leave_after:
            gone.set()

    try:
        await asyncio.wait_for(handler(scope, receive, send), 20)  # type: ignore[arg-type]
    except BaseException as error:
        answer["exception"] = describe(error)
    answer["body left"] = len(inbox)
    if call.leave_after:
        # How many chunks an endless stream gets out before it hears of the client is chance.
        del answer["messages"][call.leave_after :]
    return answer


def _message(message: dict[str, Any], cookies: SimpleCookie) -> dict[str, Any]:
    told = {key: value for key, value in message.items() if key not in {"headers", "body"}}
    if "headers" in message:
        told["headers"] = _kept([(name.decode(), value.decode()) for name, value in message["headers"]], cookies)
    if "body" in message:
        told["body"] = [type(message["body"]).__name__, stable(message["body"])]
    return told


def _headers(call: Call, cookies: SimpleCookie) -> list[tuple[str, str]]:
    headers = {"Host": "testserver", **call.headers}
    if cookies and "Cookie" not in call.headers:
        headers["Cookie"] = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in cookies.items())
    return list(headers.items())


def _kept(headers: list[tuple[str, str]], cookies: SimpleCookie) -> list[list[str]]:
    """The headers in their order, and the cookies put into the client's jar."""
    for name, value in headers:
        if name.lower() == "set-cookie":
            cookies.load(value)
    # A cached page's age is in whole seconds since another request.
    told = [(name, "(seconds)" if name == "Age" else value) for name, value in headers]
    return [[name, stable(value)] for name, value in told if name.lower() != CORRELATION]


def as_text(answer: Any) -> str:
    """A line per value, so that a difference shows where it is."""
    return json.dumps(answer, indent=1, ensure_ascii=False, default=repr)
