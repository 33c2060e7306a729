"""The console as a Django application.

In: INSTALLED_APPS. Out: its templates, static files and template tags. Never: a query, a connection at start-up.
"""

from django.apps import AppConfig, apps


class ConsoleConfig(AppConfig):
    """`logging_pkg.console` in INSTALLED_APPS."""

    name = "logging_pkg.console"
    label = "logging_pkg_console"
    verbose_name = "Log console"

    def ready(self) -> None:
        """Read LOGPIPE where the application that does so is not there: the console need not run in what it watches."""
        if not apps.is_installed("logging_pkg.django"):
            from logging_pkg import conf
            from logging_pkg.django.adapter import settings_from_django

            conf.configure(settings_from_django())
