"""System checks that say what is missing, in the wrong order, or not meant so: one function and one stable ID each.

In: Django's settings, ours in force, the log handlers. Out: messages, each with its place in docs/system-checks.md.
Never: stops a project from starting, runs a query, writes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.checks import CheckMessage, Info, register
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.django.middleware import ObservabilityMiddleware
from logging_pkg.instrumentation.cache_warming.warmers import registered

MIDDLEWARE = "logging_pkg.django.middleware.ObservabilityMiddleware"
#: `manage.py check --tag logging_pkg` runs these checks only.
TAG = "logging_pkg"
PAGE = "docs/system-checks.md"

_DEFAULTS = Settings()
#: Longer than a request may take under any usual server's timeout: a threshold above is milliseconds taken for seconds.
_LONGEST_REQUEST_MS = 60_000
#: How alike a variable and a setting's name are when one is a slip for the other; LOGPIPE_CACHE_DIR is none.
_ALIKE = 0.85
_MAX_NAMES = 5

#: What is wrong, and what to do.
Finding = tuple[str, str]
#: ID -> whether it is among those of `check --deploy` only.
CHECKS: dict[str, bool] = {}


def _check(
    identifier: str, *, deploy: bool = False
) -> Callable[[Callable[[Settings], Iterator[Finding]]], Callable[..., list[CheckMessage]]]:
    """Register a function that yields findings under an ID; `I…` is information, `W…` a warning."""
    kind = Info if identifier.startswith("I") else CheckWarning
    CHECKS[identifier] = deploy

    def decorate(find: Callable[[Settings], Iterator[Finding]]) -> Callable[..., list[CheckMessage]]:
        def run(**_: Any) -> list[CheckMessage]:
            ours = conf.settings()
            if not ours.enabled and kind is not Info:
                return []  # what is switched off is not looked at
            return [
                kind(what, hint=f"{hint} See {PAGE}#{identifier.lower()}.", id=f"logging_pkg.{identifier}")
                for what, hint in find(ours)
            ]

        registered: Callable[..., list[CheckMessage]] = register(TAG, deploy=deploy)(run)
        return registered

    return decorate


@_check("I001")
def _switched_off(ours: Settings) -> Iterator[Finding]:
    if not ours.enabled:
        yield "Nothing is emitted: METRICS_ENABLED is off.", "Leave METRICS_ENABLED and LOGPIPE_ENABLED out."


@_check("W001")
def _middleware_missing(_: Settings) -> Iterator[Finding]:
    if not _places():
        yield (
            "ObservabilityMiddleware is not in MIDDLEWARE: requests are not observed.",
            f'Put "{MIDDLEWARE}" first in MIDDLEWARE.',
        )


@_check("W002")
def _middleware_not_first(_: Settings) -> Iterator[Finding]:
    if _places() and _places()[0] != 0:
        yield (
            "ObservabilityMiddleware is not the first middleware: what runs before it is not observed.",
            f'Move "{MIDDLEWARE}" to the top of MIDDLEWARE.',
        )


@_check("W003")
def _middleware_twice(_: Settings) -> Iterator[Finding]:
    if len(_places()) > 1:
        yield (
            f"ObservabilityMiddleware is in MIDDLEWARE {len(_places())} times: each request is counted as often.",
            "Keep the first one only.",
        )


def _places() -> list[int]:
    """Where our middleware, or a subclass of it, is in MIDDLEWARE."""
    return [place for place, path in enumerate(django_settings.MIDDLEWARE) if _is_ours(path)]


def _is_ours(path: str) -> bool:
    try:
        found = import_string(path)
    except Exception:
        return False  # Django says so when it loads it
    return isinstance(found, type) and issubclass(found, ObservabilityMiddleware)


@_check("W004")
def _directory_not_writable(ours: Settings) -> Iterator[Finding]:
    if ours.sink == "file" and not _can_write(ours.directory):
        yield (
            f"Events cannot be written to {ours.directory}: this user may make no file there.",
            'Give the user of the server that directory, or set LOGPIPE["DIRECTORY"] to another.',
        )


def _can_write(directory: Path) -> bool:
    """Whether files can be made there; where it is missing, whether it can be made."""
    directory = directory.absolute()
    nearest = next(place for place in (directory, *directory.parents) if os.path.exists(place))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


@_check("W005")
def _directory_served(ours: Settings) -> Iterator[Finding]:
    if ours.sink != "file":
        return
    directory = ours.directory.resolve()
    for name, root in _served():
        if directory.is_relative_to(root.resolve()):
            yield (
                f"Events are written to {ours.directory}, which is inside {name}: everybody can download them.",
                f'Set LOGPIPE["DIRECTORY"] to a directory outside {root}.',
            )


def _served() -> Iterator[tuple[str, Path]]:
    """Directories whose files are handed out, by the name of their setting."""
    for name in ("STATIC_ROOT", "MEDIA_ROOT", "WHITENOISE_ROOT"):
        root = getattr(django_settings, name, None)
        if root:
            yield name, Path(root)
    for entry in django_settings.STATICFILES_DIRS:
        yield "STATICFILES_DIRS", Path(entry[1] if isinstance(entry, list | tuple) else entry)


@_check("W006")
def _excluded_path_matches_nothing(ours: Settings) -> Iterator[Finding]:
    for path in ours.excluded_paths:
        if path == "*":
            yield 'EXCLUDED_PATHS has "*": no request is observed.', "Set METRICS_ENABLED = False if that is meant."
        elif not path.startswith("/"):
            yield f'EXCLUDED_PATHS has "{path}", which no request\'s path begins with.', f'Write "/{path}".'
        elif "*" in path[:-1]:
            yield (
                f'EXCLUDED_PATHS has "{path}", which matches no path: "*" has a meaning at the end only.',
                f'Write the prefix, such as "{path[: path.index("*") + 1]}", or whole paths.',
            )


@_check("W007")
def _stdout_shared(ours: Settings) -> Iterator[Finding]:
    names = _names(name for name, logger in _loggers() if any(_writes_to_stdout(item) for item in logger.handlers))
    if ours.sink == "stdout" and names:
        yield (
            f"Log handlers of {names} write to stdout, as the sink does: between the events are lines that are none.",
            "Let them write to stderr, the default of logging.StreamHandler, or drop them for log.message_recorded.",
        )


def _writes_to_stdout(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    if stream is None:
        return False
    try:
        return bool(stream.fileno() == 1)
    except (AttributeError, OSError, ValueError):  # no file at all, or a closed one
        return False


@_check("W008")
def _loggers_disabled(_: Settings) -> Iterator[Finding]:
    names = _names(name for name, logger in _loggers() if logger.disabled)
    if names:
        yield (
            f"Loggers are disabled ({names}): what they are told is lost, errors of requests included.",
            'Put "disable_existing_loggers": False into LOGGING.',
        )


def _loggers() -> Iterator[tuple[str, logging.Logger]]:
    """Every logger there is, the root first."""
    yield "root", logging.root
    for name, logger in sorted(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            yield name, logger


def _names(names: Iterator[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _MAX_NAMES} more" if len(found) > _MAX_NAMES else ""
    return ", ".join(found[:_MAX_NAMES]) + more


@_check("W009")
def _variable_misspelt(_: Settings) -> Iterator[Finding]:
    known = [name.upper() for name in _DEFAULTS.__dataclass_fields__ if name != "identity_key"]
    for variable in sorted(os.environ):
        name = variable.removeprefix(conf.ENVIRONMENT_PREFIX)
        near = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if name != variable and name not in known and near:
            yield (
                f"The environment variable {variable} is no setting and has no effect.",
                f"Is {conf.ENVIRONMENT_PREFIX}{near[0]} meant?",
            )


@_check("W010")
def _threshold_in_wrong_unit(ours: Settings) -> Iterator[Finding]:
    if ours.slow_request_threshold_ms is not None and ours.slow_request_threshold_ms > _LONGEST_REQUEST_MS:
        yield (
            f"A request is called slow after {ours.slow_request_threshold_ms / 1000:g} s, longer than any takes.",
            'PERFORMANCE_SLOW_THRESHOLD is in seconds; LOGPIPE["SLOW_REQUEST_THRESHOLD_MS"] in milliseconds.',
        )


@_check("W016")
def _warmer_without_cache(_: Settings) -> Iterator[Finding]:
    for one in registered():
        if one.alias not in caches.settings:
            yield (
                f'The warmer {one.name} warms the cache "{one.alias}", which is not in CACHES.',
                f"Name one of {', '.join(sorted(caches.settings))}.",
            )


@_check("W011", deploy=True)
def _strict_in_production(ours: Settings) -> Iterator[Finding]:
    if ours.strict and not django_settings.DEBUG:
        yield (
            "STRICT is on: an invalid event raises into the code that emitted it, and fails the request.",
            'Leave LOGPIPE["STRICT"] and LOGPIPE_STRICT out: it follows DEBUG.',
        )


@_check("W012", deploy=True)
def _environment_not_named(ours: Settings) -> Iterator[Finding]:
    if ours.env == _DEFAULTS.env:
        yield (
            f'Events are labelled as those of "{ours.env}": those of production cannot be told apart.',
            'Set LOGPIPE["ENV"] or LOGPIPE_ENV, for example to "production".',
        )


@_check("W013", deploy=True)
def _service_not_named(ours: Settings) -> Iterator[Finding]:
    if ours.service_name == _DEFAULTS.service_name:
        yield (
            f'The service is called "{ours.service_name}", as every project is that has not chosen a name.',
            'Set LOGPIPE["SERVICE_NAME"].',
        )


@_check("W014", deploy=True)
def _identities_without_key(ours: Settings) -> Iterator[Finding]:
    if not ours.identity_key:
        yield (
            "Users are told by their primary keys, or hashed with a key that everybody can read in this package.",
            'Set LOGPIPE["USER_ID_KEY_FILE"] to a file of 16 random bytes or more that only the server can read.',
        )


@_check("W015", deploy=True)
def _everybody_trusted(ours: Settings) -> Iterator[Finding]:
    for source in ours.trusted_correlation_sources:
        if source == "*" or ip_network(source).prefixlen == 0:
            yield (
                f'TRUSTED_CORRELATION_SOURCES has "{source}": any client chooses its correlation ID, a taken one too.',
                "Name the networks of your own proxies and services.",
            )
