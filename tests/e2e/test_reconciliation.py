"""Ledger against log: what Google has seen and what the events tell are the same, request by request.

In: sync workers and a writer under faults of every kind. Out: assertions after joining both on the attempt's ID.
Never: a number that both sides got from the same place; the ledger is kept by the server's process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.lookup import events_of, measure_completeness
from logging_pkg.schemas.conventions import parse_timestamp
from tests.e2e.fleet import LOCAL_CALENDARS, PROJECT, Fleet, server_calendars
from tests.writer.support import read_events

CALLS = 5_000
WORKERS = 4
MINUTE_NS = 60_000_000_000
FAULTS = {
    "serverError": 0.02,
    "tooManyRequests": 0.01,
    "userRateLimitExceeded": 0.01,
    "rateLimitExceeded": 0.01,
    "drop": 0.01,
    "drop_after": 0.01,
    "stale": 0.02,
    "fullSyncRequired": 0.002,
}
#: Inserts, changes and deletes events through the application's client, in batches too, whatever the server answers.
WRITER = """
import json, sys
from calendar_sync.google import AccountCredentials, GoogleCalendarClient, GoogleError
from calendar_sync.models import GoogleAccount
from logging_pkg import new_correlation
day = {"start": {"date": "2026-03-01"}, "end": {"date": "2026-03-02"}}
account = GoogleAccount.objects.order_by("pk").first()
calendar = sys.argv[1]
with GoogleCalendarClient(account.google_id, AccountCredentials(account)) as client:
    for number in range(int(sys.argv[2])):
        with new_correlation():
            event = client.insert_event(calendar, {"summary": f"written {number}", **day})
            if number % 3 == 1:
                client.patch_event(calendar, event["id"], {"summary": f"changed {number}"})
            if number % 3 == 2:
                client.delete_event(calendar, event["id"])
"""
WRITTEN = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, loki_server: Any) -> Iterator[Run]:
    """Five thousand calls and more by four workers under faults, then peace, one last sync, and all of it shipped."""
    directory = tmp_path_factory.mktemp("reconciliation")
    quiet = "--user-quota 0 --project-quota 0"
    with Fleet(
        directory, quiet, GOOGLE_PAGE_SIZE="10", GOOGLE_QUOTA_PER_MINUTE="0", GOOGLE_QUOTA_PER_USER_MINUTE="0"
    ) as fleet:
        started_ns = time.time_ns()
        fleet.manage("migrate", "--verbosity", "0")
        fleet.manage("seed_demo")
        calendars = list(server_calendars(fleet.control))
        fleet.control.set_fault_rates(FAULTS, seed=1)
        for _ in range(WORKERS):
            fleet.start_worker(0.2)
        fleet.run_python(WRITER, calendars[0], str(WRITTEN))
        deadline = time.monotonic() + 240
        while fleet.control.state()["ledger"]["requests"] < CALLS:
            assert time.monotonic() < deadline, fleet.control.state()["ledger"]
            # So that there is always something to fetch in full.
            fleet.control.expire_sync_tokens()
            for calendar in calendars:
                fleet.control.mutate(calendar, add=1, change=1, delete=1)
            time.sleep(1)
        fleet.stop_workers()
        fleet.control.clear_faults()
        fleet.manage("sync_calendars", "--all")
        ship = [sys.executable, "-m", "logging_pkg.cli", "ship", "--drain", "--timeout", "120"]
        environ = fleet.environ | {"LOGPIPE_LOKI_URL": loki_server.loki_url}
        subprocess.run(ship, env=environ, check=True, capture_output=True, timeout=180)
        yield Run(fleet, loki_server.loki_url, started_ns, time.time_ns())


class Run:
    """What both sides have to say about one run."""

    def __init__(self, fleet: Fleet, loki_url: str, started_ns: int, ended_ns: int) -> None:
        self.fleet, self.loki_url = fleet, loki_url
        self.started_ns, self.ended_ns = started_ns, ended_ns
        self.ledger = fleet.control.ledger()
        self.events = [event for event in read_events(fleet.logs) if event["event"] == "google_api.call_finished"]
        self.by_attempt = {event["span_id"]: event for event in self.events}
        self.seen = {entry["attempt_id"] for entry in self.ledger}

    def accounts(self) -> dict[str, str]:
        """Account ID by the hash that events have."""
        program = "import json\nfrom calendar_sync.models import GoogleAccount\n"
        program += "from logging_pkg.instrumentation.identity import account_hash_of\n"
        program += "print(json.dumps({account_hash_of(a.google_id): a.google_id for a in GoogleAccount.objects.all()}))"
        found: dict[str, str] = json.loads(self.fleet.run_python(program))
        return found


def test_the_run_is_what_it_says(run: Run) -> None:
    """Thousands of calls, faults of each kind met, nothing lost on the way to Loki."""
    assert len(run.ledger) >= CALLS
    statuses = Counter(entry["status"] for entry in run.ledger)
    assert min(statuses[status] for status in (200, 403, 410, 429, 503, None)) > 0, statuses
    with LokiClient(run.loki_url) as loki:
        stored = measure_completeness(loki, run.fleet.logs, run.started_ns, time.time_ns())
    assert (stored.lost, stored.repeated, stored.stored) == (0, 0, stored.written)


def test_every_request_the_server_saw_is_one_event(run: Run) -> None:
    """Joined on the attempt's ID: operation, status and reason agree, and no two requests share an attempt."""
    assert len(run.seen) == len(run.ledger)
    assert None not in run.seen
    assert len(run.by_attempt) == len(run.events)
    wrong = [
        (entry, run.by_attempt.get(entry["attempt_id"]))
        for entry in run.ledger
        if _told(run.by_attempt.get(entry["attempt_id"])) != (entry["operation"], entry["status"], entry["reason"])
    ]
    assert wrong == []


def _told(event: dict[str, Any] | None) -> tuple[str, int | None, str | None] | None:
    return None if event is None else (event["operation"], event["status_code"], event["reason"])


def test_attempts_that_never_reached_the_server_are_told_apart(run: Run) -> None:
    """An event without a request at the server is none that was answered; one that says `unsent` was not seen there."""
    unseen = [event for event in run.events if event["span_id"] not in run.seen]
    assert {event["outcome"] for event in unseen} <= {"unsent", "unknown"}
    assert [event for event in run.events if event["outcome"] == "unsent" and event["span_id"] in run.seen] == []
    stale = [event for event in run.events if event["outcome"] == "unsent"]
    assert stale, "the stale connections were not met"
    assert sum(event["quota_units"] for event in stale) == 0


def test_quota_by_logql_is_the_ledgers_per_minute_and_user(run: Run) -> None:
    """For each whole minute of the log and each account: LogQL's sum, less what never arrived, is the joined ledger's."""
    accounts = run.accounts()
    expected: Counter[tuple[int, str]] = Counter()
    for entry in run.ledger:
        event = run.by_attempt[entry["attempt_id"]]
        expected[_minute(event), event["account_hash"] or ""] += entry["quota_units"]
    never_arrived: Counter[tuple[int, str]] = Counter()
    for event in run.events:
        if event["span_id"] not in run.seen:
            never_arrived[_minute(event), event["account_hash"] or ""] += event["quota_units"]
    # `unknown` is an upper bound: few, and only where the server closed while the request was on its way.
    assert sum(never_arrived.values()) <= len(run.events) / 1000
    measured: Counter[tuple[int, str]] = Counter()
    query = (
        'sum by (account_hash) (sum_over_time({service_name="sync-fleet", event="google_api.call_finished"}'
        ' | json account_hash="account_hash", project="project", quota_units="quota_units"'
        f' | project="{PROJECT}" | unwrap quota_units | __error__="" [1m]))'
    )
    minutes = range(run.started_ns // MINUTE_NS, run.ended_ns // MINUTE_NS + 1)
    with LokiClient(run.loki_url) as loki:
        for minute in minutes:
            # A range ends with its moment, which belongs to it.
            for sample in loki.query(query, (minute + 1) * MINUTE_NS - 1).samples:
                measured[minute, sample.labels.get("account_hash", "")] += int(sample.value)
    measured.subtract(never_arrived)
    assert {key: units for key, units in measured.items() if units} == {
        k: units for k, units in expected.items() if units
    }
    assert {account for _, account in expected} - {""} == set(accounts)


def _minute(event: dict[str, Any]) -> int:
    return parse_timestamp(event["timestamp"]) // MINUTE_NS


def test_the_copy_equals_the_server(run: Run) -> None:
    """After all the faults: every calendar, event by event, and none twice."""
    assert json.loads(run.fleet.run_python(LOCAL_CALENDARS)) == server_calendars(run.fleet.control)


def test_what_was_written_is_there_once(run: Run) -> None:
    """An insert whose answer was lost is repeated under the same ID: nothing is inserted twice."""
    calendar = next(iter(server_calendars(run.fleet.control)))
    summaries = Counter(
        item["summary"]
        for item in run.fleet.control.events(calendar)
        if item["summary"].startswith(("written", "changed"))
    )
    inserted = [entry for entry in run.ledger if entry["operation"] == "events.insert" and entry["status"] == 200]
    assert set(summaries.values()) == {1}
    assert len(summaries) <= WRITTEN - WRITTEN // 3
    assert len(inserted) <= WRITTEN


def test_one_look_up_of_any_attempt_brings_the_whole_story(run: Run) -> None:
    """By its api_call_id alone: the sync that made the call, every attempt of it, and the findings on the way."""
    retried = next(event for event in run.events if event["attempt"] > 1 and event.get("sync_id"))
    same_cause = [event for event in run.events if event["correlation_id"] == retried["correlation_id"]]
    with LokiClient(run.loki_url) as loki:
        story = events_of(loki, retried["api_call_id"])
    assert {event["correlation_id"] for event in story} == {retried["correlation_id"]}
    told = {event["span_id"] for event in story if event["event"] == "google_api.call_finished"}
    assert told == {event["span_id"] for event in same_cause}
    assert retried["sync_id"] in {event["span_id"] for event in story if event["event"] == "sync.run_finished"}
    command = [sys.executable, "-m", "logging_pkg.cli", "trace", retried["api_call_id"], "--loki-url", run.loki_url]
    wide = {**os.environ, "COLUMNS": "200"}  # the table would be folded where nobody tells how wide it may be
    shown = subprocess.run(command, env=wide, capture_output=True, text=True, timeout=60, check=True).stdout
    assert shown.count(f"google {retried['operation']}") >= 2
    assert "attempt 2" in shown
