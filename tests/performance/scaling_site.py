"""A Django site whose instrumentation can be switched per turn, to see how its cost grows: the process of `bench_scaling`.

In: a scratch directory and `quick` or `full` as arguments. Out: one JSON object on stdout. Never: a socket.

One process serves all: with our middleware and query wrapper, and without both, in turns.
"""

from __future__ import annotations

import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from logging_pkg.context import Span, active, start_span
from logging_pkg.instrumentation.totals import Totals
from tests.performance import request_variants
from tests.performance.bench_emit import EVENT, FIELDS, stock_logger
from tests.performance.side_by_side import interleave

#: 40 x 40 routes: in two steps, because Django tries a list of patterns one after the other.
_BRANCHES = 40
_QUERIES = 200
#: Requests per turn.
_REQUESTS = 200


def page(_request: HttpRequest, **_: Any) -> HttpResponse:
    """Nothing but a response."""
    return HttpResponse("ok")


def varied_page(_request: HttpRequest, number: int) -> HttpResponse:
    """What a memory leak would feed on: SQL that is new each time, an exception now and then, a repeated query."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {number}")
        for _ in range(5 if number % 10 == 0 else 1):
            cursor.execute("SELECT 'the same'")
    if number % 50 == 0:
        raise LookupError(number)
    return HttpResponse("x" * (number % 100))


urlpatterns = [
    path("varied/<int:number>/", varied_page),
    *(
        path(
            f"branch{branch}/",
            include([path(f"leaf{leaf}/<int:pk>/", page) for leaf in range(_BRANCHES)]),
        )
        for branch in range(_BRANCHES)
    ),
]


class Site:
    """The two handlers and their switch."""

    def __init__(self, scratch: Path) -> None:
        request_variants.make_site("logging_pkg", scratch)
        settings.ROOT_URLCONF = __name__
        settings.DATABASES["prometheus"] = {
            **settings.DATABASES["default"],
            "ENGINE": "django_prometheus.db.backends.sqlite3",
        }
        self.wrappers = list(connection.execute_wrappers)
        assert self.wrappers, "the query wrapper is not installed"
        # Nothing but the middleware under test, so that its cost is not lost in the others' noise.
        settings.MIDDLEWARE = settings.MIDDLEWARE[:1]
        assert "Observability" in settings.MIDDLEWARE[0]
        self._observed = WSGIHandler()
        settings.MIDDLEWARE = []
        self._bare = WSGIHandler()

    def switch(self, *, observed: bool) -> WSGIHandler:
        """The handler to serve with; queries are watched or not accordingly."""
        connection.execute_wrappers[:] = self.wrappers if observed else []
        return self._observed if observed else self._bare


def get(site: WSGIHandler, address: str) -> None:
    """One request through WSGI, closed as a server closes it."""
    environ = {**request_variants.ENVIRON, "PATH_INFO": address, "wsgi.input": BytesIO()}
    response = site(environ, _start_response)
    b"".join(response)
    response.close()


def _start_response(_status: str, _headers: object, _error: object = None, /) -> Callable[[bytes], object]:
    return BytesIO().write


def route_costs(site: Site, rounds: int) -> dict[str, list[float]]:
    """CPU per request, us, round by round, bare and watched: at one route, and at 200 of 1,600 that were all seen."""
    one = ["/branch20/leaf20/7/"] * _REQUESTS
    every = [f"/branch{branch}/leaf{leaf}/7/" for branch in range(_BRANCHES) for leaf in range(_BRANCHES)]
    turns: dict[str, Callable[[], float]] = {}
    for name, addresses in (("one", one), ("all", every[:: len(every) // _REQUESTS])):
        turns[f"{name} bare"] = partial(_serve, site, addresses, observed=False)
        turns[f"{name} watched"] = partial(_serve, site, addresses, observed=True)
    _serve(site, every, observed=True)
    _serve(site, every, observed=False)
    return interleave(turns, rounds)


def _serve(site: Site, addresses: list[str], *, observed: bool) -> float:
    handler = site.switch(observed=observed)
    for address in addresses[:5]:
        get(handler, address)
    started = time.process_time_ns()
    for address in addresses:
        get(handler, address)
    return (time.process_time_ns() - started) / len(addresses) / 1000


def query_costs(site: Site, rounds: int) -> dict[str, list[float]]:
    """CPU per query, us, round by round, of raw cursors, so that Django's own work is small; and of a stock event.

    Bare; with a wrapper that does nothing; watched, at most three times the same statement; watched, all the same one,
    which is an N+1; and through the database engine of django-prometheus.
    """

    def turn(wrapped: list[Any], alias: str, statements: list[str]) -> float:
        watched = connections[alias]
        watched.execute_wrappers[:] = wrapped
        span: Span = start_span("request", totals=Totals())
        with active(span), watched.cursor() as cursor:
            started = time.process_time_ns()
            for number in range(_QUERIES):
                cursor.execute(statements[number % len(statements)], [number])
            taken = time.process_time_ns() - started
        assert bool(span.totals.repeated()) == bool(wrapped and len(statements) == 1), (
            "an N+1 where there should be none"
        )
        return taken / _QUERIES / 1000

    def events() -> float:
        with tempfile.TemporaryFile() as file:
            stock = stock_logger(file, dict.fromkeys(_ENVELOPE, "0192f0c1a5b87c0e8f3d2b1a90c4d7e6"))
            started = time.process_time_ns()
            for _ in range(_QUERIES):
                stock.info(EVENT, **FIELDS)
            return (time.process_time_ns() - started) / _QUERIES / 1000

    wrappers = site.wrappers
    turns: dict[str, Callable[[], float]] = {
        "stock event": events,
        "bare": partial(turn, [], "default", _STATEMENTS),
        "wrapped": partial(turn, [_nothing], "default", _STATEMENTS),
        "watched": partial(turn, wrappers, "default", _STATEMENTS),
        "bare same": partial(turn, [], "default", _STATEMENTS[:1]),
        "watched same": partial(turn, wrappers, "default", _STATEMENTS[:1]),
        "django-prometheus": partial(turn, [], "prometheus", _STATEMENTS),
    }
    return interleave(turns, rounds * 3)


def _nothing(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """What any execute wrapper costs in Django."""
    return execute(sql, params, many, context)


_ENVELOPE = [
    *(
        "event",
        "schema_version",
        "level",
        "service_name",
        "env",
        "release",
        "instance_id",
        "timestamp",
        "seq",
        "event_id",
    ),
    *("correlation_id", "span_id", "parent_span_id", "request_id"),
]
#: As long as Django's own are; so many that none runs more than three times, which would be an N+1. They differ in a name:
#: statements that differ in a number alone are the same one.
_STATEMENTS = [
    'SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", '
    f'"auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email" AS "email_{number}" '
    'FROM "auth_user" WHERE "auth_user"."id" = %s LIMIT 21'
    for number in range(-(-_QUERIES // 3))
]


def resident_bytes() -> int:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def memory(site: Site, requests: int) -> dict[str, int]:
    """Resident memory after a tenth of the requests and after all of them, bytes. The event files are on disk."""
    handler = site.switch(observed=True)
    tenth = 0
    for number in range(requests):
        get(handler, f"/varied/{number}/")
        if number == requests // 10:
            tenth = resident_bytes()
    return {"requests": requests, "after_a_tenth": tenth, "after_all": resident_bytes()}


def main() -> None:
    """Measure and print."""
    quick = sys.argv[2] == "quick"
    rounds = 15 if quick else 61
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    site = Site(Path(sys.argv[1]))
    result = {
        "routes": route_costs(site, rounds),
        "query": query_costs(site, rounds),
        "memory": memory(site, 10_000 if quick else 100_000),
    }
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    main()
