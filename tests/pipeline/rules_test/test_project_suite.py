"""The project's own rules pass their own tests: `logpipe rules test`, as anybody would call it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner

from logging_pkg.cli.application import application

PROJECT = Path(__file__).parents[3]


def test_every_test_of_the_projects_rules_passes(stack_binaries: Mapping[str, object]) -> None:
    """All of loki/tests, on a real Loki."""
    result = CliRunner().invoke(application, ["rules", "test", "--json", str(PROJECT / "loki/tests")])
    assert result.exit_code in {0, 1}, result.output
    report = json.loads(result.stdout)
    failed = [expectation for expectation in report["expectations"] if not expectation["passed"]]
    assert failed == []
    assert report["passed"] == len(report["expectations"]) > 0
