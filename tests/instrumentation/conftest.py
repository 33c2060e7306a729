"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from logging_pkg.instrumentation import background


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
