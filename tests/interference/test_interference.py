"""A project serves exactly the same with the instrumentation and without: nothing it can notice is different."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.interference.scenarios import SCENARIOS
from tests.interference.site import RESULT
from tests.throwaway_servers import postgresql_server, redis_servers

ROOT = Path(__file__).parents[2]

#: Where one middleware more is something Django itself tells of: compared with a run that has one that does nothing.
ONE_MORE_MIDDLEWARE = {
    "handler500 that fails": "Django puts an exception through handler500 once per middleware it passes",
    "exceptions propagated": "with DEBUG_PROPAGATE_EXCEPTIONS got_request_exception is sent once per middleware",
}

#: What each interfering middleware is found by.
INTERFERENCES = {
    "AddsHeader": "sync view",
    "AddsCookie": "async stream",
    "AddsQuery": "database: writes",
    "TouchesUser": "signed in, user untouched",
    "ReadsBody": "body read in part",
    "ConsumesStream": "stream",
    "ChangesException": "view raises",
    "ChangesCache": "cache: default",
}

DATABASE_SCENARIOS = tuple(
    name for name in SCENARIOS if name.startswith(("database", "atomic requests", "signed in", "rest"))
)


def serve(
    variant: str, *names: str, interfering: str = "", databases: Mapping[str, Any] | None = None, redis: str
) -> dict[str, Any]:
    """What a process of its own saw while it served these scenarios, or all."""
    with tempfile.TemporaryDirectory(prefix="interference-") as scratch:
        # Strings hash alike in every process: Django REST framework orders `Allow` by a set.
        environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("LOGPIPE_", "DJANGO_", "PYTHON"))
        }
        environ |= {"PYTHONHASHSEED": "0", "INTERFERENCE_REDIS": redis}
        if databases is not None:
            environ["INTERFERENCE_DATABASES"] = json.dumps(databases)
        command = [sys.executable, "-m", "tests.interference.site", variant, scratch, *names]
        if interfering:
            command.append(f"--interfering={interfering}")
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=240, check=False)
        result = Path(scratch) / RESULT
        assert result.exists(), f"{variant}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
        seen: dict[str, Any] = json.loads(result.read_text("utf-8"))
        return seen


def differences(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    """What is not the same in a scenario, through WSGI and ASGI, as a diff; empty where all is."""
    lines: list[str] = []
    for key in (f"{interface}: {name}" for interface in SCENARIOS[name].interfaces):
        pair = (run["seen"][key].splitlines() for run in (before, after))
        lines += difflib.unified_diff(*pair, f"{key}, without", f"{key}, with", n=8, lineterm="")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def redis() -> Iterator[tuple[str, str]]:
    """Two real Redis servers, so that two runs at once do not meet."""
    with redis_servers("first", "second") as addresses:
        yield addresses["first"], addresses["second"]


@pytest.fixture(scope="module")
def runs(redis: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Every scenario in every variant; two processes at a time."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        waiting = {
            "without": first.submit(serve, "without", redis=redis[0]),
            "with": second.submit(serve, "with", redis=redis[1]),
            "strict": first.submit(serve, "strict", redis=redis[0]),
            "off": second.submit(serve, "off", redis=redis[1]),
            "one middleware more": first.submit(
                serve, "without", *ONE_MORE_MIDDLEWARE, interfering="project.DoesNothing", redis=redis[0]
            ),
        }
        return {name: run.result() for name, run in waiting.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_all_that_can_be_noticed_is_the_same(runs: dict[str, dict[str, Any]], name: str) -> None:
    """Status, headers, cookies, body, statements, cache results, exceptions, warnings, log records, signals: in order."""
    before = runs["one middleware more" if name in ONE_MORE_MIDDLEWARE else "without"]

    assert differences(before, runs["with"], name) == ""


@pytest.mark.parametrize("variant", ["strict", "off"])
def test_strict_mode_and_off_are_the_same_too(runs: dict[str, dict[str, Any]], variant: str) -> None:
    """Faults of its own raised, as in development, or everything switched off by METRICS_ENABLED: no scenario differs."""
    found = {
        name: differences(
            runs["one middleware more" if name in ONE_MORE_MIDDLEWARE else "without"], runs[variant], name
        )
        for name in SCENARIOS
        if variant != "off" or name not in ONE_MORE_MIDDLEWARE
    }

    assert {name: diff for name, diff in found.items() if diff} == {}


@pytest.mark.parametrize("variant", ["with", "strict"])
def test_the_run_with_was_observed(runs: dict[str, dict[str, Any]], variant: str) -> None:
    """One canonical event per request, every event valid, no fault of the instrumentation's own."""
    run = runs[variant]

    expected = {
        f"{interface}: {name}": scenario.observed_calls
        for name, scenario in SCENARIOS.items()
        for interface in scenario.interfaces
    }
    assert {key: events.get("http.request_finished", 0) for key, events in run["events"].items()} == expected
    assert run["problems"] == []
    assert run["faults"] == 0


@pytest.mark.parametrize("variant", ["without", "off"])
def test_nothing_is_emitted_without(runs: dict[str, dict[str, Any]], variant: str) -> None:
    """The runs it is compared with emit no event at all."""
    assert not any(runs[variant]["events"].values())


@pytest.mark.parametrize(("name", "scenario"), INTERFERENCES.items())
def test_interference_is_found(
    runs: dict[str, dict[str, Any]], redis: tuple[str, str], name: str, scenario: str
) -> None:
    """The suite can fail: a middleware that does what ours must not do makes its scenario differ."""
    interfered = serve("with", scenario, interfering=f"middleware.{name}", redis=redis[0])

    assert differences(runs["without"], interfered, scenario) != ""


def test_all_is_the_same_on_postgresql(redis: tuple[str, str]) -> None:
    """Statements, transactions, savepoints, hooks and exceptions of a real PostgreSQL."""
    with postgresql_server() as server, ThreadPoolExecutor(2) as pool:
        databases = {
            variant: {alias: server.new_database(f"{variant}_{alias}") for alias in ("default", "other")}
            for variant in ("without", "with")
        }
        before, after = pool.map(
            lambda variant, address: serve(variant, *DATABASE_SCENARIOS, databases=databases[variant], redis=address),
            databases,
            redis,
        )

    found = {name: differences(before, after, name) for name in DATABASE_SCENARIOS}
    assert {name: diff for name, diff in found.items() if diff} == {}
    assert after["problems"] == []
    assert after["faults"] == 0
