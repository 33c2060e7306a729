"""calendar_sync.settings: what the environment decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SHOW = """
import json, django
from django.conf import settings
django.setup()
print(json.dumps({
    "apps": settings.INSTALLED_APPS, "middleware": settings.MIDDLEWARE, "demo": settings.DEMO_PAGES,
    "database": settings.DATABASES["default"]["ENGINE"], "options": settings.DATABASES["default"].get("OPTIONS", {}),
    "cache": settings.CACHES["default"],
    "hosts": list(settings.LOGPIPE["PROPAGATE_TO_HOSTS"]), "strict": settings.LOGPIPE["STRICT"],
}))
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code as outside of tests: without what pytest and this project's plugin put into the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOGPIPE"))}
    defaults = {"DJANGO_SETTINGS_MODULE": "calendar_sync.settings", "LOGPIPE_SINK": "none"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **defaults, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def shown(**environment: str) -> dict:
    result = python(SHOW, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_development_needs_one_variable():
    """DEBUG=1: SQLite in WAL mode, the toolbar, the demonstration pages, strict events; observation comes first."""
    found = shown(DEBUG="1")

    assert found["middleware"][0] == "logging_pkg.django.middleware.ObservabilityMiddleware"
    assert "debug_toolbar" in found["apps"]
    assert (found["demo"], found["strict"]) == (True, True)
    assert found["database"] == "django.db.backends.sqlite3"
    assert "journal_mode=WAL" in found["options"]["init_command"]


def test_production_has_neither_toolbar_nor_demonstration():
    """Without DEBUG both are off and an invalid event does not raise; PostgreSQL by DATABASE_URL; Google is told no ID."""
    found = shown(SECRET_KEY="x" * 50, DATABASE_URL="postgres://user@db/name")

    assert "debug_toolbar" not in found["apps"]
    assert (found["demo"], found["strict"], found["hosts"]) == (False, False, [])
    assert found["database"] == "django.db.backends.postgresql"


def test_the_cache_is_shared_between_processes_unless_told_otherwise():
    """Files in the state directory without CACHE_URL, which needs no server; else what the address says."""
    files = shown(DEBUG="1")["cache"]
    assert files["BACKEND"] == "django.core.cache.backends.filebased.FileBasedCache"
    assert files["LOCATION"].endswith("/.logpipe/cache")

    redis = shown(DEBUG="1", CACHE_URL="redis://cache.example:6379/1")["cache"]
    assert redis["BACKEND"] == "django.core.cache.backends.redis.RedisCache"
    assert redis["LOCATION"] == "redis://cache.example:6379/1"
    assert shown(DEBUG="1", CACHE_URL="file:///var/cache/calendar")["cache"]["LOCATION"] == "/var/cache/calendar"
    assert "LocMemCache" in shown(DEBUG="1", CACHE_URL="locmem://")["cache"]["BACKEND"]


def test_a_fake_server_on_this_machine_is_told_the_correlation():
    """Only the host the API root names."""
    assert shown(DEBUG="1", GOOGLE_CALENDAR_API_ROOT="http://127.0.0.1:8010/")["hosts"] == ["127.0.0.1:8010"]


@pytest.mark.parametrize("module", ["wsgi", "asgi"])
def test_a_server_without_secret_key_does_not_start(module):
    """At start-up, not at the first sign-in."""
    result = python(f"import calendar_sync.{module}")

    assert result.returncode != 0
    assert "SECRET_KEY" in result.stderr.splitlines()[-1]
    assert python(f"import calendar_sync.{module}", DEBUG="1").returncode == 0


@pytest.mark.parametrize(("name", "value"), [("DEBUG", "maybe"), ("GOOGLE_TIMEOUT_S", "soon")])
def test_a_variable_that_cannot_be_read_is_named(name, value):
    """With its value and what was expected."""
    result = python("import calendar_sync.settings", **{name: value})

    assert f"{name}='{value}': expected" in result.stderr


SECRETS = """
import json
from django.conf import settings
print(json.dumps([settings.GOOGLE_CLIENT_SECRET, settings.TOKEN_ENCRYPTION_KEYS]))
"""


def secrets(**environment: str) -> list:
    result = python(SECRETS, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_secrets_come_from_files_or_the_environment(tmp_path):
    """A file wins; keys are one a line, the first first; blank lines are none."""
    (tmp_path / "secret").write_text("of-the-file\n")
    (tmp_path / "keys").write_text("new\n\nold\n")
    files = {
        "GOOGLE_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "TOKEN_ENCRYPTION_KEYS_FILE": str(tmp_path / "keys"),
    }
    plain = {"GOOGLE_CLIENT_SECRET": "of-the-environment", "TOKEN_ENCRYPTION_KEYS": "one two"}

    assert secrets(**plain, **files) == ["of-the-file", ["new", "old"]]
    assert secrets(**plain) == ["of-the-environment", ["one", "two"]]


def test_only_development_has_a_key_without_one():
    """Derived from its SECRET_KEY; a server has none, and refuses to store a token."""
    assert secrets(DEBUG="1") == ["", ["development-only-" + "0" * 40]]
    assert secrets(SECRET_KEY="x" * 50) == ["", []]


@pytest.mark.parametrize("name", ["GOOGLE_CLIENT_SECRET", "TOKEN_ENCRYPTION_KEYS"])
def test_a_secrets_file_that_cannot_be_read_is_named(name):
    """With why; nobody goes on with another key."""
    result = python("import calendar_sync.settings", **{f"{name}_FILE": "/nowhere/secret", name: "other"})

    assert result.returncode != 0
    assert f"{name}_FILE='/nowhere/secret': cannot be read: No such file or directory" in result.stderr


@pytest.mark.parametrize("address", ["reddis://user:hunter2@cache:6379", "://hunter2", "file://"])
def test_an_address_of_a_cache_is_not_told_whole(address):
    """It may hold a password: its scheme and what was expected."""
    result = python("import calendar_sync.settings", CACHE_URL=address)

    assert f"CACHE_URL='{address.partition('://')[0]}://…': expected redis://" in result.stderr
    assert "hunter2" not in result.stderr
