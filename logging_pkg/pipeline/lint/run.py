"""Run the checks over a project.

In: a directory and a registry. Out: a Report. Never: prints, exits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from logging_pkg.pipeline.lint.checks import CHECKS
from logging_pkg.pipeline.lint.problem import Problem, Severity, render
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.schemas import Registry


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, by file and line, and what was looked at."""

    problems: tuple[Problem, ...]
    rule_count: int
    query_count: int
    event_count: int

    @property
    def errors(self) -> int:
        """How many problems make the command fail."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)

    def __str__(self) -> str:
        """The problems as shown to people, and a line that sums up."""
        looked_at = f"checked {self.rule_count} rules and {self.query_count} queries against {self.event_count} events"
        warnings = len(self.problems) - self.errors
        counts = [_count(self.errors, "error"), _count(warnings, "warning")]
        outcome = ", ".join(count for count in counts if count) or "no problems"
        return "\n\n".join([*map(render, self.problems), f"{looked_at}: {outcome}"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}" if number else ""


def lint(root: Path, registry: Registry) -> Report:
    """Run every check over the project in a directory."""
    project = Project(root, registry)
    problems = {problem for check in CHECKS.values() for problem in check(project)}
    ordered = sorted(
        problems, key=lambda problem: (problem.path, problem.line, problem.column, problem.check, problem.message)
    )
    return Report(tuple(ordered), len(project.all_rules), len(project.queries), len(registry.events))
