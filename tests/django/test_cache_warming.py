"""warm_caches: what is warmed, what is left alone, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from logging_pkg.context import current_correlation_id, current_span
from logging_pkg.exceptions import ConfigurationError
from logging_pkg.instrumentation.cache.watch import watch_caches
from logging_pkg.instrumentation.cache_warming import warmers as cache_warmers
from logging_pkg.instrumentation.cache_warming.quiet_cache import CacheLock, QuietCache
from logging_pkg.instrumentation.cache_warming.run import (
    LOCK_TIMEOUT_S,
    preview,
    warm_caches,
    warm_caches_in_background,
)
from logging_pkg.instrumentation.cache_warming.warmers import Warmer, WarmItem, register, registered, warmer
from logging_pkg.instrumentation.totals import Totals, current_totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event

FINISHED = "cache.warm_finished"
FILES = "django.core.cache.backends.filebased.FileBasedCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
MEMORY = "django.core.cache.backends.locmem.LocMemCache"


@pytest.fixture(autouse=True)
def _no_other_warmers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the application stay out of it."""
    monkeypatch.setattr(cache_warmers, "_warmers", {})


@pytest.fixture(autouse=True, params=[MEMORY, FILES], ids=["memory", "files"])
def cache(request: pytest.FixtureRequest, settings: Settings, tmp_path: Any) -> Iterator[Any]:
    """A cache of the test's own, in memory and in files."""
    location = str(tmp_path / "cache") if request.param == FILES else request.node.name
    settings.CACHES = {"default": {"BACKEND": request.param, "LOCATION": location, "TIMEOUT": 300}}
    watch_caches()
    yield caches["default"]
    caches["default"].clear()


Compute = Callable[[], Any]


def items(**values: Any) -> Callable[[], list[WarmItem]]:
    """Items of these keys and values; a callable is the item's compute."""

    def tell() -> list[WarmItem]:
        return [WarmItem(key, value if callable(value) else lambda value=value: value) for key, value in values.items()]

    return tell


def failing(error: Exception) -> Compute:
    def compute() -> Any:
        raise error

    return compute


def spending(units: int) -> Compute:
    """Uses API quota, as a call of the API does."""

    def compute() -> int:
        totals = current_totals()
        assert totals is not None
        totals.add_api_attempt(1_000, units)
        return units

    return compute


class TestRegistry:
    def test_the_decorator_registers_and_leaves_the_function_as_it_is(self):
        """It can be called as before; the warmer has the arguments."""

        @warmer("front-page", order=3, alias="pages", refresh_share=0.5)
        def front_page() -> list[WarmItem]:
            return []

        assert front_page() == []
        assert registered() == [Warmer("front-page", front_page, "pages", 3, 0.5)]

    def test_warmers_come_in_the_order_of_their_priority_then_name(self):
        """Whatever order they were registered or named in."""
        for name, order in (("c", 1), ("b", 2), ("a", 2)):
            register(Warmer(name, items(), order=order))

        assert [one.name for one in registered()] == ["c", "a", "b"]
        assert [one.name for one in registered(["b", "c", "b"])] == ["c", "b"]

    def test_two_warmers_of_one_name_are_an_error_that_names_both(self):
        """The same one twice, as by a module that is imported twice, is not."""
        one = register(Warmer("pages", items()))
        register(one)

        with pytest.raises(ConfigurationError, match=r"warmer pages: .*test_cache_warming\.items.* have the same name"):
            register(Warmer("pages", items()))

    def test_an_unknown_name_is_an_error_that_tells_the_known_ones(self):
        """With the nearest."""
        register(Warmer("pages", items()))

        with pytest.raises(ConfigurationError, match=r'"page" \(did you mean "pages"\?\); registered: pages'):
            registered(["page"])

    @pytest.mark.parametrize("wrong", [{"name": "Pages"}, {"refresh_share": 1}, {"timeout_jitter": -0.1}])
    def test_what_cannot_work_is_refused(self, wrong):
        """At registration, not at the first run."""
        with pytest.raises(ConfigurationError, match="expected"):
            Warmer(**{"name": "pages", "items": items(), **wrong})


class TestRun:
    def test_every_key_is_computed_and_stored_and_the_run_told(self, cache, log_events: LogEvents):
        """Falsy values and None are values like others."""
        register(Warmer("values", items(a=1, b=0, c="", d=None, e=[])))

        (report,) = warm_caches()

        missing = object()
        assert [cache.get(key, missing) for key in "abcde"] == [1, 0, "", None, []]
        assert (report.warmed, report.total, report.outcome) == (5, 5, "finished")
        event = assert_event(
            log_events,
            FINISHED,
            count=1,
            warmer="values",
            alias="default",
            trigger="code",
            outcome="finished",
            is_success=1,
            key_count=5,
            warmed_count=5,
            fresh_count=0,
            skipped_count=0,
            failed_count=0,
            error_type=None,
        )
        assert event["warm_run_id"] == event["span_id"] == report.run_id

    def test_a_second_run_leaves_fresh_keys_alone(self, cache, log_events: LogEvents):
        """None and falsy values too; only what is gone is computed again."""
        calls: list[str] = []
        register(
            Warmer(
                "values",
                lambda: [
                    WarmItem("none", lambda: calls.append("none")),
                    WarmItem("zero", lambda: calls.append("zero") or 0),
                ],
            )
        )
        warm_caches()
        warm_caches()
        assert calls == ["none", "zero"]

        cache.delete("zero")
        warm_caches()

        assert calls == ["none", "zero", "zero"]
        counts = [(event["warmed_count"], event["fresh_count"]) for event in log_events.named(FINISHED)]
        assert counts == [(2, 0), (0, 2), (1, 1)]

    def test_a_key_that_is_about_to_expire_is_computed_again(self, cache):
        """When less than `refresh_share` of its time is left; a key without an end never is."""
        calls: list[str] = []
        soon = WarmItem("soon", lambda: calls.append("soon"), timeout=3)
        never = WarmItem("never", lambda: calls.append("never"), timeout=None)
        register(Warmer("values", lambda: [soon, never], refresh_share=0.9, timeout_jitter=0))
        warm_caches()

        time.sleep(0.4)  # more than a tenth of 3 s
        warm_caches()

        assert calls == ["soon", "never", "soon"]

    def test_a_key_the_application_stored_itself_is_computed(self, cache):
        """Nobody knows how long it has left."""
        cache.set("a", "old")
        register(Warmer("values", items(a="new")))

        warm_caches()

        assert cache.get("a") == "new"

    def test_force_computes_fresh_keys(self, cache):
        """All of them."""
        calls: list[int] = []
        register(Warmer("values", items(a=lambda: calls.append(1))))
        warm_caches()
        warm_caches(force=True)
        assert len(calls) == 2

    def test_versions_of_a_key_are_different_keys(self, cache):
        """Each is stored under its own."""
        register(Warmer("values", lambda: [WarmItem("a", lambda: 1, version=1), WarmItem("a", lambda: 2, version=2)]))

        (report,) = warm_caches()

        assert report.warmed == 2
        assert (cache.get("a", version=1), cache.get("a", version=2)) == (1, 2)

    def test_one_failing_key_does_not_stop_the_others(self, cache, log_events: LogEvents):
        """It is counted, with the class of the first error; never its text."""
        register(Warmer("values", items(a=failing(KeyError("secret@example.com")), b=failing(OSError("x")), c=3)))

        (report,) = warm_caches()

        assert cache.get("c") == 3
        assert (report.failed, report.warmed) == (2, 1)
        event = assert_event(
            log_events, FINISHED, outcome="failed", is_success=0, failed_count=2, warmed_count=1, error_type="KeyError"
        )
        assert "secret" not in repr(event)

    def test_a_warmer_that_cannot_tell_its_keys_fails_alone(self, cache, log_events: LogEvents):
        """The next one runs."""

        def broken() -> Iterator[WarmItem]:
            yield WarmItem("a", lambda: 1)
            raise RuntimeError("no more")

        register(Warmer("broken", broken, order=1))
        register(Warmer("sound", items(b=2), order=2))

        reports = warm_caches()

        assert [report.outcome for report in reports] == ["failed", "finished"]
        assert_event(log_events, FINISHED, warmer="broken", error_type="RuntimeError", key_count=0)
        assert (cache.get("a"), cache.get("b")) == (None, 2)

    def test_a_value_that_cannot_be_stored_is_a_failure_of_its_key(self, cache):
        """As a lambda, which cannot be pickled."""
        register(Warmer("values", items(a=lambda: lambda: 1, b=2)))
        (report,) = warm_caches()
        assert (report.failed, report.warmed) == (1, 1)

    def test_a_timeout_that_stores_nothing_is_a_failure(self, cache):
        """Zero seconds are a mistake."""
        register(Warmer("values", lambda: [WarmItem("a", lambda: 1, timeout=0)]))
        (report,) = warm_caches()
        assert (report.failed, report.error_type) == (1, "ValueError")

    def test_timeouts_are_spread(self, cache, monkeypatch: pytest.MonkeyPatch):
        """Each is shortened by up to `timeout_jitter`; none is longer than asked for, or 0."""
        timeouts: list[float] = []
        plain = type(cache).set

        def recording(self, key, value, timeout=None, version=None):
            if key.startswith("page"):
                timeouts.append(timeout)
            return plain(self, key, value, timeout, version)

        monkeypatch.setattr(type(cache), "set", recording)
        pages = [WarmItem(f"page-{number}", lambda: 1, timeout=100) for number in range(50)]
        register(Warmer("pages", lambda: [*pages, WarmItem("page-short", lambda: 1, timeout=1)], timeout_jitter=0.2))

        warm_caches()

        assert timeouts[-1] == 1
        assert len(set(timeouts)) > 40
        assert all(80 <= timeout <= 100 for timeout in timeouts[:-1])


class TestUnitOfWork:
    @pytest.mark.django_db
    def test_queries_and_api_calls_of_the_warmer_are_the_runs(self, cache, log_events: LogEvents):
        """Those of the other warmer are not."""

        def query() -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                return cursor.fetchone()

        register(Warmer("database", items(a=query, b=query)))
        register(Warmer("google", items(c=spending(3))))

        warm_caches()

        assert_event(log_events, FINISHED, warmer="database", query_count=2, api_call_count=0, quota_units=0)
        assert_event(log_events, FINISHED, warmer="google", query_count=0, api_call_count=1, quota_units=3)

    def test_a_run_is_a_cause_of_its_own(self, cache, log_events: LogEvents):
        """All warmers of one call share a correlation, other than the caller's, whose totals they leave alone."""
        from logging_pkg.context import active, start_span

        seen: list[str] = []
        register(Warmer("a", items(x=lambda: seen.append(current_span().span_id))))
        register(Warmer("b", items(y=1)))
        totals = Totals()

        with active(start_span(totals=totals)):
            outer = current_correlation_id()
            warm_caches()

        first, second = log_events.named(FINISHED)
        assert first["correlation_id"] == second["correlation_id"] != outer
        assert seen == [first["span_id"]]
        assert totals.caches == {}

    def test_the_locks_and_notes_of_a_run_are_not_counted_as_use_of_the_cache(self, cache):
        """One set per key, and nothing else."""
        found: list[Any] = []
        register(Warmer("values", items(a=1, b=2, c=lambda: found.append(current_totals()))))

        warm_caches()
        warm_caches()

        used = found[0].caches["default"]
        assert (used.hits, used.misses, used.sets, used.deletes) == (0, 0, 3, 0)


class TestBudgets:
    def test_no_key_begins_after_the_time_budget(self, cache, log_events: LogEvents):
        """What was not warmed is skipped; a fresh key is still found fresh; the next warmer has no time either."""
        register(Warmer("first", items(a=lambda: time.sleep(0.2), b=2, c=3), order=1))
        register(Warmer("second", items(d=4), order=2))

        warm_caches(time_budget_s=0.1)

        assert_event(log_events, FINISHED, warmer="first", outcome="budget_exhausted", warmed_count=1, skipped_count=2)
        assert_event(log_events, FINISHED, warmer="second", outcome="budget_exhausted", is_success=1, skipped_count=1)
        (first, _second) = warm_caches(time_budget_s=0)
        assert (first.fresh, first.skipped) == (1, 2)

    def test_the_quota_budget_is_not_passed(self, cache, log_events: LogEvents):
        """An item whose use is not told is taken to use what the most expensive one did."""
        register(Warmer("google", items(a=spending(4), b=spending(1), c=spending(1)), order=1))
        register(Warmer("more", items(d=spending(1)), order=2))

        warm_caches(quota_budget=7)

        assert_event(log_events, FINISHED, warmer="google", quota_units=4, warmed_count=1, skipped_count=2)
        assert_event(log_events, FINISHED, warmer="more", quota_units=1, outcome="finished")

    def test_an_item_that_tells_its_quota_is_held_to_it(self, cache):
        """One that costs nothing is warmed even when the budget is used up."""
        told = [
            WarmItem("a", spending(4), quota_units=4),
            WarmItem("b", spending(4), quota_units=4),
            WarmItem("c", lambda: 1, quota_units=0),
        ]
        register(Warmer("google", lambda: told))

        (report,) = warm_caches(quota_budget=4)

        assert (report.warmed, report.skipped, report.outcome) == (2, 1, "budget_exhausted")
        assert cache.get("c") == 1


class TestLock:
    def test_a_warmer_that_is_running_is_not_run_twice(self, cache, log_events: LogEvents):
        """Even when asked for from within; the lock is free afterwards."""
        inner: list[str] = []
        register(Warmer("values", items(a=lambda: inner.append(warm_caches()[0].outcome))))

        (report,) = warm_caches()

        assert (inner, report.outcome) == (["locked"], "finished")
        assert_event(log_events, FINISHED, outcome="locked", is_success=1, key_count=0)
        assert warm_caches()[0].outcome == "finished"

    def test_the_lock_is_free_after_a_failure_and_a_stop(self, cache):
        """KeyboardInterrupt goes on to the caller."""

        def stopped() -> Any:
            raise KeyboardInterrupt

        register(Warmer("values", items(a=stopped)))
        with pytest.raises(KeyboardInterrupt):
            warm_caches()
        assert CacheLock(QuietCache("default"), "logging_pkg.warming.values", 1).acquire()

    def test_a_dead_holders_lock_runs_out(self, cache):
        """And only its holder can open it before."""
        first = CacheLock(QuietCache("default"), "lock", 1)
        second = CacheLock(QuietCache("default"), "lock", 1)
        assert first.acquire()
        assert not second.acquire()
        second.release()
        assert not second.acquire()

        time.sleep(1.1)

        assert second.acquire()
        first.release()
        assert not CacheLock(QuietCache("default"), "lock", 1).acquire()

    def test_a_holder_keeps_its_lock_by_renewing_it(self, cache):
        """Past its time-out; once it is another's, it cannot."""
        first = CacheLock(QuietCache("default"), "lock", 1)
        assert first.acquire()
        for _ in range(4):
            time.sleep(0.4)
            assert first.renew()
        time.sleep(1.1)
        assert not first.renew()

    def test_a_run_that_lost_its_lock_stops(self, cache, monkeypatch: pytest.MonkeyPatch, log_events: LogEvents):
        """The other keys are another run's."""
        monkeypatch.setattr("logging_pkg.instrumentation.cache_warming.run.LOCK_TIMEOUT_S", 1)
        register(Warmer("values", items(a=lambda: time.sleep(1.2), b=2)))

        (report,) = warm_caches()

        assert LOCK_TIMEOUT_S > 1
        assert (report.outcome, report.warmed, report.skipped) == ("lock_lost", 1, 1)

    def test_a_run_that_lost_its_lock_leaves_the_next_ones_notes_alone(self, cache, monkeypatch: pytest.MonkeyPatch):
        """What the next run has warmed meanwhile is still known to be fresh."""
        monkeypatch.setattr("logging_pkg.instrumentation.cache_warming.run.LOCK_TIMEOUT_S", 1)
        calls: list[int] = []

        def slow() -> int:
            calls.append(1)
            if len(calls) == 1:
                time.sleep(1.2)
                warm_caches(["values"])
            return 1

        register(Warmer("values", items(a=slow, b=2)))
        warm_caches(["values"])

        assert [report.fresh for report in warm_caches(["values"])] == [2]
        assert len(calls) == 2


class TestCommand:
    def test_it_says_what_became_of_each_warmers_keys(self, cache, capsys, log_events: LogEvents, request):
        """A cache in local memory is not warmed from another process, which is said and no error."""
        register(Warmer("values", items(a=1)))

        call_command("warm_caches")

        said = capsys.readouterr()
        if "memory" in request.node.name:
            assert 'values: not warmed. The cache "default" is a LocMemCache, which no other process sees' in said.err
            assert cache.get("a") is None
            assert_no_event(log_events, FINISHED)
        else:
            assert said.out == "values (default): finished; 1 warmed, 0 fresh, 0 skipped, 0 failed\n"
            assert cache.get("a") == 1
            assert_event(log_events, FINISHED, trigger="command")

    def test_local_memory_is_warmed_by_its_own_process(self, cache):
        """In a thread, at the start of a server."""
        register(Warmer("values", items(a=1)))
        warm_caches_in_background(force=True).join(10)
        assert cache.get("a") == 1


@pytest.mark.parametrize("cache", [FILES], indirect=True, ids=["files"])
class TestCommandWithASharedCache:
    def test_a_dry_run_computes_nothing_and_tells_what_it_would(self, cache, capsys, log_events: LogEvents):
        """No lock, no event."""
        register(Warmer("values", items(a=1, b=2)))
        warm_caches()
        cache.delete("b")
        log_events.clear()

        call_command("warm_caches", dry_run=True)

        assert capsys.readouterr().out == "values (default): 1 to warm, 1 fresh\n"
        assert cache.get("b") is None
        assert log_events == []
        assert [report.skipped for report in preview(force=True)] == [2]

    def test_a_failure_is_an_exit_status_after_all_warmers_ran(self, cache, capsys):
        """With the class of the error."""
        register(Warmer("bad", items(a=failing(KeyError("x"))), order=1))
        register(Warmer("good", items(b=2), order=2))

        with pytest.raises(CommandError, match="1 of 2 warmers failed: bad"):
            call_command("warm_caches")

        said = capsys.readouterr().out
        assert "bad (default): failed; 0 warmed, 0 fresh, 0 skipped, 1 failed (KeyError)\n" in said
        assert cache.get("b") == 2

    def test_names_and_budgets_are_passed_on(self, cache, capsys):
        """Only the warmers named."""
        register(Warmer("one", items(a=1)))
        register(Warmer("two", items(b=spending(1), c=spending(1))))

        call_command("warm_caches", "two", "--quota-budget", "1", "--time-budget", "60", "--jitter", "0.01")

        said = capsys.readouterr().out
        assert said == "two (default): budget exhausted; 1 warmed, 0 fresh, 1 skipped, 0 failed\n"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nothing"], 'no warmer is called "nothing"'),
            (["--time-budget", "soon"], "--time-budget: 'soon', expected seconds from 0"),
            (["--quota-budget=-1"], "--quota-budget: '-1', expected a whole number from 0"),
            (["--jitter=inf"], "--jitter: 'inf', expected seconds from 0"),
        ],
    )
    def test_a_wrong_argument_is_named(self, cache, arguments, message):
        """Before anything is warmed."""
        with pytest.raises(CommandError) as caught:
            call_command("warm_caches", *arguments)
        assert message in str(caught.value)

    @pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
    def test_a_cache_that_is_not_in_caches_is_named(self, cache, arguments):
        """With those that are."""
        register(Warmer("pages", items(a=1), alias="nowhere"))
        with pytest.raises(CommandError, match='warmer pages: CACHES has no "nowhere"; it has default'):
            call_command("warm_caches", *arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [([], "1 of 1 warmers failed: pages"), (["--dry-run"], 'the cache "default" failed: ConnectionError')],
    )
    def test_a_cache_that_is_away_is_an_error_in_a_line(
        self, cache, settings: Settings, arguments, message, log_events
    ):
        """The event has the class of the cache's own exception."""
        register(Warmer("pages", items(a=1)))
        settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "unix:///nowhere/redis.sock"}}
        with pytest.raises(CommandError, match=message):
            call_command("warm_caches", *arguments)
        settings.CACHES = {"default": {"BACKEND": MEMORY}}
        if not arguments:
            assert_event(log_events, FINISHED, outcome="failed", error_type="redis.exceptions.ConnectionError")

    def test_without_a_warmer_it_says_so(self, cache, capsys, monkeypatch):
        """And succeeds: a deployment script need not know."""
        call_command("warm_caches")
        assert "There is no warmer" in capsys.readouterr().err
