"""What is served with and without: one scenario per thing that instrumentation has been known to disturb.

In: nothing. Out: SCENARIOS by name. Never: a scenario that depends on another; each signs in for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_HERE = "tests.interference.middleware."

#: What a project has in MIDDLEWARE that was made by startproject.
USUAL = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
_NO_CSRF = tuple(name for name in USUAL if "Csrf" not in name)

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MULTIPART = "multipart/form-data; boundary=frontier"


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        leave_after: the client goes away when it has so many chunks (WSGI) or messages (ASGI).
        file_wrapper: the server offers `wsgi.file_wrapper`.
        peer: the client's address.
    """

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    leave_after: int | None = None
    file_wrapper: bool = False
    peer: str = "127.0.0.1"


@dataclass(frozen=True)
class Scenario:
    """Requests of one client, cookies kept between them, and the project's set-up meanwhile.

    Attributes:
        middleware: the project's own MIDDLEWARE, below ours.
        outer: stands above ours.
        settings: other settings for its length.
        atomic_requests: as in DATABASES.
        interfaces: where it makes sense.
    """

    calls: tuple[Call, ...]
    middleware: tuple[str, ...] = USUAL
    outer: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    atomic_requests: bool = False
    interfaces: tuple[str, ...] = ("wsgi", "asgi")

    @property
    def observed_calls(self) -> int:
        """Requests that get as far as ours: not those that middleware above answers."""
        is_answered = any(name.endswith(("ShortCut", "RaisesBefore")) for name in self.outer)
        return 0 if is_answered else len(self.calls)


def _get(path: str, **headers: str) -> Scenario:
    return Scenario((Call(path, headers={name.replace("_", "-"): value for name, value in headers.items()}),))


def _post(path: str, body: bytes, content_type: str, **more: Any) -> Scenario:
    call = Call(path, "POST", {"Content-Type": content_type}, body)
    return Scenario((call,), middleware=_NO_CSRF, **more)


def _below(path: str, *names: str, **more: Any) -> Scenario:
    return Scenario((Call(path),), middleware=(*USUAL, *(_HERE + name for name in names)), **more)


def _around(path: str, *names: str, **more: Any) -> Scenario:
    return Scenario((Call(path),), outer=tuple(_HERE + name for name in names), **more)


def _multipart(*parts: tuple[str, str | None, bytes]) -> bytes:
    lines = []
    for name, filename, content in parts:
        named = f'; filename="{filename}"\r\nContent-Type: text/plain' if filename else ""
        head = f'--frontier\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        lines.append(head.encode() + content + b"\r\n")
    return b"".join(lines) + b"--frontier--\r\n"


_SMALL = _multipart(("a", None, b"1"), ("file", "f.txt", b"content"))
_LARGE = _multipart(("file", "large.txt", b"x" * 3_000_000))
_IN = Call("/sign-in/")
_TOKEN = {"Authorization": "Token 0123456789012345678901234567890123456789"}

SCENARIOS: dict[str, Scenario] = {
    # -- plain --
    "sync view": _get("/plain/?b=2&a=1"),
    "async view": _get("/plain-async/7/"),
    "class view": _get("/class/"),
    "class view, method not allowed": Scenario((Call("/class/", "DELETE"), Call("/class/", "OPTIONS"))),
    "class view, HEAD": Scenario((Call("/class/", "HEAD"), Call("/plain/", "HEAD"))),
    "async class view": _get("/class-async/"),
    "decorated class view": _get("/class-decorated/"),
    "odd method": Scenario((Call("/plain/", "BREW"),)),
    "statuses": Scenario(tuple(Call(f"/status/{code}/") for code in (201, 204, 299, 304, 404, 418, 500, 503))),
    "redirect": _get("/redirect/"),
    "slash appended": _get("/plain"),
    "cookies": _get("/cookies/", Cookie="three=3; other=4"),
    "charset": _get("/charset/"),
    "response without content-length": _get("/bytes-iterator/"),
    "correlation header sent by a stranger": _get("/plain/", X_Correlation_ID="0" * 32, traceparent="00-junk"),
    "no middleware": Scenario((Call("/plain/"), Call("/plain-async/1/")), middleware=()),
    "unknown host": _get("/plain", Host="elsewhere.example"),
    "nested event loop": _get("/nested-loop/"),
    "threads of the request": _get("/threads/"),
    "warnings and log records of the view": _get("/warns/"),
    "requests are not kept alive": Scenario((Call("/kept-alive/"),) * 4),
    "script name and unicode path": _get("/plain/gr%C3%BCn/?q=%E2%82%AC"),
    # -- exceptions --
    "view raises": _get("/failing/"),
    "async view raises": _get("/failing-async/"),
    "exception group": _get("/group-failing/"),
    "Http404": _get("/raises/404/"),
    "PermissionDenied": _get("/raises/403/"),
    "SuspiciousOperation": _get("/raises/400/"),
    "BadRequest": _get("/raises/bad/"),
    "SystemExit": Scenario((Call("/raises/exit/"),), interfaces=("wsgi",)),
    "KeyboardInterrupt": Scenario((Call("/raises/interrupt/"),), interfaces=("wsgi",)),
    "CancelledError in a sync view": Scenario((Call("/raises/cancelled/"),), interfaces=("wsgi",)),
    "GeneratorExit": Scenario((Call("/raises/generator/"),), interfaces=("wsgi",)),
    "StopIteration": Scenario((Call("/raises/stop/"),), interfaces=("wsgi",)),
    "async Http404": _get("/raises-async/404/"),
    "async SuspiciousOperation": _get("/raises-async/400/"),
    "no route": _get("/no/such/page/"),
    "own error pages": Scenario(
        (Call("/failing/"), Call("/no/such/page/"), Call("/failing-async/")),
        settings={"ROOT_URLCONF": "tests.interference.urls_own_errors"},
    ),
    "handler500 that fails": Scenario(
        (Call("/failing/"),), settings={"ROOT_URLCONF": "tests.interference.urls_failing_errors"}
    ),
    "exceptions propagated": Scenario(
        (Call("/failing/"), Call("/raises/404/")), settings={"DEBUG_PROPAGATE_EXCEPTIONS": True}
    ),
    "rendering fails": _get("/render-fails/"),
    "view returns None": _get("/no-response/"),
    "coroutine never awaited": _get("/never-awaited/"),
    "sensitive variables": _post("/sensitive/", b"password=hunter2", FORM),
    # -- middleware --
    "sync-only middleware below": _below("/plain/", "SyncOnly"),
    "sync-only middleware below an async view": _below("/plain-async/1/", "SyncOnly"),
    "sync-only middleware around": _around("/plain/", "SyncOnly"),
    "sync-only middleware around an async view": _around("/plain-async/1/", "SyncOnly"),
    "async-only middleware below": _below("/plain/", "AsyncOnly"),
    "async-only middleware around": _around("/plain/", "AsyncOnly"),
    "async-only middleware around an async view": _around("/plain-async/1/", "AsyncOnly"),
    "all kinds around and below": Scenario(
        (Call("/plain/"), Call("/plain-async/1/"), Call("/failing/"), Call("/stream/"), Call("/stream-async/")),
        middleware=tuple(_HERE + name for name in ("AsyncOnly", "SyncOnly", "both", "Mixin", "NotUsed")),
        outer=tuple(_HERE + name for name in ("both", "SyncOnly", "AsyncOnly", "Mixin")),
    ),
    "middleware with hooks": _below("/plain/", "Mixin"),
    "middleware with hooks around": _around("/template/", "Mixin"),
    "middleware excuses an exception": _below("/excuse-me/", "Mixin"),
    "middleware answers itself": _below("/plain/", "ShortCut"),
    "middleware answers itself around": _around("/plain/", "ShortCut"),
    "middleware replaces the response": _below("/plain/", "ReplacesResponse"),
    "middleware replaces the response around": _around("/plain/", "ReplacesResponse"),
    "middleware rewrites a stream": _below("/stream/", "WrapsStream"),
    "middleware rewrites a stream around": _around("/stream/", "WrapsStream"),
    "middleware rewrites an async stream": _below("/stream-async/", "WrapsStream"),
    "middleware rewrites an async stream around": _around("/stream-async/", "WrapsStream"),
    "middleware rewrites a file around": _around("/file/", "WrapsStream"),
    **{
        f"middleware raises {error} {when}": place(
            f"/plain/?error={error}", f"Raises{when.partition(' ')[0].strip(',').title()}"
        )
        for error in ("404", "403", "400", "500")
        for when, place in (
            ("before", _below),
            ("after", _below),
            ("before, around", _around),
            ("after, around", _around),
        )
    },
    "template response": _below("/template/", "Mixin"),
    # -- streams and files --
    "stream": _get("/stream/"),
    "stream with close": _get("/stream-closed/"),
    "stream of a map, length announced": _get("/stream-map/"),
    "stream fails": _get("/stream-failing/"),
    "stream, HEAD": Scenario((Call("/stream/", "HEAD"), Call("/stream-async/", "HEAD"))),
    "async stream": _get("/stream-async/"),
    "async stream fails": _get("/stream-async-failing/"),
    "client leaves a stream": Scenario((Call("/stream/", leave_after=1),), interfaces=("wsgi",)),
    "client leaves a stream with close": Scenario((Call("/stream-closed/", leave_after=1),), interfaces=("wsgi",)),
    "client leaves a stream before it begins": Scenario((Call("/stream/", leave_after=0),), interfaces=("wsgi",)),
    "client leaves an endless stream": Scenario((Call("/stream-endless/", leave_after=3),), interfaces=("asgi",)),
    "client leaves a waiting view": Scenario((Call("/waiting/", leave_after=0),), interfaces=("asgi",)),
    "client leaves a waiting view, sync middleware": Scenario(
        (Call("/waiting/", leave_after=0),), middleware=(_HERE + "SyncOnly",), interfaces=("asgi",)
    ),
    "file": _get("/file/"),
    "file attached": _get("/file/?attached"),
    "file, HEAD": Scenario((Call("/file/", "HEAD"),)),
    "file with the server's sendfile": Scenario((Call("/real-file/", file_wrapper=True),), interfaces=("wsgi",)),
    "file without the server's sendfile": _get("/real-file/"),
    "file, part": Scenario((Call("/file-part/"), Call("/file-part/", file_wrapper=True))),
    "file, range asked": _get("/file/", Range="bytes=0-9"),
    # -- caching and compression --
    "conditional GET": Scenario(
        (Call("/plain/"), Call("/conditional/"), Call("/conditional/", headers={"If-None-Match": '"tag"'})),
        middleware=("django.middleware.http.ConditionalGetMiddleware", *USUAL),
    ),
    "conditional GET, matching": Scenario(
        (Call("/class/", headers={"If-None-Match": '"a2f2ed4f8ebc2cbb4c21a29dc40ab61d"'}), Call("/not-modified/")),
        middleware=("django.middleware.http.ConditionalGetMiddleware", *USUAL),
    ),
    "precondition failed": Scenario((Call("/conditional/", "PUT", {"If-Match": '"other"'}),), middleware=_NO_CSRF),
    **{
        f"gzip, {path}": Scenario(
            (Call(path, headers={"Accept-Encoding": "gzip"}),),
            middleware=("django.middleware.gzip.GZipMiddleware", *USUAL),
        )
        for path in ("/zipped/", "/zipped-stream/", "/stream/", "/stream-async/", "/file/", "/warns/")
    },
    "gzip by a decorator": _get("/zipped/", Accept_Encoding="gzip"),
    "site cache": Scenario(
        (Call("/plain/"), Call("/plain/"), Call("/session/"), Call("/plain/", "HEAD")),
        middleware=(
            "django.middleware.cache.UpdateCacheMiddleware",
            *USUAL,
            "django.middleware.cache.FetchFromCacheMiddleware",
        ),
    ),
    "cached page": Scenario(
        (Call("/cached-page/"), Call("/cached-page/"), Call("/cached-page/", headers={"Accept-Language": "fr"}))
    ),
    "uncached page": _get("/uncached/"),
    "decorated async view": _get("/decorated-async/"),
    "locale": Scenario(
        (Call("/plain/", headers={"Accept-Language": "de"}),),
        middleware=("django.middleware.locale.LocaleMiddleware", *USUAL),
    ),
    # -- bodies --
    "body unread": _post("/body/unread/", b"left alone", "text/plain"),
    "body whole": _post("/body/whole/", b"all of it", "text/plain"),
    "body read in part": _post("/body/part/", b"first line\nsecond", "text/plain"),
    "body read twice": _post("/body/twice/", b"first line", "text/plain"),
    "body in an async view": _post("/body-async/", b"all of it", "text/plain"),
    "body too large": _post(
        "/body/whole/", b"x" * 2_000, "text/plain", settings={"DATA_UPLOAD_MAX_MEMORY_SIZE": 1_000}
    ),
    "form": _post("/body/form/", b"a=1&a=2&b=%C3%BC", FORM),
    "too many fields": _post("/body/form/", b"a=1&" * 20, FORM, settings={"DATA_UPLOAD_MAX_NUMBER_FIELDS": 10}),
    "upload": _post("/body/files/", _SMALL, MULTIPART),
    "upload into a temporary file": _post("/body/files/", _LARGE, MULTIPART),
    "upload, unread": _post("/body/unread/", _SMALL, MULTIPART),
    "upload, broken": _post("/body/files/", _SMALL[:40], MULTIPART),
    # -- sessions, users, messages, CSRF --
    "session": Scenario((Call("/session/"), Call("/session/"), Call("/session-untouched/"))),
    "session untouched": _get("/session-untouched/"),
    "session in a cookie": Scenario(
        (Call("/session/"), Call("/session/")),
        settings={"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
    ),
    "session in the cache": Scenario(
        (Call("/session/"), Call("/session/")), settings={"SESSION_ENGINE": "django.contrib.sessions.backends.cache"}
    ),
    "session key unknown": _get("/session/", Cookie="sessionid=unknownunknownunknownunknown"),
    "session saved on every request": Scenario(
        (_IN, Call("/plain/"), Call("/session-untouched/")), settings={"SESSION_SAVE_EVERY_REQUEST": True}
    ),
    "signed in, user untouched": Scenario((_IN, Call("/user-untouched/"), Call("/plain/"), Call("/failing/"))),
    "signed in": Scenario((_IN, Call("/whoami/"), Call("/whoami-async/"), Call("/sign-out/"), Call("/whoami/"))),
    "signed in by an async view": Scenario((Call("/sign-in-async/"), Call("/whoami-async/"), Call("/members/"))),
    "wrong password": _get("/sign-in/?password=wrong"),
    "login required": Scenario((Call("/members/"), _IN, Call("/members/"), Call("/editors/"))),
    "login required by middleware": Scenario(
        (Call("/plain/"),), middleware=(*USUAL, "django.contrib.auth.middleware.LoginRequiredMiddleware")
    ),
    "remote user": Scenario(
        (Call("/whoami/", headers={"Remote-User": "ann"}), Call("/whoami/")),
        middleware=(*USUAL, "django.contrib.auth.middleware.PersistentRemoteUserMiddleware"),
        settings={"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.RemoteUserBackend"]},
    ),
    "template of somebody signed in": Scenario((_IN, Call("/template/"))),
    "messages": Scenario((Call("/add-message/"), Call("/messages/"), Call("/messages/"))),
    "CSRF missing": Scenario((Call("/csrf-checked/", "POST", {"Content-Type": FORM}, b"a=1"),)),
    "CSRF": Scenario(
        (
            Call("/csrf-token/"),
            Call(
                "/csrf-checked/",
                "POST",
                {"Content-Type": FORM, "X-CSRFToken": "t" * 32, "Cookie": f"csrftoken={'t' * 32}"},
                b"a=1",
            ),
            Call("/csrf-checked/"),
        )
    ),
    # -- database --
    **{
        f"database: {name.replace('-', ' ')}": _get(f"/db/{name}/")
        for name in (
            "reads",
            "cursors",
            "blocked",
            "writes",
            "transactions",
            "autocommit",
            "async-orm",
            "signals",
            "second-database",
            "broken-query",
            "constraint",
            "orphan",
        )
    },
    **{
        f"atomic requests: {name.replace('-', ' ')}": Scenario(
            (Call(f"/db/{name}/"), Call("/db/committed/")), atomic_requests=True
        )
        for name in ("rolled-back", "non-atomic", "transactions", "writes", "async-orm", "broken-query")
    },
    "atomic requests: stream": Scenario((Call("/stream/"), Call("/template/")), atomic_requests=True),
    "atomic requests: connections kept": Scenario(
        (Call("/db/committed/"), Call("/db/rolled-back/"), Call("/db/committed/")), atomic_requests=True
    ),
    # -- cache --
    **{f"cache: {alias}": _get(f"/cache/{alias}/") for alias in ("default", "file", "database", "dummy", "redis")},
    **{
        f"cache: {alias}, async": _get(f"/cache-async/{alias}/")
        for alias in ("default", "file", "database", "dummy", "redis")
    },
    # -- Django REST framework --
    "rest: nobody": _get("/rest/who/"),
    "rest: no user asked for": Scenario((_IN, Call("/rest/lazy/"))),
    "rest: session": Scenario((_IN, Call("/rest/who/"), Call("/rest/members/"))),
    "rest: session, unsafe method without CSRF": Scenario(
        (_IN, Call("/rest/who/", "POST", {"Content-Type": JSON}, b"{}"))
    ),
    "rest: token": Scenario((Call("/rest/who/", headers=_TOKEN), Call("/rest/members/", headers=_TOKEN))),
    "rest: wrong token": _get("/rest/who/", Authorization="Token wrong"),
    "rest: basic": _get("/rest/who/", Authorization="Basic YW5uOnNlY3JldA=="),
    "rest: members only": _get("/rest/members/"),
    "rest: JSON": _post("/rest/parsed/", b'{"a": 1, "b": [2]}', JSON),
    "rest: broken JSON": _post("/rest/parsed/", b"{", JSON),
    "rest: form": _post("/rest/parsed/", b"a=1", FORM),
    "rest: upload": _post("/rest/parsed/", _SMALL, MULTIPART),
    "rest: unknown type": _post("/rest/parsed/", b"a", "text/unknown"),
    "rest: body read before": _post("/rest/parsed/?first=1", b'{"a": 1}', JSON),
    **{
        f"rest: {kind}": _get(f"/rest/failing/{kind}/")
        for kind in ("unauthenticated", "denied", "missing", "throttled", "invalid", "own")
    },
    "rest: throttle": Scenario((Call("/rest/throttled/"), Call("/rest/throttled/"))),
    "rest: viewset": Scenario(
        (
            Call("/rest/groups/?page=2"),
            Call("/rest/groups/", "POST", {**_TOKEN, "Content-Type": JSON}, b'{"name": "rest"}'),
            Call("/rest/groups/", "POST", {**_TOKEN, "Content-Type": JSON}, b'{"name": "rest"}'),
            Call("/rest/groups/", "POST", {"Content-Type": JSON}, b'{"name": "stranger"}'),
            Call("/rest/groups/1/"),
            Call("/rest/groups/999/"),
            Call("/rest/groups/1/", "OPTIONS"),
        )
    ),
    "rest: browsable": _get("/rest/parsed/", Accept="text/html"),
}
