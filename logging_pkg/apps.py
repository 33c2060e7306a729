"""`logging_pkg` in INSTALLED_APPS means the Django application, whose full name is `logging_pkg.django`.

In: the shorter name, which everybody tries first. Out: the same application. Never: a second one.
"""

from __future__ import annotations

from logging_pkg.django.apps import LoggingPackageConfig

__all__ = ["LoggingPackageConfig"]
