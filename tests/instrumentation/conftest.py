"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.google_api import InstrumentedHttp
from tests.instrumentation.google_server import GoogleServer, calendar_client, serving


@pytest.fixture
def background_alone() -> Iterator[None]:
    """The background thread without the tasks of the application around the test, and stopped at the end."""
    background.stop()
    before = dict(background._tasks)
    background._tasks.clear()
    yield
    background.stop()
    background._tasks.clear()
    background._tasks.update(before)


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """A scripted server."""
    with serving() as server:
        yield server


@pytest.fixture
def http() -> Iterator[InstrumentedHttp]:
    """A transport that is watched."""
    http = InstrumentedHttp(timeout=10)
    yield http
    http.close()


@pytest.fixture
def calendar(google: GoogleServer, http: InstrumentedHttp) -> Any:
    """The real client at the scripted server."""
    return calendar_client(google, http)
