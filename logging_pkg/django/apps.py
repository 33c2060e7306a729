"""Start-up in a Django project.

In: INSTALLED_APPS. Out: settings in force, databases, caches and HTTP clients watched, logging records captured.
Never: a query.
"""

from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import got_request_exception

from logging_pkg.django.adapter import settings_from_django
from logging_pkg.django.middleware import remember_exception
from logging_pkg.events import configure, install_handler
from logging_pkg.instrumentation.cache.usage import start_usage_reports
from logging_pkg.instrumentation.cache.watch import watch_caches
from logging_pkg.instrumentation.cache_warming.reads import follow_warmed_keys
from logging_pkg.instrumentation.cache_warming.warmers import autodiscover
from logging_pkg.instrumentation.database.watch import watch_databases
from logging_pkg.instrumentation.http_client import watch_http_clients


class LoggingPackageConfig(AppConfig):
    """`logging_pkg.django` in INSTALLED_APPS."""

    name = "logging_pkg.django"
    label = "logging_pkg"
    verbose_name = "Log-derived observability"

    def ready(self) -> None:
        """Configure everything once the settings are there."""
        from logging_pkg.django import checks  # noqa: F401  (registers the system checks)

        settings = settings_from_django()
        configure(settings)
        autodiscover()
        if not settings.enabled:
            return
        watch_databases()
        watch_caches()
        start_usage_reports()
        follow_warmed_keys()
        watch_http_clients()
        install_handler()
        got_request_exception.connect(remember_exception, dispatch_uid="logging_pkg.exception")
