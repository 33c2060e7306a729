"""docs/CONSOLE.md is true: its lines install the console in a Django project that has nothing else of ours.

In: the document's code blocks, a fresh project, a real server. Out: what its commands answer. Never: a line that is not in the
document, but for what every Django project has.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from logging_pkg.console.pages import PAGES
from logging_pkg.http_session import http_session
from logging_pkg.stack.ports import free_ports
from tests.console.conftest import ROOT

TEXT = (ROOT / "docs" / "CONSOLE.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
_DJANGO = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY, DEBUG, ROOT_URLCONF, STATIC_URL, USE_TZ = "x" * 60, True, "urls", "static/", True
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "staticfiles")]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
LOGPIPE = {"METRICS_TOKEN_FILE": BASE_DIR / "metrics-token"}
"""


def test_a_project_of_its_own_serves_it(tmp_path: Path, watched: Any) -> None:
    """Without the rest of logging_pkg: pages ask for a sign-in, the endpoint takes the token of the file."""
    stack, _ = watched
    settings, urls = PYTHON[0], PYTHON[1]
    settings = settings.replace("http://127.0.0.1:3100", stack.loki_url)
    settings = settings.replace("http://127.0.0.1:9090", stack.prometheus_url)
    settings = settings.replace("http://127.0.0.1:9093", stack.url("alertmanager"))
    (tmp_path / "settings.py").write_text(_DJANGO + settings)
    (tmp_path / "urls.py").write_text(f"from django.urls import include, path\nurlpatterns = []\n{urls}")
    (tmp_path / "metrics-token").write_text("of-the-manual\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LOGPIPE_", "DJANGO_"))}
    environ |= {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    django = [sys.executable, "-m", "django"]
    for command in (["check", "--fail-level", "WARNING"], ["migrate", "--verbosity", "0"]):
        done = subprocess.run([*django, *command], cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    (port,) = free_ports(1)
    server = subprocess.Popen(
        [*django, "runserver", "--noreload", f"127.0.0.1:{port}"],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        root = f"http://127.0.0.1:{port}"
        answer = _first_answer(f"{root}/console/overview/")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/accounts/login/?next=/console/overview/"
        assert len(COMMANDS) == 2
        for command in COMMANDS:
            shell = ["sh", "-c", command.replace("http://127.0.0.1:8000", root)]
            done = subprocess.run(shell, cwd=tmp_path, env=environ, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_the_manual_names_every_page_and_key() -> None:
    """By its title; and the keys that the page's own list has."""
    page = (ROOT / "logging_pkg/console/templates/logging_pkg/console/base.html").read_text(encoding="utf-8")
    assert [built.title for built in PAGES.values() if f"| {built.title} |" not in TEXT] == []
    keys = set(re.findall(r"<kbd>([^<{]+)</kbd>", page)) - {"s", "t"}
    assert sorted(key for key in keys if f"`{key}`" not in TEXT) == []


def _first_answer(url: str) -> requests.Response:
    with http_session(url) as session:
        end = time.monotonic() + 60
        while True:
            try:
                return session.get(url, timeout=10, allow_redirects=False)
            except requests.ConnectionError:
                assert time.monotonic() < end, "the project's server does not start"
                time.sleep(0.2)
