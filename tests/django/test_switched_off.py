"""METRICS_ENABLED off takes everything out, in a process of its own; single thresholds can be off, or 0."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from logging_pkg.conf import Settings
from logging_pkg.django.adapter import settings_from_django
from logging_pkg.exceptions import ConfigurationError
from logging_pkg.testing import assert_event, assert_no_event, capture_events

ROOT = Path(__file__).resolve().parents[2]
SLOW, MANY, REQUEST = "http.slow_request_detected", "db.high_query_count_detected", "http.request_finished"

PROGRAM = """
    import json, logging, sys, threading
    import django
    from django.conf import settings
    settings.configure(
        METRICS_ENABLED=%s, DEBUG=True, ROOT_URLCONF="tests.django.live_site", ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["logging_pkg.django"],
        MIDDLEWARE=["logging_pkg.django.middleware.ObservabilityMiddleware"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    before = logging.root.handlers[:]
    django.setup()
    from django.core.signals import got_request_exception
    from django.core.cache import cache
    from django.db import connection
    from django.db.backends.signals import connection_created
    from django.test import Client
    response = Client().get("/")
    connection.ensure_connection()
    cache.set("x", 1)
    cache.get("x")
    from logging_pkg import emit, track_performance
    emit("log.message_recorded", logger="l", message="m", source="s:1", function=None)
    track_performance(lambda: None)()
    logging.getLogger("x").error("x")
    print(json.dumps({
        "status": response.status_code,
        "headers": sorted(response.headers),
        "threads": [thread.name for thread in threading.enumerate() if thread.name.startswith("logging_pkg")],
        "handlers": len(logging.root.handlers) - len(before),
        "signals": len(got_request_exception.receivers) + len(connection_created.receivers),
        "wrappers": len(connection.execute_wrappers),
    }))
"""


def run(directory: Path, *, enabled: bool) -> dict[str, Any]:
    import json

    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LOGPIPE_", "DJANGO_"))}
    environ |= {"PYTHONPATH": str(ROOT), "LOGPIPE_DIRECTORY": str(directory / "logs")}
    program = textwrap.dedent(PROGRAM) % enabled
    output = subprocess.check_output([sys.executable, "-c", program], cwd=directory, env=environ, timeout=60)
    found: dict[str, Any] = json.loads(output)
    return found


def test_switched_off_nothing_is_there(tmp_path: Path) -> None:
    """No thread, receiver, handler, wrapper, header or file: as if the application were not installed."""
    off = run(tmp_path, enabled=False)
    assert off["status"] == 200
    assert "X-Correlation-ID" not in off["headers"]
    assert (off["threads"], off["handlers"], off["signals"], off["wrappers"]) == ([], 0, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_switched_on_all_of_it_is_there(tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    on = run(tmp_path, enabled=True)
    assert "X-Correlation-ID" in on["headers"]
    assert on["threads"] == ["logging_pkg background"]
    assert min(on["handlers"], on["signals"], on["wrappers"]) >= 1
    assert list((tmp_path / "logs").iterdir())


@pytest.mark.parametrize("name", ["PERFORMANCE_SLOW_THRESHOLD", "PERFORMANCE_QUERY_THRESHOLD"])
@pytest.mark.parametrize(("value", "expected"), [(None, None), (0, 0), (3, 3), ("absent", "default")])
def test_a_threshold_in_the_projects_settings(settings: Any, name: str, value: Any, expected: Any) -> None:
    """None is off, 0 is a threshold like any other, absent is the default."""
    settings.LOGPIPE = {}
    if value == "absent":
        if hasattr(settings, name):
            delattr(settings, name)
    else:
        setattr(settings, name, value)
    found = settings_from_django()
    field, unit = {
        "PERFORMANCE_SLOW_THRESHOLD": ("slow_request_threshold_ms", 1000),
        "PERFORMANCE_QUERY_THRESHOLD": ("query_count_threshold", 1),
    }[name]
    if expected == "default":
        assert getattr(found, field) == getattr(Settings(), field)
    else:
        assert getattr(found, field) == (expected if expected is None else expected * unit)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "off", False])
def test_off_is_none_and_nothing_else(settings: Any, value: Any) -> None:
    """The message says so."""
    settings.PERFORMANCE_SLOW_THRESHOLD = value
    with pytest.raises(ConfigurationError, match="expected a number from 0, or None for off"):
        settings_from_django()


@pytest.mark.parametrize("text", ["off", "None"])
def test_off_in_the_environment(text: str) -> None:
    """LOGPIPE_SLOW_REQUEST_THRESHOLD_MS=off; a threshold that has a number for off takes that."""
    assert Settings.from_environ({"LOGPIPE_SLOW_REQUEST_THRESHOLD_MS": text}).slow_request_threshold_ms is None
    with pytest.raises(ConfigurationError, match="STUCK_REQUEST_THRESHOLD_S"):
        Settings.from_environ({"LOGPIPE_STUCK_REQUEST_THRESHOLD_S": text})


@pytest.mark.django_db
def test_thresholds_of_nought_find_everything() -> None:
    """Any time is over 0, any query is over 0; no query is not."""
    with capture_events(slow_request_threshold_ms=0, query_count_threshold=0) as events:
        Client().get("/queries/1/")
        assert_event(events, SLOW, count=1, threshold_ms=0)
        assert_event(events, MANY, count=1, threshold=0, query_count=1)
        assert_event(events, REQUEST, is_slow=1)
        Client().get("/")
        assert len(events.named(MANY)) == 1


@pytest.mark.django_db
def test_single_thresholds_can_be_off() -> None:
    """Each alone: the other one, and the event of the request, stay."""
    with capture_events(slow_request_threshold_ms=None, query_count_threshold=0) as events:
        Client().get("/queries/1/")
    assert_no_event(events, SLOW)
    assert_event(events, MANY)
    assert_event(events, REQUEST, is_slow=0)
    with capture_events(slow_request_threshold_ms=0, query_count_threshold=None) as events:
        Client().get("/queries/100/")
    assert_no_event(events, MANY)
    assert_event(events, SLOW)
    assert_event(events, REQUEST, query_count=100)
