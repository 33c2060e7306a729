"""Sync workers of the real application, several processes on one database, against a fake Google in a process of its own.

In: a directory, the fake server's options. Out: running processes, their logs and database. Never: one left behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from calendar_sync.fake_google import ControlClient

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "reconciliation"


class Fleet(AbstractContextManager["Fleet"]):
    """The fake server, a migrated database with its accounts, and as many workers as are started.

    Args:
        directory: for the database, the logs and the processes' output.
        fake_google: options of `python -m calendar_sync.fake_google`.
        environ: further variables of the application.
    """

    def __init__(self, directory: Path, fake_google: str, **environ: str) -> None:
        self._directory = directory
        self.logs = directory / "logs"
        self._processes: list[subprocess.Popen[str]] = []
        port_file = directory / "port"
        command = [
            "-m",
            "calendar_sync.fake_google",
            "--port",
            "0",
            "--port-file",
            str(port_file),
            *fake_google.split(),
        ]
        base = {name: value for name, value in os.environ.items() if not name.startswith(("LOGPIPE_", "PYTEST_"))}
        self.environ = base
        self._google = self._start(command)
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert time.monotonic() < deadline, "the fake server did not start"
            time.sleep(0.02)
        url = f"http://127.0.0.1:{port_file.read_text().strip()}/"
        self.control = ControlClient(url)
        self.environ = base | {
            "CACHE_URL": f"file://{directory / 'cache'}",
            "DATABASE_URL": f"sqlite:///{directory / 'db.sqlite3'}",
            "DEBUG": "1",
            "GOOGLE_BACKOFF_BASE_S": "0.02",
            "GOOGLE_CALENDAR_API_ROOT": url,
            "GOOGLE_MAX_ATTEMPTS": "10",
            "GOOGLE_PROJECT": PROJECT,
            "GOOGLE_TOKEN_URI": url + "token",
            "LOGPIPE_DIRECTORY": str(self.logs),
            "LOGPIPE_ENV": "test",
            "LOGPIPE_SERVICE_NAME": "sync-fleet",
            **environ,
        }

    def __exit__(self, *_: object) -> None:
        for process in [*self._processes, self._google]:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def manage(self, *arguments: str, check: bool = True) -> str:
        """Run one management command to its end; its output."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environ, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def start_worker(self, interval_s: float) -> subprocess.Popen[str]:
        """Start one more sync worker."""
        worker = self._start([str(ROOT / "manage.py"), "run_sync_worker", "--interval", str(interval_s)])
        self._processes.append(worker)
        return worker

    def stop_workers(self) -> None:
        """Have the workers end as on SIGTERM; each has to end well."""
        for worker in self._processes:
            worker.terminate()
        for worker in self._processes:
            output, _ = worker.communicate(timeout=120)
            assert worker.returncode == 0, output
        self._processes.clear()

    def run_python(self, program: str, *arguments: str) -> str:
        """Run a program with the application set up; its output."""
        command = [sys.executable, "-c", "import django; django.setup()\n" + program, *arguments]
        environ = self.environ | {"DJANGO_SETTINGS_MODULE": "calendar_sync.settings"}
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _start(self, arguments: list[str]) -> Any:
        return subprocess.Popen(
            [sys.executable, *arguments], env=self.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip


def server_calendars(control: ControlClient) -> dict[str, dict[str, str]]:
    """The truth: the etag of every live event, by calendar."""
    ids = [calendar["id"] for account in control.state()["accounts"] for calendar in account["calendars"]]
    return {calendar: {item["id"]: item["etag"] for item in control.events(calendar)} for calendar in ids}


#: Prints the application's copy in the same form.
LOCAL_CALENDARS = """
import json
from calendar_sync.models import Calendar, Event
found = {calendar.google_id: {} for calendar in Calendar.objects.all()}
count = 0
for calendar, event, etag in Event.objects.values_list("calendar__google_id", "google_id", "etag"):
    found[calendar][event] = etag
    count += 1
assert count == sum(map(len, found.values())), "an event is there twice"
print(json.dumps(found))
"""
