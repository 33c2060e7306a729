"""Run the checks over a project.

In: a Project. Out: a Report. Never: prints, exits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logging_pkg.exceptions import LokiError
from logging_pkg.pipeline.lint.checks import CHECKS, NEEDS
from logging_pkg.pipeline.lint.needs import Need, Skipped, skipped
from logging_pkg.pipeline.lint.problem import Problem, Severity, render
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.schemas import Registry


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, by file and line, what was looked at, and which checks did not run.

    `unanswered` is what went wrong with Loki; empty when nothing did.
    """

    problems: tuple[Problem, ...]
    rule_count: int
    query_count: int
    event_count: int
    file_count: int = 0
    not_run: tuple[Skipped, ...] = ()
    unanswered: str = ""

    @property
    def errors(self) -> int:
        """How many problems make the command fail."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)

    @property
    def warnings(self) -> int:
        """How many do not."""
        return len(self.problems) - self.errors

    def __str__(self) -> str:
        """The problems as shown to people, which checks did not run, and a line that sums up."""
        looked_at = f"checked {_of(self.rule_count, 'rule')} and {_of(self.query_count, 'query', 'queries')}"
        files = f" in {_of(self.file_count, 'file')}" if self.file_count else ""
        events = f" against {self.event_count} events" if self.event_count else ""
        counts = [_count(self.errors, "error"), _count(self.warnings, "warning")]
        outcome = ", ".join(count for count in counts if count) or "no problems"
        summary = f"{looked_at}{files}{events}: {outcome}"
        return "\n\n".join([*map(render, self.problems), "\n".join([*map(str, self.not_run), summary])])

    def value(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "problems": [problem.value() for problem in self.problems],
            "errors": self.errors,
            "warnings": self.warnings,
            "rules": self.rule_count,
            "queries": self.query_count,
            "events": self.event_count,
            "not_run": [{"check": check, "why": one.why} for one in self.not_run for check in one.checks],
        }


def _count(number: int, noun: str) -> str:
    return _of(number, noun) if number else ""


def _of(number: int, noun: str, nouns: str = "") -> str:
    return f"{number} {noun if number == 1 else nouns or f'{noun}s'}"


def lint(root: Path, registry: Registry) -> Report:
    """Run every check that needs no server over the project in a directory."""
    return lint_project(Project(root, registry))


def lint_project(project: Project, disabled: Collection[str] = ()) -> Report:
    """Run every check that what is given suffices for.

    Args:
        project: what to check.
        disabled: IDs of checks not to run.
    """
    problems: set[Problem] = set()
    reasons = dict(_reasons(project, disabled))
    unanswered = ""
    for name, check in CHECKS.items():
        if name in reasons:
            continue
        try:
            problems.update(check(project))
        except LokiError as error:
            unanswered = unanswered or str(error)
            reasons[name] = "ask a Loki, which did not answer"
    ordered = sorted(
        problems, key=lambda problem: (problem.path, problem.line, problem.column, problem.check, problem.message)
    )
    return Report(
        tuple(ordered),
        len(project.all_rules),
        len(project.queries),
        len(project.registry.events),
        project.given.count if project.given else 0,
        skipped(reasons.items()),
        unanswered,
    )


def _reasons(project: Project, disabled: Collection[str]) -> Iterator[tuple[str, str]]:
    has = {Need.PROJECT: project.given is None, Need.SCHEMAS: project.has_schemas, Need.LOKI: project.loki is not None}
    for name in CHECKS:
        missing = next((need for need in NEEDS[name] if not has[need]), None)
        if name in disabled:
            yield name, "are disabled"
        elif missing is not None:
            yield name, missing.value
