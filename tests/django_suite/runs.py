"""Run a label of Django's tests once without and once with the instrumentation, and compare test by test.

In: a label, the folder of Django's tests. Out: both outcomes of every test, the events emitted meanwhile.
Never: a test left out, repeated until it passes, or excused without a reason of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from logging_pkg.schemas import load_registry
from tests.everything_on import EVERYTHING_ON

ROOT = Path(__file__).parents[2]
#: A label that takes longer hangs.
TIMEOUT_S = 1200

SQLITE = {alias: {"ENGINE": "django.db.backends.sqlite3"} for alias in ("default", "other")}

#: Labels with tests that list all headers of a response: there X-Correlation-ID is switched off, by its own setting.
LISTS_ALL_HEADERS = frozenset({"asgi", "project_template", "wsgi"})

#: Tests that pass without and cannot pass with, each with its reason. One that passes all the same is an error here.
EXPLAINED = {
    "backends.base.test_base.ExecuteWrapperTests.test_wrapper_connection_specific": (
        "compares the whole list connection.execute_wrappers, Django's hook for instrumentation, with its own entry"
    ),
    **dict.fromkeys(
        (
            "admin_checks.tests.SystemChecksTestCase.test_checks_are_performed",
            "admin_checks.tests.SystemChecksTestCase.test_custom_adminsite",
        ),
        "lists the messages of all system checks; ours rightly finds no middleware, which is put in behind MIDDLEWARE here",
    ),
}


@dataclass(frozen=True)
class Run:
    """One run of one label.

    Attributes:
        outcomes: `passed`, `failed`, `skipped`, `expected failure` or `unexpected success`, by the test's ID.
        reasons: traceback of those that failed.
        events: how many of each event were written.
        problems: what is wrong with the events themselves; empty means every line matched its schema.
    """

    outcomes: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    problems: tuple[str, ...] = ()

    def count(self, outcome: str) -> int:
        """Tests with this outcome."""
        return sum(found == outcome for found in self.outcomes.values())


@dataclass(frozen=True)
class Comparison:
    """One label, without and with."""

    label: str
    without: Run
    instrumented: Run

    @cached_property
    def different(self) -> dict[str, tuple[str, str]]:
        """Outcome without and with, by test, where they are not the same; `not run` where a test is missing."""
        before, after = self.without.outcomes, self.instrumented.outcomes
        pairs = {test: (before.get(test, "not run"), after.get(test, "not run")) for test in {**before, **after}}
        return {test: pair for test, pair in sorted(pairs.items()) if pair[0] != pair[1]}

    @cached_property
    def problems(self) -> list[str]:
        """Why this is no success; empty when it is one."""
        unfinished = [*self.without.problems, *self.instrumented.problems]
        if unfinished and not (self.without.outcomes and self.instrumented.outcomes):
            return [f"{self.label}: {problem}" for problem in unfinished]
        found = [
            f"{test}: {before} without, {after} with\n{self.instrumented.reasons.get(test, '')}".rstrip()
            for test, (before, after) in self.different.items()
            if test not in EXPLAINED
        ]
        found += [
            f"{test} is the same without and with; take it out of EXPLAINED"
            for test in EXPLAINED
            if test in self.instrumented.outcomes and test not in self.different
        ]
        if not self.without.outcomes:
            found.append("no test ran")
        if self.without.events:
            found.append(f"the run without emitted {self.without.events.total()} events, expected none")
        if not self.instrumented.events["http.request_finished"]:
            found.append("the run with emitted no http.request_finished: it was not instrumented to its end")
        return [f"{self.label}: {problem}" for problem in [*found, *self.instrumented.problems]]


def compare(
    label: str,
    tests: Path,
    *,
    strict: bool = False,
    databases: Mapping[str, Any] = SQLITE,
    redis: Mapping[str, str] | None = None,
    runner: str = "ObservedRunner",
) -> Comparison:
    """Run a label both ways, side by side.

    Args:
        label: what `runtests.py` takes: a folder of Django's tests, or a dotted name within one.
        tests: the folder with `runtests.py`.
        strict: let the instrumentation raise its own faults; else it counts them, as in production.
        databases: Django's DATABASES, one server or file per run.
        redis: addresses of two Redis servers, `without` and `with`.
        runner: which runner of `runners.py` is the one `with`.
    """
    redis = redis or {}
    with ThreadPoolExecutor(2) as pool:
        without = pool.submit(_run, label, tests, "PlainRunner", strict, databases, redis.get("without"), "plain")
        instrumented = pool.submit(_run, label, tests, runner, strict, databases, redis.get("with"), "observed")
        return Comparison(label, without.result(), instrumented.result())


def _run(
    label: str, tests: Path, runner: str, strict: bool, databases: Mapping[str, Any], redis: str | None, name: str
) -> Run:
    with tempfile.TemporaryDirectory(prefix="django-suite-") as directory:
        scratch = Path(directory)
        settings = {**EVERYTHING_ON, "DIRECTORY": str(scratch / "logs"), "STRICT": strict}
        if label.partition(".")[0] in LISTS_ALL_HEADERS:
            settings["CORRELATION_HEADER"] = ""
        named = {
            alias: {**database, "TEST": {"NAME": f"{name}_{alias}"}} if "NAME" in database else database
            for alias, database in databases.items()
        }
        environ = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
        environ |= {
            "PYTHONPATH": str(ROOT),
            "DJANGO_SUITE_RUNNER": f"{__package__}.runners.{runner}",
            "DJANGO_SUITE_OUTCOMES": str(scratch / "outcomes.json"),
            "DJANGO_SUITE_DATABASES": json.dumps(named),
            "DJANGO_SUITE_LOGPIPE": json.dumps(settings),
        }
        if redis is not None:
            environ["DJANGO_SUITE_REDIS"] = redis
        command = [
            sys.executable,
            "runtests.py",
            f"--settings={__package__}.settings",
            "--parallel=1",
            "--noinput",
            label,
        ]
        # Output into a file, not a pipe: a process that a test leaves behind would keep the pipe open.
        with (scratch / "output").open("w+") as output:
            subprocess.run(
                command,
                cwd=tests,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
            output.seek(0)
            said = output.read()
        if not (scratch / "outcomes.json").exists():
            return Run({}, problems=(f"runtests.py did not get to its end ({name}):\n{said[-3000:]}",))
        recorded = json.loads((scratch / "outcomes.json").read_text("utf-8"))
        events, problems = _events_in(scratch / "logs")
        if recorded["own_faults"]:
            problems = (*problems, f"the instrumentation swallowed {recorded['own_faults']} faults of its own")
        return Run(recorded["outcomes"], recorded["reasons"], events, problems)


#: Of this process: pytest's, the application's and the library's own settings are no business of Django's tests.
_NOT_INHERITED = ("LOGPIPE_", "PYTEST_", "DJANGO_", "COV_", "PYTHON", "DATABASE_URL", "DEBUG")


def _events_in(directory: Path) -> tuple[Counter[str], tuple[str, ...]]:
    """How many of each event, and the first few that do not match their schema."""
    registry = load_registry()
    events: Counter[str] = Counter()
    problems = []
    for path in sorted(directory.glob("*")):
        for line in path.read_bytes().splitlines():
            event = orjson.loads(line)
            events[event["event"]] += 1
            problems += [f"{event['event']}: {problem}" for problem in registry.problems(event)]
    if events["logging.event_rejected"]:
        problems.append(f"{events['logging.event_rejected']} events were rejected")
    return events, tuple(problems[:5])
