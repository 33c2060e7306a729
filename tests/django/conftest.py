"""The little project of these tests instead of the application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
