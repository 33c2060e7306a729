"""Settings of the little site that real servers serve in these tests.

In: environment variables LOGPIPE_*, LIVE_MIDDLEWARE. Out: Django settings. Never: anything of the application's.
"""

from __future__ import annotations

import os

DEBUG = False
SECRET_KEY = "tests"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.django.live_site"
INSTALLED_APPS = ["logging_pkg.django"]
MIDDLEWARE = ["logging_pkg.django.middleware.ObservabilityMiddleware", *os.environ.get("LIVE_MIDDLEWARE", "").split()]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
LOGPIPE = {"SERVICE_NAME": "live", "STRICT": True}
