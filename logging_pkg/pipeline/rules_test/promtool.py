"""Tests of Prometheus's rules: promtool's own files, run by the real promtool, told like those of Loki's rules.

In: test files in a folder named prometheus_tests. Out: one result per expectation. Never: another reading of
PromQL than promtool's; the files stay such that `promtool test rules` runs them as they are.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ET  # what promtool itself has just written
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

import yaml

from logging_pkg.exceptions import StackError
from logging_pkg.pipeline.rules_test.document import Node, RuleTestError, read_document
from logging_pkg.pipeline.rules_test.parallel import in_parallel
from logging_pkg.pipeline.rules_test.parse import DEFAULT_INTERVAL_NS, shown_path
from logging_pkg.pipeline.rules_test.values import duration_ns

#: Files in a folder of this name are promtool's.
FOLDER = "prometheus_tests"

_TIMEOUT_S = 300
_ALERT = re.compile(r"^ *alertname: (?P<name>[^,\n]+), time: (?P<time>[^,\s]+)", re.MULTILINE)
_EXPR = re.compile(r"^ *expr: (?P<expr>\".*\"), time: (?P<time>[^,\s]+)", re.MULTILINE)


@dataclass(frozen=True)
class PromtoolCheck:
    """An entry of `alert_rule_test` or `promql_expr_test`; `subject` is the alert's name or the expression."""

    line: int
    subject: str
    eval_ns: int
    is_alert: bool


@dataclass(frozen=True)
class PromtoolTest:
    """One group of a test file.

    Attributes:
        header: the file's other keys, `rule_files` as paths.
        group: the group as YAML says it.
        interval_ns: how often rules are evaluated in it.
    """

    name: str
    file: str
    line: int
    header: Mapping[str, Any] = field(repr=False)
    group: Mapping[str, Any] = field(repr=False)
    checks: tuple[PromtoolCheck, ...]
    interval_ns: int

    @property
    def rule_files(self) -> tuple[Path, ...]:
        """The rule files under test."""
        return tuple(map(Path, self.header["rule_files"]))

    def mentions(self, alert: str) -> bool:
        """Whether an expectation is about an alert: by its name, or by the ALERTS series."""
        word = re.compile(rf"\b{re.escape(alert)}\b")
        return any(word.search(check.subject) for check in self.checks)


@dataclass(frozen=True)
class PromtoolOutcome:
    """One expectation and what promtool says of it; nothing when it holds."""

    test: PromtoolTest
    check: PromtoolCheck
    text: str = ""

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.text


def is_promtool_file(path: Path) -> bool:
    """Whether a test file is promtool's: it lies in a folder named prometheus_tests."""
    return path.resolve().parent.name == FOLDER


def read_promtool_tests(path: Path) -> list[PromtoolTest]:
    """The groups of a test file. Their values are promtool's to judge.

    Raises:
        RuleTestError: the file has not promtool's shape, or names a rule file that is not there.
    """
    shown = shown_path(path)
    root = read_document(path, shown).entries()
    if "tests" not in root or "rule_files" not in root:
        raise RuleTestError(f"{shown}: expected rule_files and tests")
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    rule_files: list[str] = []
    for item in root["rule_files"].items():
        found = sorted(glob(str(path.parent.resolve() / item.text())))
        if not found:
            raise item.wrong("expected the path of a rule file, relative to this file")
        rule_files += found
    header = {**{key: value for key, value in document.items() if key != "tests"}, "rule_files": rule_files}
    interval_ns = (
        root["evaluation_interval"].duration(at_least=1) if "evaluation_interval" in root else DEFAULT_INTERVAL_NS
    )
    return [
        _test(node, group, shown, header, interval_ns)
        for node, group in zip(root["tests"].items(), document["tests"], strict=True)
    ]


def _test(node: Node, group: Mapping[str, Any], file: str, header: Mapping[str, Any], interval_ns: int) -> PromtoolTest:
    entries = node.entries()
    if "name" not in entries:
        raise node.error("this test has no name; expected a sentence that says what the rule does")
    checks = []
    for key, subject in (("alert_rule_test", "alertname"), ("promql_expr_test", "expr")):
        for item in entries[key].items() if key in entries else ():
            found = item.entries()
            if subject not in found or "eval_time" not in found:
                raise item.error(f"expected {subject} and eval_time in {key}")
            eval_ns = found["eval_time"].duration(at_least=0)
            checks.append(PromtoolCheck(item.line, found[subject].text(), eval_ns, subject == "alertname"))
    if not checks:
        raise node.error("this test expects nothing; expected alert_rule_test or promql_expr_test")
    return PromtoolTest(entries["name"].text(), file, node.line, header, group, tuple(checks), interval_ns)


def run_promtool(program: Path, tests: Sequence[PromtoolTest], jobs: int) -> list[PromtoolOutcome]:
    """Run tests, those of one file together; one outcome per expectation, in order.

    Raises:
        RuleTestError: promtool does not take a file.
        StackError: it does not end.
    """
    by_file: dict[str, list[PromtoolTest]] = {}
    for test in tests:
        by_file.setdefault(test.file, []).append(test)
    return [
        outcome
        for found in in_parallel(lambda t: _run(program, t, {}), list(by_file.values()), jobs)
        for outcome in found
    ]


def run_changed(
    program: Path, tests: Sequence[PromtoolTest], changed: Mapping[Path, Mapping[str, Any]]
) -> list[PromtoolOutcome]:
    """Run tests of one file with the documents of some rule files replaced."""
    return _run(program, tests, changed)


def _run(
    program: Path, tests: Sequence[PromtoolTest], changed: Mapping[Path, Mapping[str, Any]]
) -> list[PromtoolOutcome]:
    with tempfile.TemporaryDirectory(prefix="logpipe-promtool-") as name:
        directory = Path(name)
        rule_files = []
        for number, path in enumerate(tests[0].rule_files):
            if path in changed:
                rule_files.append(str(_written(directory / f"rules-{number}.yaml", changed[path])))
            else:
                rule_files.append(str(path))
        header = {**tests[0].header, "rule_files": rule_files}
        file = _written(directory / "test.yaml", {**header, "tests": [test.group for test in tests]})
        report = directory / "report.xml"
        command = [str(program), "test", "rules", f"--junit={report}", str(file)]
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, errors="replace"
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StackError(f"{tests[0].file}: promtool: {error}") from None
        found = _failures(report, len(tests)) if report.exists() else []
        # A rule file that cannot be loaded is told as a failure of each group, beginning with the file's path.
        if broken := next(
            (text for texts in found for text in texts if text.lstrip().startswith(tuple(rule_files))), ""
        ):
            raise RuleTestError(f"{tests[0].file}: promtool does not take it: {' '.join(broken.split())}")
        if answer.returncode and not any(found):
            said = " ".join((answer.stdout + answer.stderr).replace(str(file), tests[0].file).split())
            raise RuleTestError(f"{tests[0].file}: promtool does not take it: {said.replace(f'{directory}/', '')}")
    outcomes = []
    for test, texts in zip(tests, found, strict=True):
        outcomes += _outcomes(test, texts)
    return outcomes


def _written(path: Path, document: Mapping[str, Any]) -> Path:
    text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=1_000_000)
    path.write_text(text, encoding="utf-8")
    return path


def _failures(report: Path, count: int) -> list[list[str]]:
    """What failed in each group, in the order of the file."""
    cases = list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314
    if len(cases) != count:
        return []
    return [[failure.text or "" for failure in case.iter("failure")] for case in cases]


def _outcomes(test: PromtoolTest, texts: Sequence[str]) -> list[PromtoolOutcome]:
    """Each expectation with what promtool said of it; what cannot be told apart belongs to the first one."""
    said: dict[int, list[str]] = {}
    for text in texts:
        places = [number for number, check in enumerate(test.checks) if _is_about(text, check)]
        for place in places or [0]:
            said.setdefault(place, []).append(text)
    return [PromtoolOutcome(test, check, "\n".join(said.get(number, []))) for number, check in enumerate(test.checks)]


def _is_about(text: str, check: PromtoolCheck) -> bool:
    match = (_ALERT if check.is_alert else _EXPR).search(text)
    if match is None or duration_ns(match["time"]) != check.eval_ns:
        return False
    return (
        match["name"] == check.subject
        if check.is_alert
        else match["expr"] == json.dumps(check.subject, ensure_ascii=False)
    )
