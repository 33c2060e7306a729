"""System checks that say what is missing or in the wrong order.

In: Django's settings. Out: messages with stable IDs (logging_pkg.W001 …). Never: stops a project from starting.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, register
from django.core.checks import Warning as CheckWarning

MIDDLEWARE = "logging_pkg.django.middleware.ObservabilityMiddleware"


@register()
def check_middleware(**_: Any) -> list[CheckMessage]:
    """The middleware is there, and outermost."""
    if MIDDLEWARE not in settings.MIDDLEWARE:
        return [
            CheckWarning(
                "ObservabilityMiddleware is not in MIDDLEWARE: requests are not observed.",
                hint=f'Put "{MIDDLEWARE}" first in MIDDLEWARE.',
                id="logging_pkg.W001",
            )
        ]
    if settings.MIDDLEWARE[0] != MIDDLEWARE:
        return [
            CheckWarning(
                "ObservabilityMiddleware is not the first middleware: what runs before it is not observed.",
                hint=f'Move "{MIDDLEWARE}" to the top of MIDDLEWARE.',
                id="logging_pkg.W002",
            )
        ]
    return []
