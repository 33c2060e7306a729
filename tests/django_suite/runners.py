"""Test runners for Django's `runtests.py`: one that writes down what each test did, one that also observes.

In: Django's tests. Out: a JSON file of outcomes, one per test. Never: a changed test, or one left out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest import TestCase, TestResult, TextTestResult
from wsgiref.util import setup_testing_defaults

from django.apps import apps
from django.conf import settings
from django.core.handlers import base
from django.core.handlers.wsgi import WSGIHandler
from django.test.runner import DiscoverRunner

OBSERVABILITY = "logging_pkg.django.middleware.ObservabilityMiddleware"


class RecordingResult(TextTestResult):
    """Remembers the outcome of every test by its ID; the worst one where a test has several (sub-tests)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    def addSuccess(self, test: TestCase) -> None:
        super().addSuccess(test)
        self.outcomes.setdefault(test.id(), "passed")

    def addFailure(self, test: TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test: TestCase, err: Any) -> None:
        super().addError(test, err)
        self._failed(test, err)

    def addSubTest(self, test: TestCase, subtest: TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(test, err)

    def addSkip(self, test: TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcomes.setdefault(test.id(), "skipped")

    def addExpectedFailure(self, test: TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.outcomes.setdefault(test.id(), "expected failure")

    def addUnexpectedSuccess(self, test: TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = "unexpected success"

    def _failed(self, test: TestCase, err: Any) -> None:
        self.outcomes[test.id()] = "failed"
        self.reasons[test.id()] = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]


class PlainRunner(DiscoverRunner):
    """Django's runner, which also writes the outcomes to the file DJANGO_SUITE_OUTCOMES."""

    def get_resultclass(self) -> Any:
        return RecordingResult

    def run_suite(self, suite: Any, **kwargs: Any) -> TestResult:
        result = super().run_suite(suite, **kwargs)
        Path(os.environ["DJANGO_SUITE_OUTCOMES"]).write_text(
            json.dumps({"outcomes": result.outcomes, "reasons": result.reasons, "own_faults": self.own_faults()}),
            encoding="utf-8",
        )
        return result

    def own_faults(self) -> int:
        """Faults of the instrumentation that it kept to itself and counted."""
        return 0


class ObservedRunner(PlainRunner):
    """Installs the application and, in front of whatever MIDDLEWARE a test sets, the middleware."""

    middleware: tuple[str, ...] = (OBSERVABILITY,)

    def setup_test_environment(self, **kwargs: Any) -> None:
        super().setup_test_environment(**kwargs)
        # As runtests.py itself adds the applications of the tests.
        settings.INSTALLED_APPS.append("logging_pkg.django")
        apps.set_installed_apps(settings.INSTALLED_APPS)
        base.settings = _PrependedMiddleware(self.middleware)

    def run_suite(self, suite: Any, **kwargs: Any) -> TestResult:
        result = super().run_suite(suite, **kwargs)
        # One request of our own: its event shows that no test has taken the instrumentation out on the way.
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        WSGIHandler()({**environ, "PATH_INFO": "/no/such/page/"}, lambda *_: lambda _: None).close()
        return result

    def own_faults(self) -> int:
        from logging_pkg.writer import get_writer

        writer = get_writer()
        return writer.failed + writer.faults + writer.rejected


class InterferingRunner(ObservedRunner):
    """Also adds a cookie to every response: what the comparison has to find."""

    middleware = (OBSERVABILITY, "tests.django_suite.runners.AddCookie")


class AddCookie:
    """A middleware as instrumentation must not be."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        """Set a cookie of its own."""
        response = self.get_response(request)
        response.set_cookie("seen", "1")
        return response


class _PrependedMiddleware:
    """Django's settings as its request handlers see them: MIDDLEWARE begins with ours, all else is as the test set it.

    Neither a setting nor a signal changes, so that tests of either see nothing of it.
    """

    def __init__(self, middleware: tuple[str, ...]) -> None:
        self._middleware = middleware

    def __getattr__(self, name: str) -> Any:
        value = getattr(settings, name)
        return [*self._middleware, *value] if name == "MIDDLEWARE" else value
