"""The one place that reads django.conf.

In: the Django settings LOGPIPE, PERFORMANCE_*, METRICS_ENABLED. Out: a Settings object. Never: is imported by the core.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.exceptions import ConfigurationError

_logger = logging.getLogger("logging_pkg.django")


def settings_from_django() -> Settings:
    """Build the settings of this project.

    `strict` and `explain_slow_queries` follow DEBUG unless LOGPIPE says otherwise; `project_roots` is BASE_DIR where
    there is one.

    Raises:
        ConfigurationError: a key is unknown or a value cannot work; the message names it.
    """
    debug = bool(django_settings.DEBUG)
    defaults: dict[str, Any] = {"strict": debug, "explain_slow_queries": debug}
    base = getattr(django_settings, "BASE_DIR", None)
    if base is not None:
        defaults["project_roots"] = (Path(base),)
        defaults["directory"] = Path(base) / ".logpipe" / "logs"
    if hasattr(django_settings, "PERFORMANCE_SLOW_THRESHOLD"):
        slow = _number("PERFORMANCE_SLOW_THRESHOLD")
        defaults["slow_request_threshold_ms"] = None if slow is None else slow * 1000
    if hasattr(django_settings, "PERFORMANCE_QUERY_THRESHOLD"):
        queries = _number("PERFORMANCE_QUERY_THRESHOLD")
        defaults["query_count_threshold"] = None if queries is None else int(queries)
    defaults["enabled"] = bool(getattr(django_settings, "METRICS_ENABLED", True))
    mapping = getattr(django_settings, "LOGPIPE", {})
    if not isinstance(mapping, dict):
        raise ConfigurationError(f"Django setting LOGPIPE is a {type(mapping).__name__}, expected a dict")
    return Settings.from_mapping(mapping, source="Django setting LOGPIPE", **defaults)


def _number(name: str) -> float | None:
    value = getattr(django_settings, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigurationError(f"Django setting {name} is {value!r}, expected a number from 0, or None for off")
    return float(value)


def require_application() -> None:
    """Say that the middleware is there without the application, which reads LOGPIPE and registers the system checks.

    Raises:
        ImproperlyConfigured: in development.
        MiddlewareNotUsed: in production, where the site goes on unobserved, after an error in its log.
    """
    if conf.is_configured():
        return
    message = (
        "ObservabilityMiddleware is in MIDDLEWARE, but its application is not in INSTALLED_APPS: nothing is observed. "
        'Add "logging_pkg.django" to INSTALLED_APPS.'
    )
    if django_settings.DEBUG:
        raise ImproperlyConfigured(message)
    _logger.error(message)
    raise MiddlewareNotUsed(message)
