"""The pipeline from a request to a delivered alert, on real servers and with the committed rules.

In: an application process, the shipper, Loki, Prometheus, Alertmanager. Out: assertions on what arrived.
Never: a mocked server, a rule made for the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.analysis.trace import build_trace
from logging_pkg.http_session import http_session
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.lookup import events_of, measure_completeness
from logging_pkg.stack import Stack, WebhookReceiver

ROOT = Path(__file__).resolve().parents[2]

APPLICATION = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="e2e", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["logging_pkg.django"],
    MIDDLEWARE=["logging_pkg.django.middleware.ObservabilityMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    LOGPIPE={"SERVICE_NAME": "e2e-app", "ENV": "e2e", "STRICT": False},
)
django.setup()
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import path
import logging_pkg
from logging_pkg import track_performance

@track_performance("e2e.work")
def work():
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [1])

def view(request, item_id):
    work()
    logging_pkg.emit("e2e.not_declared", value=1)
    return HttpResponse("ok")

urlpatterns = [path("items/<int:item_id>/", view)]
client = Client()
for item in range(20):
    response = client.get(f"/items/{item}/")
print(response.headers["X-Correlation-ID"])
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def stack(stack_binaries: object, receiver: WebhookReceiver) -> Iterator[Stack]:
    servers = ("loki", "prometheus", "alertmanager")
    with Stack(servers, rules_directory=ROOT / "loki" / "rules", webhook_url=receiver.url) as running:
        yield running


@pytest.fixture(scope="module")
def run(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """An application's life and the shipping of its events: log directory, last correlation ID, start in ns."""
    directory = tmp_path_factory.mktemp("e2e") / "logs"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    environ |= {"LOGPIPE_DIRECTORY": str(directory), "LOGPIPE_ENV": "e2e", "LOGPIPE_HEARTBEAT_INTERVAL_S": "1"}
    start_ns = time.time_ns()
    application = subprocess.run(
        [sys.executable, "-c", APPLICATION],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    ship = [sys.executable, "-m", "logging_pkg.cli", "ship", "--drain", "--timeout", "60", "--loki-url", stack.loki_url]
    subprocess.run(ship, env=environ, cwd=ROOT, capture_output=True, check=True, timeout=120)
    return directory, application.stdout.strip(), start_ns


def test_every_event_is_stored_once(stack: Stack, run: tuple[Path, str, int]) -> None:
    """What the application and the shipper wrote is in Loki, without loss and without repetition."""
    directory, _, start_ns = run
    with LokiClient(stack.loki_url) as loki:
        result = measure_completeness(loki, directory, start_ns, time.time_ns())
    assert result.instances == 2
    assert result.written > 60
    assert (result.stored, result.lost, result.repeated) == (result.written, 0, 0)


def test_a_response_header_leads_to_the_whole_story(stack: Stack, run: tuple[Path, str, int]) -> None:
    """The correlation ID of a response finds its request, the function below it, and the rejected event."""
    with LokiClient(stack.loki_url) as loki:
        trace = build_trace(events_of(loki, run[1]))
    assert [(depth, node.event["event"]) for depth, node in trace.walk()] == [
        (0, "http.request_finished"),
        (1, "function.call_finished"),
    ]
    assert trace.orphans == ()
    request = trace.roots[0]
    assert (request.event["route"], request.event["query_count"]) == ("/items/{id}/", 1)
    assert [event["rejected_event"] for event in request.details] == ["e2e.not_declared"]


def test_recorded_series_arrive_in_prometheus(stack: Stack, run: tuple[Path, str, int]) -> None:
    """The recording rules compute p95 and request rate per route, and Prometheus has them."""
    # Shipping, the rules' offset (30 s), the interval the schema names, and what a busy machine adds.
    wanted = {"route:http_response_time_ms:p95_5m": 120, "route_method_status_class:http_requests:rate_5m": 60}
    for name, interval_s in wanted.items():
        within_s = 90 + interval_s
        series = _await(lambda name=name: _prometheus(stack, f'{name}{{service_name="e2e-app"}}'), within_s)
        assert [entry["metric"]["route"] for entry in series] == ["/items/{id}/"]
        assert float(series[0]["value"][1]) > 0


def test_an_alert_is_delivered_with_its_runbook_and_its_requests(
    receiver: WebhookReceiver, run: tuple[Path, str, int]
) -> None:
    """The rejected events fire EventsRejected, and Alertmanager delivers it, with the IDs of the last requests behind it."""
    found = receiver.wait_for(lambda alert: alert["labels"]["alertname"] == "EventsRejected", 150)
    assert found is not None
    _, alert = found
    assert alert["labels"]["service_name"] == "e2e-app"
    assert alert["labels"]["rejected_event"] == "e2e.not_declared"
    assert (ROOT / alert["annotations"]["runbook_url"]).is_file()
    newest, *others = alert["annotations"]["correlation_ids"].split()
    assert newest == run[1]
    assert len({newest, *others}) == 3


def _prometheus(stack: Stack, expression: str) -> list[dict[str, Any]]:
    with http_session(stack.prometheus_url) as session:
        answer = session.get(f"{stack.prometheus_url}/api/v1/query", params={"query": expression}, timeout=10)
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def _await(ask: Callable[[], list[Any]], seconds: float) -> list[Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(1)
    return []
