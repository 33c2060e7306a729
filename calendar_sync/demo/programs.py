"""The programs of the demonstration beside the server stack: fake Google, web server, prober, sync worker, shipper.

In: a run directory and the stack's addresses. Out: running child processes. Never: one left behind.
"""

from __future__ import annotations

import os
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from calendar_sync.demo.certificate import make_certificate
from calendar_sync.fake_google.control_client import ControlClient
from logging_pkg.exceptions import StackError
from logging_pkg.stack.ports import free_ports
from logging_pkg.stack.process import Child

ACCOUNTS = 3
PASSWORD = "demo-password"
#: Who may look into the console.
STAFF = "operator"
PROJECT = "calendar-sync-demo"
#: Requests a minute the fake Google allows the project, and the workers are told of.
PROJECT_QUOTA = 600
WORKER_SERVICE_NAME = "calendar-sync-worker"
#: In which a proxy before the web server would tell when a request came in.
REQUEST_START_HEADER = "X-Request-Start"
#: Of each of the web server's processes.
THREADS = 4
_ROOT = Path(__file__).resolve().parents[2]
_READY_S = 60.0


class Programs:
    """Starts and stops them. Use from the main thread.

    Args:
        directory: of this run; logs, database and each program's output go below it.
        loki_url: where the shipper sends, and the console reads.
        addresses: of what else the console reads, as environment variables.
    """

    def __init__(self, directory: Path, loki_url: str, addresses: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self._loki_url = loki_url
        web, secure, google = free_ports(3)
        self.web_url = f"http://127.0.0.1:{web}"
        self.secure_url = f"https://127.0.0.1:{secure}"
        self.google_url = f"http://127.0.0.1:{google}/"
        self._children: dict[str, Child] = {}
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")},
            "CACHE_URL": f"file://{directory / 'cache'}",
            "DATABASE_URL": f"sqlite:///{directory / 'calendar_sync.sqlite3'}",
            "DEBUG": "0",
            "DEMO_PAGES": "1",
            "DJANGO_SETTINGS_MODULE": "calendar_sync.settings",
            "GOOGLE_CALENDAR_API_ROOT": self.google_url,
            "GOOGLE_PROJECT": PROJECT,
            "GOOGLE_QUOTA_PER_MINUTE": str(PROJECT_QUOTA),
            "GOOGLE_QUOTA_PER_USER_MINUTE": "0",
            "GOOGLE_PAGE_SIZE": "50",
            "LOGPIPE_DIRECTORY": str(self.logs),
            "LOGPIPE_EXPLAIN_SLOW_QUERIES": "1",
            "LOGPIPE_ENV": "demo",
            "LOGPIPE_RELEASE": version("logging-pkg"),
            "LOGPIPE_LOKI_URL": loki_url,
            "LOGPIPE_REQUEST_START_HEADER": REQUEST_START_HEADER,
            "PYTHONUNBUFFERED": "1",
            **(addresses or {}),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "TOKEN_ENCRYPTION_KEYS": secrets.token_urlsafe(48),
        }

    @property
    def google(self) -> ControlClient:
        """Control of the fake Google server."""
        return ControlClient(self.google_url)

    def start(self) -> None:
        """Start everything, in the order in which one needs the other.

        Raises:
            StackError: a program ended or did not answer in time; the message has the end of its output.
        """
        google_port = self.google_url.rstrip("/").rpartition(":")[2]
        fake_google = f"--port {google_port} --accounts {ACCOUNTS} --project-quota {PROJECT_QUOTA} --user-quota 0"
        self._start(
            "fake-google",
            [sys.executable, "-m", "calendar_sync.fake_google", *fake_google.split(), "--latency-ms", "15"],
        )
        self._await("fake-google", lambda: bool(self.google.state()))
        for command in (
            ["migrate", "--verbosity", "0"],
            ["seed_demo", "--accounts", str(ACCOUNTS), "--staff", STAFF],
            ["warm_caches"],
        ):
            self._run_once([sys.executable, "manage.py", *command])
        self._start("shipper", [sys.executable, "-m", "logging_pkg.cli", "ship"])
        # Keep-alive longer than any user pauses: a connection closed just as it is used again looks like an error.
        self._start_web("web", self.web_url, ["--workers", "2", "--keep-alive", "30"], THREADS)
        certificate, key = make_certificate(self.directory)
        trust = ssl.create_default_context(cafile=certificate)
        self._start_web("web-tls", self.secure_url, ["--certfile", str(certificate), "--keyfile", str(key)], 1)
        self._await("web", lambda: urlopen(f"{self.web_url}/healthz", timeout=2).status == 200)
        self._await("web-tls", lambda: urlopen(f"{self.secure_url}/healthz", timeout=2, context=trust).status == 200)
        checks = [f"calendar-sync={self.web_url}/healthz", f"calendar-sync-tls={self.secure_url}/healthz"]
        self._start(
            "probe",
            [sys.executable, "-m", "logging_pkg.cli", "probe", *checks],
            SSL_CERT_FILE=str(certificate),
        )
        self._start(
            "worker",
            [sys.executable, "manage.py", "run_sync_worker", "--interval", "45"],
            LOGPIPE_SERVICE_NAME=WORKER_SERVICE_NAME,
        )

    def kill_worker(self) -> None:
        """End the sync worker as a crash does."""
        self._children["worker"].kill()

    def failed(self) -> str | None:
        """One line about a program that ended without being asked to; the worker may have been killed on purpose."""
        for name, child in self._children.items():
            if name != "worker" and child.exit_code is not None:
                return f"{name} ended with exit code {child.exit_code}: {child.tail()}"
        return None

    def stop_application(self) -> None:
        """Stop what emits, so that every event is written."""
        for name in ("probe", "worker", "web-tls", "web"):
            if name in self._children:
                self._children[name].stop(deadline_s=30)

    def drain(self) -> None:
        """Stop the shipper and ship what is left; returns when all of it is stored."""
        self._children["shipper"].stop(deadline_s=30)
        self._run_once([sys.executable, "-m", "logging_pkg.cli", "ship", "--drain", "--timeout", "60"])

    def stop(self) -> None:
        """Stop whatever still runs, last started first."""
        for child in reversed(list(self._children.values())):
            child.stop(deadline_s=20)

    def _start(self, name: str, command: list[str], **environ: str) -> None:
        log = self.directory / f"{name}.log"
        child = Child(name, command, log, directory=_ROOT, environ={**self._environ, **environ})
        self._children[name] = child
        child.start()

    def _start_web(self, name: str, url: str, options: list[str], threads: int) -> None:
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--bind", url.partition("//")[2]]
        command += ["--worker-class", "gthread", "--threads", str(threads), "--graceful-timeout", "20", *options]
        self._start(name, [*command, "calendar_sync.wsgi:application"], LOGPIPE_WORKER_CAPACITY=str(threads))

    def _await(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._children[name].exit_code is not None:
                break
            try:
                if is_ready():
                    return
            except (URLError, OSError, ValueError):
                time.sleep(0.1)
        raise StackError(f"{name} did not get ready: {self._children[name].tail() or 'it wrote nothing'}")

    def _run_once(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=_ROOT, env=self._environ, capture_output=True, text=True, timeout=180, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise StackError(f"{' '.join(command[1:4])} failed with exit code {done.returncode}: {last[:300]}")
