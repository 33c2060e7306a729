"""A small Django site under one kind of observation, served inside this process: one variant of `bench_request`.

In: a variant's name and a scratch directory as arguments, a number of requests per line of stdin.
Out: the CPU nanoseconds each of them took, a line of stdout for all.
Never: a socket; a setting its library's documentation does not give.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, JsonResponse
from django.urls import path

Change = Callable[[dict[str, Any], Path], None]

#: As `django-admin startproject` writes it.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/groups/7/",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


def group_page(_request: HttpRequest, group_id: int) -> JsonResponse:
    """Five ORM queries, each of another shape: one row, rows, a join, a count, an existence."""
    from django.contrib.auth.models import Group, Permission, User

    group = Group.objects.get(pk=group_id)
    members = list(User.objects.filter(groups=group).order_by("username")[:20])
    permissions = list(Permission.objects.select_related("content_type").order_by("pk")[:10])
    return JsonResponse(
        {
            "name": group.name,
            "members": [member.username for member in members],
            "permissions": [f"{entry.content_type.app_label}.{entry.codename}" for entry in permissions],
            "users": User.objects.count(),
            "has_staff": User.objects.filter(is_staff=True).exists(),
        }
    )


urlpatterns = [path("groups/<int:group_id>/", group_page)]


def bare(_values: dict[str, Any], _scratch: Path) -> None:
    """Django as it comes."""


def logging_pkg(values: dict[str, Any], scratch: Path) -> None:
    """All this project does: file sink, request and query events, N+1, logging handler, heartbeat."""
    values["INSTALLED_APPS"] = ["logging_pkg.django", *APPS]
    values["MIDDLEWARE"] = ["logging_pkg.django.middleware.ObservabilityMiddleware", *MIDDLEWARE]
    values["LOGPIPE"] = {"SERVICE_NAME": "bench", "ENV": "test", "SINK": "file", "DIRECTORY": scratch / "logs"}


def django_structlog(values: dict[str, Any], scratch: Path) -> None:
    """django-structlog as its "Getting Started" sets it up, with the JSON file and none of the other two handlers."""
    import structlog

    values["INSTALLED_APPS"] = [*APPS, "django_structlog"]
    values["MIDDLEWARE"] = [*MIDDLEWARE, "django_structlog.middlewares.RequestMiddleware"]
    values["LOGGING"] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json_formatter": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": structlog.processors.JSONRenderer(),
            }
        },
        "handlers": {
            "json_file": {
                "class": "logging.handlers.WatchedFileHandler",
                "filename": str(scratch / "json.log"),
                "formatter": "json_formatter",
            }
        },
        "loggers": {"django_structlog": {"handlers": ["json_file"], "level": "INFO"}},
    }
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def django_prometheus(values: dict[str, Any], _scratch: Path) -> None:
    """django-prometheus as its README sets it up: both middlewares and the database engine. Nothing scrapes it."""
    values["INSTALLED_APPS"] = [*APPS, "django_prometheus"]
    values["MIDDLEWARE"] = [
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        *MIDDLEWARE,
        "django_prometheus.middleware.PrometheusAfterMiddleware",
    ]
    values["DATABASES"]["default"]["ENGINE"] = "django_prometheus.db.backends.sqlite3"


def opentelemetry(_values: dict[str, Any], _scratch: Path) -> None:
    """OpenTelemetry changes nothing here: its instrumentation adds itself to settings that are in force."""


VARIANTS: dict[str, Change] = {
    "bare": bare,
    "logging_pkg": logging_pkg,
    "django-structlog": django_structlog,
    "django-prometheus": django_prometheus,
    "opentelemetry": opentelemetry,
}


def make_site(variant: str, scratch: Path) -> WSGIHandler:
    """Configure Django, apply the variant, fill the database."""
    values: dict[str, Any] = {
        "ALLOWED_HOSTS": ["127.0.0.1"],
        "DATABASES": {
            # Kept open between requests, as in production.
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": scratch / "site.sqlite3",
                "CONN_MAX_AGE": None,
            }
        },
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": APPS,
        "MIDDLEWARE": list(MIDDLEWARE),
        # The tables as they are today, without the history of how they came about.
        "MIGRATION_MODULES": {app.rpartition(".")[2]: None for app in APPS},
        "ROOT_URLCONF": __name__,
        "SECRET_KEY": "bench",
        "USE_TZ": True,
    }
    VARIANTS[variant](values, scratch)
    settings.configure(**values)
    if variant == "opentelemetry":
        _instrument_with_opentelemetry()  # puts its middleware into the settings, so they have to be there
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    _fill()
    return WSGIHandler()


def _instrument_with_opentelemetry() -> None:
    """OpenTelemetry's Django and sqlite3 instrumentation, spans batched and then thrown away, where others would send."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Discard(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    provider.add_span_processor(BatchSpanProcessor(Discard()))
    trace.set_tracer_provider(provider)
    SQLite3Instrumentor().instrument()
    DjangoInstrumentor().instrument()


def _fill() -> None:
    from django.contrib.auth.models import Group, User

    groups = [Group.objects.create(name=f"group {number}") for number in range(10)]
    for number in range(40):
        User.objects.create(username=f"user{number:02}", is_staff=number % 7 == 0).groups.add(groups[number % 10])


def serve(site: WSGIHandler) -> tuple[str, bytes]:
    """One request through the WSGI interface, closed as a server closes it: status line and body."""
    statuses: list[str] = []

    def start_response(status: str, _headers: object, _error: object = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return BytesIO().write

    response = site({**ENVIRON, "wsgi.input": BytesIO()}, start_response)
    body = b"".join(response)
    response.close()
    return statuses[0], body


def main() -> None:
    """Serve as many requests as each line of stdin says and answer with the whole process's CPU time from one to the next."""
    site = make_site(sys.argv[1], Path(sys.argv[2]))
    status, body = serve(site)
    assert status == "200 OK", status
    print(len(body), flush=True)
    for line in sys.stdin:
        readings = [time.process_time_ns()]
        for _ in range(int(line)):
            serve(site)
            readings.append(time.process_time_ns())
        print(*(after - before for before, after in pairwise(readings)), flush=True)


if __name__ == "__main__":
    main()
