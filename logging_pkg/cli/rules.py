"""`logpipe rules test`: tests of alert and recording rules, run on a real throwaway Loki.

In: test files. Out: what failed and why; exit codes: 0 all passed, 1 something failed, 2 wrong usage or a broken file,
3 no Loki to be had. Never: a change to a Loki that runs already, or to a file.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.exceptions import LogpipeError, LokiError, RuleError, StackError
from logging_pkg.pipeline.rules_test.explain import explain, matched_lines, reasons
from logging_pkg.pipeline.rules_test.model import Rule, RuleTest
from logging_pkg.pipeline.rules_test.mutate import Mutant, Verdict, judge, mutants_of, table
from logging_pkg.pipeline.rules_test.parse import find_test_files, read_tests
from logging_pkg.pipeline.rules_test.report import Failure, document, failure_text, summary
from logging_pkg.pipeline.rules_test.run import Outcome, run_tests
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki
from logging_pkg.schemas import Registry
from logging_pkg.stack.terminal import BuildDisplay

app = typer.Typer(no_args_is_help=True, help="Test alert and recording rules.")

DEFAULT_TESTS = Path("loki/tests")

FAILED, WRONG_INPUT, NO_LOKI = 1, 2, 3


@app.callback()
def rules() -> None:
    """Test alert and recording rules."""


@app.command("test")
def run_rule_tests(
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"Test files, or directories of *_test.yaml; default {DEFAULT_TESTS}.")
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
    """Store the log lines of each test in a throwaway Loki and compare what the rules make of them."""
    try:
        if as_json and explain_name:
            raise LogpipeError("--json and --explain: expected one of them; an explanation is for people")
        registry = registry_of(schemas)
        tests = [found for path in find_test_files(files or [DEFAULT_TESTS]) for found in read_tests(path, registry)]
        tests = _chosen(tests, run, explain_name)
    except LogpipeError as error:
        _stop(error, WRONG_INPUT)
    start = time.monotonic()
    try:
        with BuildDisplay() as display, ThrowawayLoki(registry, config, display) as loki:
            outcomes, stored = run_tests(loki, tests, jobs)
            failures = [_failure(loki, outcome) for outcome in outcomes if not outcome.passed]
            seconds = time.monotonic() - start
            if explain_name:
                _explain(loki, outcomes, explain_name)
            verdicts = _mutate(loki, stored, registry, jobs) if mutate and not failures else []
    except (StackError, LokiError) as error:
        _stop(error, NO_LOKI)
    except LogpipeError as error:
        _stop(error, WRONG_INPUT)
    if as_json:
        report = document(outcomes, failures, verdicts, seconds, loki.version)
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for failure in failures:
            typer.echo(failure_text(failure) + "\n")
        typer.echo(summary(outcomes, seconds, loki.version))
        if verdicts:
            typer.echo("\n" + "\n".join(table(verdicts)))
    if failures or any(verdict.survived for verdict in verdicts):
        raise typer.Exit(FAILED)


def _chosen(tests: Sequence[RuleTest], run: str, name: str) -> list[RuleTest]:
    try:
        pattern = re.compile(run)
    except re.error as error:
        raise LogpipeError(f"--run {run!r}: {error}; expected a regular expression") from None
    chosen = [test for test in tests if pattern.search(test.name) and (not name or _is_about(test, name))]
    if not chosen:
        wanted = f"--run {run!r}" if run else f"--explain {name!r}" if name else "the files"
        raise LogpipeError(f"{wanted}: no test of the {len(tests)} has such a name; expected a part of a test's name")
    return chosen


def _is_about(test: RuleTest, name: str) -> bool:
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
            typer.echo(f"logpipe: {error}", err=True)
    return judge(loki, stored, mutants, jobs)


def _explain(loki: ThrowawayLoki, outcomes: Sequence[Outcome], name: str) -> None:
    for outcome in outcomes:
        if name in outcome.test.name or name in outcome.check.subject:
            typer.echo("\n".join(explain(loki, outcome)) + "\n")


def _stop(error: Exception, code: int) -> None:
    typer.echo(f"logpipe: {error}", err=True)
    raise typer.Exit(code) from error
