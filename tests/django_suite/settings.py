"""The settings Django's own test suite runs with, the same with and without the instrumentation but for the runner.

In: what `runs.py` puts into the environment. Out: the module Django's `runtests.py --settings` reads; it overrides
INSTALLED_APPS, MIDDLEWARE, TEMPLATES and LOGGING by its own. Never: an import of the package under test.
"""

from __future__ import annotations

import json
import os
from typing import Any

#: Each test's outcome is written down; the observing runner also installs the instrumentation.
TEST_RUNNER = os.environ["DJANGO_SUITE_RUNNER"]

# As in test_sqlite.py of the source distribution, unless the run has a server of its own.
DATABASES = json.loads(os.environ["DJANGO_SUITE_DATABASES"])
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False

CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if location := os.environ.get("DJANGO_SUITE_REDIS"):
    CACHES["redis"] = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}

# Everything on: every query and request is slow, so that every finding there is fires in every test.
LOGPIPE = json.loads(os.environ.get("DJANGO_SUITE_LOGPIPE", "{}"))
