"""The Django project of these tests: its settings, its data, and whether the instrumentation is installed.

In: a variant's name, a scratch directory. Out: Django set up, databases filled. Never: a difference between two
variants but the instrumentation.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.management import call_command

from tests.everything_on import EVERYTHING_ON
from tests.interference.scenarios import USUAL, Scenario

OBSERVABILITY = "logging_pkg.django.middleware.ObservabilityMiddleware"

#: As in production, but for thresholds of 0: every request and query is slow, so that every finding there is fires.
LOGPIPE: dict[str, Any] = {
    "STRICT": False,
    **EVERYTHING_ON,
    "PATH_PARAMETERS": ("number", "how", "alias"),
    "TRUSTED_CORRELATION_SOURCES": ("10.0.0.0/8",),
    "LOG_LEVEL": "debug",
}

#: What each variant adds to LOGPIPE; `without` has neither the application nor the middleware.
VARIANTS: dict[str, dict[str, Any] | None] = {
    "without": None,
    "with": {},
    "strict": {"STRICT": True},
    "off": {"ENABLED": False},
}

APPS = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
)


class Project:
    """The project, set up once per process.

    Args:
        variant: a name of VARIANTS.
        scratch: an empty directory.
        interfering: `middleware.<class>` or `project.<class>` that stands right below ours.
    """

    def __init__(self, variant: str, scratch: Path, interfering: str | None = None) -> None:
        self.logs = scratch / "logs"
        added = VARIANTS[variant]
        self.is_observed = added is not None and added.get("ENABLED", True)
        self._prefix: list[str] = [] if added is None else [OBSERVABILITY]
        if interfering:
            self._prefix.append(f"tests.interference.{interfering}")
        settings.configure(**_settings(scratch, os.environ.get("INTERFERENCE_DATABASES", "")))
        if added is not None:
            settings.INSTALLED_APPS = ["logging_pkg.django", *settings.INSTALLED_APPS]
            settings.LOGPIPE = {**LOGPIPE, "DIRECTORY": self.logs, **added}
        django.setup()
        for alias in settings.DATABASES:
            call_command("migrate", run_syncdb=True, verbosity=0, database=alias)
        call_command("createcachetable", verbosity=0)
        _seed()
        _fill()
        _close()

    def prepare(self, scenario: Scenario) -> None:
        """Put a scenario's settings in force; `restore` takes them back."""
        settings.MIDDLEWARE = [*scenario.outer, *self._prefix, *scenario.middleware]
        self._before = {name: getattr(settings, name) for name in scenario.settings}
        for name, value in scenario.settings.items():
            setattr(settings, name, value)
        self._atomic(scenario.atomic_requests)
        _forget()
        _seed()

    def restore(self) -> None:
        """Take the scenario's settings back."""
        for name, value in self._before.items():
            setattr(settings, name, value)
        self._atomic(False)
        _forget()

    @staticmethod
    def _atomic(value: bool) -> None:
        from django.db import connections

        connections.settings["default"]["ATOMIC_REQUESTS"] = value


class DoesNothing:
    """Nothing at all: what one middleware more means to Django itself."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Pass on."""
        return self.get_response(request)


def _settings(scratch: Path, databases: str) -> dict[str, Any]:
    import json

    sqlite = {
        alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(scratch / f"{alias}.sqlite3")}
        for alias in ("default", "other")
    }
    caches = "django.core.cache.backends."
    return {
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost", "testserver"],
        "BASE_DIR": Path(__file__).parent,
        "CACHES": {
            "default": {"BACKEND": f"{caches}locmem.LocMemCache"},
            "file": {"BACKEND": f"{caches}filebased.FileBasedCache", "LOCATION": str(scratch / "cache")},
            "database": {"BACKEND": f"{caches}db.DatabaseCache", "LOCATION": "cache_table"},
            "dummy": {"BACKEND": f"{caches}dummy.DummyCache"},
            "redis": {
                "BACKEND": f"{caches}redis.RedisCache",
                "LOCATION": os.environ["INTERFERENCE_REDIS"],
            },
        },
        "DATABASES": json.loads(databases) if databases else sqlite,
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 4_000_000,
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": list(APPS),
        "LOGIN_URL": "/sign-in/",
        "MIDDLEWARE": list(USUAL),
        "MIGRATION_MODULES": {app.rpartition(".")[2]: None for app in APPS},
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "REST_FRAMEWORK": {"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        "ROOT_URLCONF": "tests.interference.urls",
        "SECRET_KEY": "interference " * 4,
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        "USE_TZ": True,
    }


def _fill() -> None:
    from django.contrib.auth.models import Group, Permission, User
    from rest_framework.authtoken.models import Token

    groups = [Group.objects.create(name=f"group {number}") for number in range(6)]
    for number in range(6):
        user = User.objects.create(username=f"user{number}", is_staff=number % 3 == 0)
        user.groups.add(groups[number], groups[0])
    ann = User.objects.create_user("ann", password="secret")
    Token.objects.create(user=ann, key="0123456789" * 4)
    ann.user_permissions.add(Permission.objects.get(codename="view_group"))
    writer = Permission.objects.get(codename="add_group", content_type__app_label="auth")
    ann.user_permissions.add(writer)


def _forget() -> None:
    """What one scenario leaves in the process."""
    from django.core.cache import caches
    from django.urls import clear_url_caches

    clear_url_caches()
    for alias in ("default", "file", "dummy"):
        caches[alias].clear()
    _close()


def _close() -> None:
    from django.db import connections

    connections.close_all()


def _seed() -> None:
    """The same random keys, salts and tokens in every process."""
    import django.utils.crypto

    generator = random.Random(7)
    random.seed(7)
    django.utils.crypto.secrets = SimpleNamespace(  # type: ignore[attr-defined]
        choice=generator.choice, compare_digest=secrets.compare_digest
    )
    from django.middleware.gzip import GZipMiddleware

    GZipMiddleware.max_random_bytes = 0
    sys.setswitchinterval(0.005)
