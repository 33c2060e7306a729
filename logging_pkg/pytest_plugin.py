"""The pytest plugin: the `log_events` fixture, and a test session that writes no log files.

In: pytest. Out: captured events. Never: changes a setting the environment has set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from logging_pkg.testing import LogEvents

#: In a test session events are checked strictly, go nowhere unless captured, and no background task runs.
_TEST_DEFAULTS = {
    "LOGPIPE_STRICT": "true",
    "LOGPIPE_SINK": "none",
    "LOGPIPE_HEARTBEAT_INTERVAL_S": "0",
    "LOGPIPE_STUCK_REQUEST_THRESHOLD_S": "0",
    "LOGPIPE_CACHE_USAGE_INTERVAL_S": "0",
}


def pytest_addoption() -> None:
    """Set the defaults. This hook runs before pytest-django sets Django up; there is no option to add."""
    for name, value in _TEST_DEFAULTS.items():
        os.environ.setdefault(name, value)


@pytest.fixture
def log_events() -> Iterator[LogEvents]:
    """Every event emitted during the test, validated: from threads, async code, live servers and cached loggers too.

    >>> def test_dashboard(client, log_events):
    ...     client.get("/dashboard/")
    ...     assert_event(log_events, "http.request_finished", route="/dashboard/", status_code=200)
    """
    from logging_pkg.testing import capture_events

    with capture_events() as events:
        yield events
