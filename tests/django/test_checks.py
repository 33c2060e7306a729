"""What the system checks say, and that they say nothing about a project that is right."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.django.checks import CHECKS, MIDDLEWARE, PAGE
from logging_pkg.django.middleware import ObservabilityMiddleware
from logging_pkg.instrumentation.cache_warming import warmers

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"


class Subclass(ObservabilityMiddleware):
    """What a project may make of the middleware."""


SUBCLASS = f"{__name__}.Subclass"


@dataclass
class Project:
    """A project that is right in everything; tests spoil one thing."""

    settings: Any
    monkeypatch: pytest.MonkeyPatch
    folder: Path

    def ours(self, **values: Any) -> None:
        conf.configure(replace(conf.settings(), **values))

    def messages(self, *, deploy: bool = True) -> list[CheckMessage]:
        found = run_checks(tags=["logging_pkg"], include_deployment_checks=deploy)
        return sorted(found, key=lambda message: str(message.id))

    def ids(self, *, deploy: bool = True) -> list[str]:
        return [str(message.id).removeprefix("logging_pkg.") for message in self.messages(deploy=deploy)]


@pytest.fixture
def project(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Project]:
    before = conf.settings()
    settings.MIDDLEWARE = [MIDDLEWARE, SESSIONS]
    settings.DEBUG = False
    settings.STATIC_ROOT, settings.MEDIA_ROOT = str(tmp_path / "static"), str(tmp_path / "media")
    conf.configure(
        Settings(
            service_name="shop",
            env="production",
            strict=False,
            directory=tmp_path / "logs",
            identity_key=b"0" * 16,
            trusted_correlation_sources=("10.0.0.0/8",),
            excluded_paths=("/up/", "/static/*"),
            slow_request_threshold_ms=60_000,
        )
    )
    yield Project(settings, monkeypatch, tmp_path)
    conf.configure(before)


def _unwritable(project: Project) -> None:
    (project.folder / "occupied").touch(0o777)  # a file where a directory should be stops root as well
    project.ours(directory=project.folder / "occupied" / "logs")


def _unwritable_for_stdout(project: Project) -> None:
    _unwritable(project)
    project.ours(sink="stdout")


def _stdout_handler(project: Project) -> None:
    project.ours(sink="stdout")
    project.monkeypatch.setattr(logging.getLogger("shop.test"), "handlers", [logging.StreamHandler(sys.__stdout__)])


#: ID -> ways to make it fire.
SPOILED: dict[str, list[Callable[[Project], object]]] = {
    "I001": [lambda project: project.ours(enabled=False)],
    "W001": [lambda project: setattr(project.settings, "MIDDLEWARE", [SESSIONS, "no.such.Middleware"])],
    "W002": [lambda project: setattr(project.settings, "MIDDLEWARE", [SESSIONS, MIDDLEWARE])],
    "W003": [lambda project: setattr(project.settings, "MIDDLEWARE", [MIDDLEWARE, SESSIONS, SUBCLASS])],
    "W004": [_unwritable],
    "W005": [
        lambda project: project.ours(directory=project.folder / "static" / "logs"),
        lambda project: project.ours(directory=project.folder / "media"),
        lambda project: project.ours(directory=project.folder / "logs" / ".." / "media" / "logs"),
        lambda project: setattr(project.settings, "WHITENOISE_ROOT", project.folder),
        lambda project: setattr(project.settings, "STATICFILES_DIRS", [("files", str(project.folder))]),
    ],
    "W006": [
        lambda project: project.ours(excluded_paths=("up/",)),
        lambda project: project.ours(excluded_paths=("/static/*.css",)),
        lambda project: project.ours(excluded_paths=("*",)),
    ],
    "W007": [_stdout_handler],
    "W008": [
        lambda project: project.monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True),
    ],
    "W009": [lambda project: project.monkeypatch.setenv("LOGPIPE_SERVICENAME", "shop")],
    "W010": [lambda project: project.ours(slow_request_threshold_ms=1_000_000.0)],
    "W011": [lambda project: project.ours(strict=True)],
    "W012": [lambda project: project.ours(env="development")],
    "W013": [lambda project: project.ours(service_name="django")],
    "W014": [lambda project: project.ours(identity_key=b"")],
    "W016": [
        lambda project: project.monkeypatch.setitem(
            warmers._warmers, "pages", warmers.Warmer("pages", lambda: (), alias="nowhere")
        )
    ],
    "W015": [
        lambda project: project.ours(trusted_correlation_sources=("*",)),
        lambda project: project.ours(trusted_correlation_sources=("10.0.0.0/8", "::/0")),
    ],
}


def test_every_check_is_tried() -> None:
    """The table above has all IDs there are."""
    assert set(SPOILED) == set(CHECKS)


@pytest.mark.parametrize(("identifier", "spoil"), [(name, way) for name, ways in SPOILED.items() for way in ways])
def test_one_thing_wrong_is_one_message(project: Project, identifier: str, spoil: Callable[[Project], object]) -> None:
    """It has its ID, and a hint that names its place in the documents; deployment checks wait for `--deploy`."""
    spoil(project)
    (message,) = project.messages()
    assert message.id == f"logging_pkg.{identifier}"
    assert str(message.hint).endswith(f"See {PAGE}#{identifier.lower()}.")
    assert message.is_serious(logging.WARNING) is identifier.startswith("W")
    assert not message.is_serious()  # an error would keep `migrate` and `runserver` from running
    assert project.ids(deploy=False) == ([] if CHECKS[identifier] else [identifier])


def test_a_right_project_is_told_nothing(project: Project) -> None:
    """Neither by `check` nor by `check --deploy`, and without a database: none is open to this test."""
    assert project.ids(deploy=True) == []


@pytest.mark.parametrize(
    "fine",
    [
        lambda project: setattr(project.settings, "MIDDLEWARE", [SUBCLASS, SESSIONS]),
        lambda project: project.ours(sink="stdout"),
        lambda project: project.ours(sink="stdout", directory=project.folder / "static"),
        lambda project: _stdout_handler(project) or project.ours(sink="file"),
        _unwritable_for_stdout,
        lambda project: project.ours(directory=project.folder / "static-logs"),
        lambda project: project.ours(directory=project.folder / "to" / "be" / "made"),
        lambda project: setattr(project.settings, "MEDIA_ROOT", ""),
        lambda project: (project.ours(strict=True), setattr(project.settings, "DEBUG", True)),
        *(
            lambda project, name=name: project.monkeypatch.setenv(name, "x")
            for name in ("LOGPIPE_CACHE_DIR", "LOGPIPE_LOKI_URL", "LOGPIPE_VECTOR_BIN", "LOGPIPE_LOKI_PORT", "SINKS")
        ),
    ],
)
def test_what_is_fine_is_not_complained_about(project: Project, fine: Callable[[Project], object]) -> None:
    """A subclass, a directory yet to be made, a neighbour of a served directory, variables of `logpipe` itself."""
    fine(project)
    assert project.ids() == []


def test_what_is_switched_off_is_not_looked_at(project: Project) -> None:
    """One message says so; the rest would be about nothing."""
    project.settings.MIDDLEWARE = []
    project.ours(enabled=False, service_name="django", slow_request_threshold_ms=1e9)
    assert project.ids() == ["I001"]


def test_excluding_everything_is_told_from_excluding_nothing(project: Project) -> None:
    """`*` alone matches every request; an entry without its slash matches none, and the hint has it with one."""
    project.ours(excluded_paths=("*", "up/"))
    everything, nothing = project.messages()
    assert "no request is observed" in everything.msg
    assert 'Write "/up/".' in str(nothing.hint)


def test_many_names_are_cut_short(project: Project) -> None:
    """A project whose LOGGING disables every logger gets a line it can read."""
    for number in range(7):
        project.monkeypatch.setattr(logging.getLogger(f"a{number}"), "disabled", True)
    (message,) = project.messages()
    assert "(a0, a1, a2, a3, a4 and 2 more)" in message.msg


def test_a_closed_stream_is_no_stdout(project: Project, tmp_path: Path) -> None:
    """A handler whose stream is gone, or is no file, is passed over."""
    project.ours(sink="stdout")
    stream = (tmp_path / "closed").open("w")
    stream.close()
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(object())]  # type: ignore[type-var]
    project.monkeypatch.setattr(logging.getLogger("shop.test"), "handlers", handlers)
    assert project.ids() == []


def test_every_check_has_its_paragraph_in_order() -> None:
    """The page has a heading per ID, and none for an ID that is gone; the deployment checks are under their own."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    everyday, deployment = text.split("\n## With `--deploy`", 1)
    for part, deploy in ((everyday, False), (deployment, True)):
        headings = re.findall(r"^### (.*)$", part, re.MULTILINE)
        assert headings == sorted(name for name, only_deploy in CHECKS.items() if only_deploy is deploy)


def test_the_middleware_without_its_application_says_so_in_development(project: Project) -> None:
    """No check runs then, so the middleware speaks up itself when the server starts."""
    project.monkeypatch.setattr(conf, "_is_configured", False)
    project.settings.DEBUG = True
    with pytest.raises(ImproperlyConfigured, match=r'Add "logging_pkg\.django" to INSTALLED_APPS'):
        ObservabilityMiddleware(lambda _: None)


def test_the_middleware_without_its_application_steps_aside_in_production(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """The site goes on without it; its log says what is missing."""
    project.monkeypatch.setattr(conf, "_is_configured", False)
    with pytest.raises(MiddlewareNotUsed):
        ObservabilityMiddleware(lambda _: None)
    assert ["is not in INSTALLED_APPS" in record.getMessage() for record in caplog.records] == [True]
