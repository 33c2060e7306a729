"""The demonstration's traffic: users who sign in, look, switch calendars and sync, and a script of trouble.

In: running programs. Out: real HTTP requests for as long as the rules need to fire. Never: an event of its own.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import requests

from calendar_sync.demo.programs import (
    ACCOUNTS,
    PASSWORD,
    PROJECT_QUOTA,
    REQUEST_START_HEADER,
    WORKER_SERVICE_NAME,
    Programs,
)
from calendar_sync.fake_google.seed import demo_accounts
from logging_pkg.http_session import http_session
from logging_pkg.schemas.conventions import parse_timestamp

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_ACCOUNT = re.compile(r"/accounts/(\d+)/")
_CALENDAR = re.compile(r"/calendars/(\d+)/toggle")
_TIMEOUT_S = 60
#: The rule AppDown knows a service by a heartbeat of at least this age.
_WORKER_UPTIME_S = 30
#: Over the 80 % of GoogleQuotaMinute80, and under the limit by more than the requests of the next second.
_BURST_SHARE = 0.83
#: What a sync worker tells while it syncs.
_WORK = frozenset({"sync.run_finished", "google_api.call_finished"})


class Counter:
    """What the traffic has done so far, for the progress line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.syncs = 0
        self.unexpected: list[str] = []

    def add(self, *, sync: bool = False) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1
            self.syncs += sync


class User(threading.Thread):
    """One signed-in person with a browser session."""

    def __init__(self, name: str, programs: Programs, counter: Counter, stop: threading.Event, seed: int) -> None:
        super().__init__(name=f"user {name}", daemon=True)
        self._name, self._url, self._counter, self._stop_event = name, programs.web_url, counter, stop
        self._random = random.Random(seed)
        self._session = http_session(self._url)
        self.sync_without_pause = threading.Event()

    def run(self) -> None:
        """Sign in, then act until told to stop. Trouble is kept in the counter, for the report to fail on."""
        try:
            self._act()
        except requests.RequestException as error:
            if not self._stop_event.is_set():
                self._counter.unexpected.append(f"{self._name}: {error}")

    def _act(self) -> None:
        self._sign_in()
        dashboard = self._get("/dashboard/")
        account = _ACCOUNT.findall(dashboard)[0]
        self._post(f"/accounts/{account}/sync", sync=True)
        calendars = sorted(set(_CALENDAR.findall(self._get(f"/accounts/{account}/"))))
        step = 0
        while not self._stop_event.is_set():
            step += 1
            self._get("/dashboard/")
            self._get(f"/accounts/{account}/")
            if self.sync_without_pause.is_set() or step % 12 == 0:
                self._post(f"/accounts/{account}/sync", sync=True)
            if step % 4 == 0:
                calendar = self._random.choice(calendars)
                self._post(f"/calendars/{calendar}/toggle", enabled="0")
                self._post(f"/calendars/{calendar}/toggle", enabled="1")
            if step % 15 == 0:
                self._post(f"/accounts/{account}/toggle", enabled="1")
            if not self.sync_without_pause.is_set():
                self._stop_event.wait(self._random.uniform(0.3, 0.9))

    def _sign_in(self) -> None:
        page = self._get("/login/")
        token = _TOKEN.findall(page)[0]
        data = {"username": self._name, "password": PASSWORD, "csrfmiddlewaretoken": token, "next": "/dashboard/"}
        answer = self._session.post(f"{self._url}/login/", data=data, timeout=_TIMEOUT_S)
        self._counter.add()
        if "/dashboard/" not in answer.url:
            self._counter.unexpected.append(f"{self._name}: could not sign in ({answer.status_code})")

    def _get(self, path: str, expected: int = 200) -> str:
        text = self._ask("GET", path, {}, {}, expected)
        self._counter.add()
        return text

    def _post(self, path: str, *, sync: bool = False, **data: str) -> None:
        headers = {"X-CSRFToken": self._session.cookies.get("csrftoken") or "", "HX-Request": "true"}
        self._ask("POST", path, headers, data, 200)
        self._counter.add(sync=sync)

    def _ask(self, method: str, path: str, headers: dict[str, str], data: dict[str, str], expected: int) -> str:
        # The time as nginx writes it.
        headers = headers | {REQUEST_START_HEADER: f"t={time.time():.3f}"}
        answer = self._session.request(method, self._url + path, headers=headers, data=data, timeout=_TIMEOUT_S)
        if answer.status_code != expected:
            self._counter.unexpected.append(f"{method} {path}: {answer.status_code}, expected {expected}")
        return answer.text


class Reporter(User):
    """A person who opens the pages that are bad on purpose."""

    def _act(self) -> None:
        self._sign_in()
        for name in ("neighbour", "late", "rejected"):
            self._get(f"/reports/{name}/")
        while not self._stop_event.is_set():
            self._get("/reports/overlaps/")
            self._get("/reports/slow/")
            self._get("/reports/n-plus-one/")
            self._get("/reports/error/", expected=500)
            self._stop_event.wait(2)


class Waiter(User):
    """A person who opens the page that is stuck."""

    def _act(self) -> None:
        self._sign_in()
        self._get("/reports/stuck/")


class Scenario:
    """Who does what when: users all the time, trouble at set moments.

    Args:
        programs: running ones.
        on_step: told in a few words when trouble begins.
    """

    def __init__(self, programs: Programs, on_step: Callable[[str], None]) -> None:
        self.counter = Counter()
        self._programs = programs
        self._on_step = on_step
        self._stop = threading.Event()
        accounts = demo_accounts(ACCOUNTS)
        names = [account.email.split("@")[0] for account in accounts]
        self._last_account = accounts[-1].id
        self._users = [User(name, programs, self.counter, self._stop, seed) for seed, name in enumerate(names)]
        others = (Reporter, Waiter)
        self._people = [
            *self._users,
            *(kind(names[0], programs, self.counter, self._stop, len(names)) for kind in others),
        ]
        self._steps: list[tuple[float, Callable[[], None]]] = [
            (10, self._rate_limit),
            (35, self._burst),
        ]
        self._bursting = False
        self.worker_killed = False

    def start(self) -> None:
        """Let the users begin."""
        for user in self._people:
            user.start()

    def tick(self, elapsed_s: float) -> None:
        """Do what is due. Call from the main thread about once a second."""
        while self._steps and elapsed_s >= self._steps[0][0]:
            self._steps.pop(0)[1]()
        if self._bursting:
            self._use_quota()
        if not self.worker_killed and _worker_is_idle(self._programs.logs):
            self._programs.kill_worker()
            self.worker_killed = True
            self._on_step("the sync worker was killed (-9)")

    def stop(self) -> None:
        """Let the users finish what they are at."""
        self._stop.set()
        for user in self._people:
            user.join(timeout=_TIMEOUT_S)

    def _rate_limit(self) -> None:
        self._programs.google.fail("tooManyRequests", count=4, retry_after_s=1)
        self._on_step("Google answers 429 four times")

    def _burst(self) -> None:
        self._bursting = True
        for user in self._users:
            user.sync_without_pause.set()
        self._on_step("every sync token expires: full syncs use up the minute's quota")

    def _use_quota(self) -> None:
        """Make every sync a full one until a minute's quota is nearly used up."""
        google = self._programs.google
        used = google.state()["quota"]["used_this_minute"]
        if max(used.values(), default=0) < _BURST_SHARE * PROJECT_QUOTA:
            google.expire_sync_tokens()
            return
        self._bursting = False
        for user in self._users:
            user.sync_without_pause.clear()
        google.revoke(self._last_account)
        self._on_step("one account's access is revoked: its syncs fail from now on")


def _worker_is_idle(logs: Path) -> bool:
    """Whether the worker has lived long enough to be missed, and is between two passes now.

    Killed in the middle of a sync it would leave API attempts whose run never got its event: true, but no good example.
    """
    for path in logs.glob(f"{WORKER_SERVICE_NAME}-*.ndjson"):
        events = [orjson.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        beats = [event for event in events if event["event"] == "process.sampled"]
        # Heartbeats, looks at the schedule, use of the cache and the like go on between passes.
        work = [event for event in events if event["event"] in _WORK]
        if beats and beats[-1]["uptime_s"] >= _WORKER_UPTIME_S:
            if not work:
                return True  # pages have synced everything before it was due
            silent_ns = time.time_ns() - parse_timestamp(work[-1]["timestamp"])
            return bool(work[-1]["event"] == "sync.run_finished" and silent_ns > 3_000_000_000)
    return False
