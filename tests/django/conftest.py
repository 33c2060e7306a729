"""The little project of these tests instead of the application."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.urls import clear_url_caches

from logging_pkg import conf

MIDDLEWARE = [
    "logging_pkg.django.middleware.ObservabilityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


@pytest.fixture(autouse=True)
def _project(settings: object) -> Iterator[None]:
    """Its URLs, only the middleware that is needed, and no URL parameter that may be told."""
    before = conf.settings()
    settings.ROOT_URLCONF = "tests.django.urls"  # type: ignore[attr-defined]
    settings.MIDDLEWARE = MIDDLEWARE  # type: ignore[attr-defined]
    clear_url_caches()
    conf.configure(replace(conf.settings(), path_parameters=()))
    yield
    conf.configure(before)
    clear_url_caches()


@pytest.fixture(scope="session")
def postgresql_uri() -> Iterator[str]:
    """The address of a real PostgreSQL, one for the session: work in a schema of your own."""
    # Not below tmp_path: each pytest session that starts takes other users' access to its root away, PostgreSQL's too.
    with tempfile.TemporaryDirectory(prefix="logpipe-postgresql-") as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver warns at import where XDG_RUNTIME_DIR is not set
        import pgserver

        server = pgserver.get_server(Path(directory) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
