"""Test files and rule files on disk, and the command run on them.

In: YAML texts. Out: exit codes and what was printed. Never: expectations.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from typer.testing import CliRunner

from logging_pkg.cli.application import application_for
from logging_pkg.pipeline.rules_test.model import Rule, RuleTest
from logging_pkg.pipeline.rules_test.parse import read_tests
from logging_pkg.schemas import load_registry

REGISTRY = load_registry()


def write(directory: Path, tests: str, rules: str = "", name: str = "a_test.yaml") -> Path:
    """A test file, beside it the rule file rules.yaml that it may name."""
    if rules:
        (directory / "rules.yaml").write_text(textwrap.dedent(rules), encoding="utf-8")
    path = directory / name
    path.write_text(textwrap.dedent(tests), encoding="utf-8")
    return path


def read(directory: Path, tests: str, rules: str = "") -> list[RuleTest]:
    """What a test file says."""
    return read_tests(write(directory, tests, rules), REGISTRY)


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code, and standard output and error."""
    result = CliRunner().invoke(application_for(()), ["rules", "test", *map(str, arguments)])
    return result.exit_code, result.output


def alert(expr: str, *, name: str = "A", for_ns: int = 0, **labels: str) -> Rule:
    """An alert rule."""
    return Rule(name, True, expr, labels, {}, for_ns, None, "rules.yaml", 1)
