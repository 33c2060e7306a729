"""Django's settings as ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logging_pkg.django.adapter import settings_from_django
from logging_pkg.exceptions import ConfigurationError


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variables the pytest plugin sets."""
    for name in ("STRICT", "SINK", "HEARTBEAT_INTERVAL_S", "STUCK_REQUEST_THRESHOLD_S"):
        monkeypatch.delenv(f"LOGPIPE_{name}")


def test_the_settings_of_the_project_are_mapped(settings: Any) -> None:
    """LOGPIPE, and the names of the requirements: seconds become milliseconds."""
    settings.LOGPIPE = {"SERVICE_NAME": "shop", "EXCLUDED_PATHS": ["/up/"]}
    settings.PERFORMANCE_SLOW_THRESHOLD = 0.25
    settings.PERFORMANCE_QUERY_THRESHOLD = 7
    settings.METRICS_ENABLED = False
    settings.BASE_DIR = "/srv/shop"
    found = settings_from_django()
    assert (found.service_name, found.excluded_paths) == ("shop", ("/up/",))
    assert (found.slow_request_threshold_ms, found.query_count_threshold, found.enabled) == (250.0, 7, False)
    assert found.directory == Path("/srv/shop/.logpipe/logs")
    assert found.project_roots == (Path("/srv/shop"),)


@pytest.mark.parametrize("debug", [True, False])
def test_strict_follows_debug_unless_said_otherwise(settings: Any, debug: bool) -> None:
    """Development raises, production does not."""
    settings.LOGPIPE, settings.DEBUG = {}, debug
    assert settings_from_django().strict is debug
    settings.LOGPIPE = {"STRICT": not debug}
    assert settings_from_django().strict is not debug


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LOGPIPE", {"SERVICE": "x"}, 'Django setting LOGPIPE: unknown key "SERVICE"'),
        ("LOGPIPE", ["x"], "Django setting LOGPIPE is a list, expected a dict"),
        ("LOGPIPE", {"STRICT": 1}, "Django setting LOGPIPE['STRICT'] is 1, expected bool"),
        ("PERFORMANCE_SLOW_THRESHOLD", "1s", "PERFORMANCE_SLOW_THRESHOLD is '1s', expected a number from 0"),
        ("PERFORMANCE_QUERY_THRESHOLD", -1, "PERFORMANCE_QUERY_THRESHOLD is -1, expected a number from 0"),
        ("PERFORMANCE_QUERY_THRESHOLD", True, "PERFORMANCE_QUERY_THRESHOLD is True"),
    ],
)
def test_a_wrong_setting_is_named(settings: Any, name: str, value: Any, message: str) -> None:
    """By the name it has in the project's settings."""
    setattr(settings, name, value)
    with pytest.raises(ConfigurationError) as caught:
        settings_from_django()
    assert message in str(caught.value)
