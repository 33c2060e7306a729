"""`logpipe rules test`: tests of alert and recording rules, run on a real throwaway Loki and by promtool.

In: test files. Out: what failed and why; exit codes: 0 all passed, 1 something failed, 2 wrong usage or a broken file,
3 no Loki or promtool to be had. Never: a change to a Loki that runs already, or to a file.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.output import say, say_json
from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.exceptions import LogpipeError, LokiError, RuleError, StackError
from logging_pkg.pipeline.rules_test.explain import explain, matched_lines, reasons
from logging_pkg.pipeline.rules_test.model import Rule, RuleTest
from logging_pkg.pipeline.rules_test.mutate import Mutant, Verdict, judge, mutants_of, table
from logging_pkg.pipeline.rules_test.parse import find_test_files, read_tests
from logging_pkg.pipeline.rules_test.promtool import (
    PromtoolOutcome,
    PromtoolTest,
    is_promtool_file,
    read_promtool_tests,
    run_promtool,
)
from logging_pkg.pipeline.rules_test.promtool_mutate import judge_promtool
from logging_pkg.pipeline.rules_test.report import (
    Failure,
    Versions,
    document,
    failure_text,
    promtool_failure_text,
    summary,
)
from logging_pkg.pipeline.rules_test.run import Outcome, run_tests
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki
from logging_pkg.schemas import Registry
from logging_pkg.stack.binaries import find_binary
from logging_pkg.stack.terminal import BuildDisplay

app = typer.Typer(no_args_is_help=True, help="Test alert and recording rules.")

DEFAULT_TESTS = (Path("loki/tests"), Path("loki/prometheus_tests"))

FAILED, WRONG_INPUT, NO_LOKI = 1, 2, 3


@app.callback()
def rules() -> None:
    """Test alert and recording rules."""


@app.command("test")
def run_rule_tests(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help=f"Test files, or directories of *_test.yaml; default {' and '.join(map(str, DEFAULT_TESTS))}."
        ),
    ] = None,
    run: Annotated[str, typer.Option("--run", metavar="REGEX", help="Only tests whose name matches.")] = "",
    explain_name: Annotated[
        str,
        typer.Option("--explain", metavar="NAME", help="Show values and lines behind tests or rules of this name."),
    ] = "",
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Also change each limit of the alerts a little: does a test notice?")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the results as JSON.")] = False,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Tests side by side.")] = 2 * (os.cpu_count() or 2),
    config: Annotated[
        Path | None, typer.Option("--config", help="Directory of the loki.yaml whose limits hold.")
    ] = None,
    schemas: Directories = None,
) -> None:
    """Store the log lines of each test in a throwaway Loki and compare what the rules make of them.

    Files in a folder named prometheus_tests are promtool's, and run by it.
    """
    try:
        if as_json and explain_name:
            raise LogpipeError("--json and --explain: expected one of them; an explanation is for people")
        registry = registry_of(schemas)
        paths = find_test_files(
            files or [path for path in DEFAULT_TESTS if any(path.rglob("*_test.y*ml"))] or DEFAULT_TESTS[:1]
        )
        tests = _chosen(
            [test for path in paths if not is_promtool_file(path) for test in read_tests(path, registry)],
            [test for path in paths if is_promtool_file(path) for test in read_promtool_tests(path)],
            run,
            explain_name,
        )
    except LogpipeError as error:
        _stop(error, WRONG_INPUT)
    start = time.monotonic()
    try:
        with BuildDisplay() as display, ExitStack() as servers:
            outcomes: list[Outcome] = []
            failures: list[Failure] = []
            verdicts: list[Verdict] = []
            of_promtool: list[PromtoolOutcome] = []
            promtool = find_binary("promtool", on_progress=display) if tests.promtool else None
            if promtool is not None:
                of_promtool = run_promtool(promtool.path, tests.promtool, jobs)
            loki = servers.enter_context(ThrowawayLoki(registry, config, display)) if tests.loki else None
            if loki is not None:
                outcomes, stored = run_tests(loki, tests.loki, jobs)
                failures = [_failure(loki, outcome) for outcome in outcomes if not outcome.passed]
            seconds = time.monotonic() - start
            if loki is not None and explain_name:
                _explain(loki, outcomes, explain_name)
            has_failed = bool(failures) or not all(outcome.passed for outcome in of_promtool)
            if mutate and not has_failed:
                verdicts += _mutate(loki, stored, registry, jobs) if loki is not None else []
                verdicts += judge_promtool(promtool.path, tests.promtool, jobs) if promtool is not None else []
            versions = Versions(loki.version if loki else "", promtool.version if promtool else "")
    except (StackError, LokiError) as error:
        _stop(error, NO_LOKI)
    except LogpipeError as error:
        _stop(error, WRONG_INPUT)
    if as_json:
        report = document(outcomes, failures, of_promtool, verdicts, seconds, versions)
        say_json(report, indent=2)
    else:
        for failure in failures:
            say(failure_text(failure) + "\n")
        for outcome in of_promtool:
            if not outcome.passed:
                say(promtool_failure_text(outcome) + "\n")
        say(summary(outcomes, of_promtool, seconds, versions))
        if verdicts:
            say("\n" + "\n".join(table(verdicts)))
    if has_failed or any(verdict.survived for verdict in verdicts):
        raise typer.Exit(FAILED)


@dataclass(frozen=True)
class _Tests:
    """The tests to run, of both kinds."""

    loki: list[RuleTest]
    promtool: list[PromtoolTest]


def _chosen(loki: Sequence[RuleTest], promtool: Sequence[PromtoolTest], run: str, name: str) -> _Tests:
    try:
        pattern = re.compile(run)
    except re.error as error:
        raise LogpipeError(f"--run {run!r}: {error}; expected a regular expression") from None
    chosen = _Tests(
        [test for test in loki if pattern.search(test.name) and (not name or _is_about(test, name))],
        [test for test in promtool if pattern.search(test.name) and (not name or _is_about(test, name))],
    )
    if not chosen.loki and not chosen.promtool:
        wanted = f"--run {run!r}" if run else f"--explain {name!r}" if name else "the files"
        raise LogpipeError(
            f"{wanted}: no test of the {len(loki) + len(promtool)} has such a name; expected a part of a test's name"
        )
    return chosen


def _is_about(test: RuleTest | PromtoolTest, name: str) -> bool:
    return name in test.name or any(name in check.subject for check in test.checks)


def _failure(loki: ThrowawayLoki, outcome: Outcome) -> Failure:
    return Failure(outcome, reasons(loki, outcome), matched_lines(loki, outcome))


def _mutate(loki: ThrowawayLoki, stored: Sequence[StoredTest], registry: Registry, jobs: int) -> list[Verdict]:
    """Judge the mutants of every alert that a test looks at; what cannot be mutated is said and left out."""
    rules: dict[tuple[str, int], tuple[Rule, int]] = {}
    for test in stored:
        for name in dict.fromkeys(check.alertname for check in test.test.alerts):
            for rule in test.test.rules[name]:
                if rule.is_alert:
                    rules.setdefault((rule.file, rule.line), (rule, test.test.interval_ns(rule)))
    mutants: list[Mutant] = []
    for _place, (rule, interval_ns) in sorted(rules.items()):
        try:
            mutants += mutants_of(rule, interval_ns, registry)
        except RuleError as error:
            say(f"logpipe: {error}", err=True)
    return judge(loki, stored, mutants, jobs)


def _explain(loki: ThrowawayLoki, outcomes: Sequence[Outcome], name: str) -> None:
    for outcome in outcomes:
        if name in outcome.test.name or name in outcome.check.subject:
            say("\n".join(explain(loki, outcome)) + "\n")


def _stop(error: Exception, code: int) -> None:
    say(f"logpipe: {error}", err=True)
    raise typer.Exit(code) from error
