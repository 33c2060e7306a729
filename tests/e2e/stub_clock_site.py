"""A Django site that lives in a time of its own: each request takes exactly as long as its client has decided.

In: a directory, a number of requests, the wall clock's beginning (us) and length (s) as arguments. Out: events in
`<directory>/logs`, and what the client knows of each request in `<directory>/ledger.ndjson`. Never: a number of the ledger
taken from the instrumentation.

Run as a program: the standard library's clocks are replaced before anything else is imported.
"""

from __future__ import annotations

import time


class StubClock:
    """Nanoseconds that pass when told to. The wall goes its own way, as if many requests were served at once."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self.wall_ns = 0

    def perf_counter_ns(self) -> int:
        """In place of time.perf_counter_ns."""
        return self.elapsed_ns

    def time_ns(self) -> int:
        """In place of time.time_ns."""
        return self.wall_ns


CLOCK = StubClock()
if __name__ == "__main__":
    time.perf_counter_ns, time.time_ns = CLOCK.perf_counter_ns, CLOCK.time_ns

import json  # noqa: E402
import logging  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from io import BytesIO  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

SERVICE = "ground-truth"
#: Route by the path that is asked for, and its usual time, ms.
PAGES = {"/": ("/", 20), "/lists/7/": ("/lists/{id}/", 90), "/reports/9/": ("/reports/{id}/", 700)}
#: On the edges of Apdex (500 ms and four times that) and of a slow request, and a microsecond beside them.
EDGES_US = (499_999, 500_000, 500_001, 999_999, 1_000_000, 1_000_001, 1_999_999, 2_000_000, 2_000_001, 0, 1)
STATUSES = (200,) * 80 + (302,) * 8 + (404,) * 8 + (500, 503, "raise", "raise")


def page(request: HttpRequest, **_: Any) -> HttpResponse:
    """Do what the client has decided."""
    wish = request.META["wish"]
    with connection.cursor() as cursor:
        for number in range(wish["queries"]):
            cursor.execute(f"SELECT {number}")
    CLOCK.elapsed_ns += wish["duration_us"] * 1000
    if wish["status"] == "raise":
        raise LookupError
    return HttpResponse("x", status=wish["status"])


urlpatterns = [path("", page), path("lists/<int:pk>/", page), path("reports/<int:pk>/", page)]


def main() -> None:
    """Serve and keep the ledger."""
    directory, count, wall_us, lasts_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    CLOCK.wall_ns = wall_us * 1000
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["logging_pkg.django"],
        LOGPIPE={
            "SERVICE_NAME": SERVICE,
            "ENV": "test",
            "DIRECTORY": directory / "logs",
            # Their threads would wait for a clock that stands still.
            "HEARTBEAT_INTERVAL_S": 0,
            "STUCK_REQUEST_THRESHOLD_S": 0,
            "CACHE_USAGE_INTERVAL_S": 0,
            "EXPLAIN_SLOW_QUERIES": False,
        },
        MIDDLEWARE=["logging_pkg.django.middleware.ObservabilityMiddleware"],
        ROOT_URLCONF=__name__,
    )
    django.setup()
    logging.getLogger("django.request").disabled = True
    site = WSGIHandler()
    chosen = random.Random(20)
    step_us = int(lasts_s * 1e6 / count)
    with (directory / "ledger.ndjson").open("w") as ledger:
        for number in range(count):
            CLOCK.wall_ns += chosen.randint(1, 2 * step_us - 1) * 1000
            address = chosen.choice([*PAGES])
            duration_us = int(chosen.lognormvariate(0, 0.8) * PAGES[address][1] * 1000)
            wish = {
                "duration_us": EDGES_US[number // 100 % len(EDGES_US)] if number % 100 == 0 else duration_us,
                "queries": chosen.choice((0, 1, 2, 3, 5, 8, 12)),
                "status": chosen.choice(STATUSES),
            }
            method = chosen.choice(("GET", "GET", "POST"))
            status = ask(site, method, address, wish)
            entry = {"route": PAGES[address][0], "method": method, **wish, "status": status}
            ledger.write(json.dumps({**entry, "finished_us": CLOCK.wall_ns // 1000}) + "\n")


def ask(site: WSGIHandler, method: str, address: str, wish: dict[str, Any]) -> int:
    """One request through WSGI; the status the client sees."""
    seen: list[str] = []

    def start_response(status: str, _headers: object, _error: object = None, /) -> Callable[[bytes], object]:
        seen.append(status)
        return BytesIO().write

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": address,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wish": wish,
    }
    response = site(environ, start_response)
    b"".join(response)
    response.close()
    return int(seen[0].split()[0])


if __name__ == "__main__":
    main()
