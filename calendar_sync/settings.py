"""Django's settings, from the environment.

In: environment variables, each named where it is read; without any, development on SQLite works with DEBUG=1.
Out: the module django.conf reads.
Never: a secret; a server without SECRET_KEY does not start outside development and tests.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
# Databases, logs and other state of a working copy; ignored by git.
STATE_DIR = BASE_DIR / ".logpipe"
# pytest sets this variable in its own process, and so for whatever a test starts.
TESTING = "PYTEST_VERSION" in os.environ


def _flag(name: str, *, default: bool = False) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text in {"", "0", "false", "no", "off"}:
        return default if not text else False
    if text in {"1", "true", "yes", "on"}:
        return True
    raise ImproperlyConfigured(f"{name}={text!r}: expected 1 or 0")


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={text!r}: expected a number") from error


def _secret(name: str) -> str:
    """A secret, out of the file that NAME_FILE names, or of NAME itself."""
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return os.environ.get(name, "")
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path!r}: cannot be read: {error.strerror}") from error


def _words(name: str, default: str = "") -> list[str]:
    return [word for word in os.environ.get(name, default).replace(",", " ").split() if word]


DEBUG = _flag("DEBUG")
# Empty is an error where Django needs it, and at once in wsgi.py and asgi.py; tools that only read settings need none.
SECRET_KEY = os.environ.get("SECRET_KEY", "development-only-" + "0" * 40 if DEBUG or TESTING else "")
ALLOWED_HOSTS = _words("ALLOWED_HOSTS", "127.0.0.1 localhost [::1]")
CSRF_TRUSTED_ORIGINS = _words("CSRF_TRUSTED_ORIGINS")
# Behind TLS: cookies over https only. Off by default, so that plain http on loopback can sign in.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _flag("HTTPS_ONLY")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "logging_pkg.django",
    "logging_pkg.console",
    "calendar_sync",
    # Behind calendar_sync, whose templates go first. "Simple": the site is that of calendar_sync.admin, without what
    # every application would register.
    "django.contrib.admin.apps.SimpleAdminConfig",
]
MIDDLEWARE = [
    # First: a request's time includes every other middleware's.
    "logging_pkg.django.middleware.ObservabilityMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
DEBUG_TOOLBAR = DEBUG and not TESTING and find_spec("debug_toolbar") is not None
if DEBUG_TOOLBAR:
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(2, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]

ROOT_URLCONF = "calendar_sync.urls"
WSGI_APPLICATION = "calendar_sync.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "calendar_sync.context_processors.site",
            ]
        },
    }
]

DATABASES = {
    "default": dj_database_url.config(default=f"sqlite:///{STATE_DIR / 'calendar_sync.sqlite3'}", conn_max_age=60)
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    STATE_DIR.mkdir(exist_ok=True)
    # Several gunicorn workers and the sync worker share the file: readers do not wait for the writer (WAL), a writer
    # waits for its turn (timeout, s), and takes it at BEGIN, where SQLite honours the timeout; it does not when a read
    # transaction turns into a writing one.
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
    }


def _cache(url: str) -> dict[str, object]:
    """A cache by its address: redis://, rediss://, unix:// (Redis), file:// (a directory) or locmem://."""
    scheme, _, rest = url.partition("://")
    if scheme in {"redis", "rediss", "unix"}:
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    if scheme == "file" and rest:
        # Django looks through the directory with each write; by default it keeps 300 entries only.
        options = {"MAX_ENTRIES": 5_000}
        return {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": rest, "OPTIONS": options}
    if scheme == "locmem":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": rest}
    # The rest may hold a password.
    raise ImproperlyConfigured(
        f"CACHE_URL={scheme + '://…'!r}: expected redis://…, rediss://…, unix://…, file:///… or locmem://"
    )


# Shared by all processes, or a change in one leaves old dashboards in the others (docs/adr/0050).
CACHES = {
    "default": {
        **_cache(os.environ.get("CACHE_URL") or ("locmem://" if TESTING else f"file://{STATE_DIR / 'cache'}")),
        "KEY_PREFIX": "calendar-sync",
    }
}
# How long a dashboard may be shown from the cache, s; 0 switches that off. A change is seen at once all the same.
DASHBOARD_CACHE_S = _number("DASHBOARD_CACHE_S", 900)

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT")
# Serve straight from the applications' folders, so that no collectstatic is needed.
WHITENOISE_USE_FINDERS = True

# Where the Google Calendar API is; a fake server's root for development, with its last slash.
GOOGLE_CALENDAR_API_ROOT = os.environ.get("GOOGLE_CALENDAR_API_ROOT", "https://www.googleapis.com/")
GOOGLE_PROJECT = os.environ.get("GOOGLE_PROJECT", "calendar-sync-dev")
# OAuth: the client of the Google Cloud project, for accounts with a refresh token (docs/GOOGLE_ACCOUNTS.md).
GOOGLE_TOKEN_URI = os.environ.get("GOOGLE_TOKEN_URI", "https://oauth2.googleapis.com/token")
GOOGLE_CLIENT_ID = os.environ.get("GOOGLE_CLIENT_ID", "")
GOOGLE_CLIENT_SECRET = _secret("GOOGLE_CLIENT_SECRET")
# Tokens are stored encrypted: one key a line, the first encrypts, all decrypt. Development derives one from SECRET_KEY.
TOKEN_ENCRYPTION_KEYS = _secret("TOKEN_ENCRYPTION_KEYS").split() or ([SECRET_KEY] if DEBUG or TESTING else [])
# Quotas of the project, in requests; 0 is no limit. Source of the defaults: Calendar API, "Manage quotas". All
# processes together keep within the first two; all three are told in every event of an attempt, for the alerts.
GOOGLE_QUOTA_PER_MINUTE = int(_number("GOOGLE_QUOTA_PER_MINUTE", 10_000))
GOOGLE_QUOTA_PER_USER_MINUTE = int(_number("GOOGLE_QUOTA_PER_USER_MINUTE", 600))
GOOGLE_QUOTA_PER_DAY = int(_number("GOOGLE_QUOTA_PER_DAY", 1_000_000))
# Length of Google's minute, s; only tests have reason to change it.
GOOGLE_QUOTA_WINDOW_S = _number("GOOGLE_QUOTA_WINDOW_S", 60)
# Where Google can reach this site (https://calendars.example.org); empty: no push notifications, only passes.
GOOGLE_PUSH_URL = os.environ.get("GOOGLE_PUSH_URL", "")
# Events per page: 250 is Google's own default, 2,500 its limit. Larger pages use less quota and more memory.
GOOGLE_PAGE_SIZE = int(_number("GOOGLE_PAGE_SIZE", 250))
GOOGLE_TIMEOUT_S = _number("GOOGLE_TIMEOUT_S", 30)
GOOGLE_MAX_ATTEMPTS = int(_number("GOOGLE_MAX_ATTEMPTS", 5))
# Back-off before attempt n+1: up to GOOGLE_BACKOFF_BASE_S * 2^(n-1), at most GOOGLE_BACKOFF_MAX_S, seconds.
GOOGLE_BACKOFF_BASE_S = _number("GOOGLE_BACKOFF_BASE_S", 0.5)
GOOGLE_BACKOFF_MAX_S = _number("GOOGLE_BACKOFF_MAX_S", 32)
# How long a person may be kept waiting for Google's quota before their sync is refused, s; a worker waits for its turn.
GOOGLE_PATIENCE_S = _number("GOOGLE_PATIENCE_S", 10)
# A sync that has not shown itself for so long is taken to be dead, and another may begin.
SYNC_LEASE_S = _number("SYNC_LEASE_S", 300)

# /reports/…: pages that are slow, run N+1 queries or fail, on purpose, to show what monitoring says about them.
DEMO_PAGES = _flag("DEMO_PAGES", default=DEBUG)

# Only a fake server on this machine is told the correlation ID; Google has no use for it.
_api = urlsplit(GOOGLE_CALENDAR_API_ROOT)
LOGPIPE = {
    "SERVICE_NAME": "calendar-sync",
    "DIRECTORY": STATE_DIR / "logs",
    "STRICT": DEBUG or TESTING,
    "GOOGLE_PROJECT": GOOGLE_PROJECT,
    "GOOGLE_QUOTA_PER_MINUTE": GOOGLE_QUOTA_PER_MINUTE or 10_000,
    "GOOGLE_QUOTA_PER_USER_MINUTE": GOOGLE_QUOTA_PER_USER_MINUTE or 600,
    "GOOGLE_QUOTA_PER_DAY": GOOGLE_QUOTA_PER_DAY or 1_000_000,
    "USER_ACTIONS": ("signed_in", "dashboard_viewed", "account_viewed", "sync_requested", "calendar_toggled"),
    # Who looks at the numbers is not in them.
    "EXCLUDED_PATHS": (f"/{STATIC_URL}*", "/console/*"),
    "PATH_PARAMETERS": ("account_id", "calendar_id"),
    "PROJECT_ROOTS": (BASE_DIR / "calendar_sync",),
    "PROPAGATE_TO_HOSTS": (_api.netloc,) if _api.hostname in {"127.0.0.1", "localhost", "::1"} else (),
}
