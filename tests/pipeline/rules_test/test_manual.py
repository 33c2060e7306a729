"""docs/RULE_TESTS.md, performed: its files, its commands, and what it says they print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logging_pkg.cli.application import application_for

PROJECT = Path(__file__).parents[3]
MANUAL = (PROJECT / "docs/RULE_TESTS.md").read_text(encoding="utf-8")
YAML = re.findall(r"^```yaml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
SHOWN = re.findall(r"^```console\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack_binaries: Mapping[str, object]) -> Path:
    """The files the manual has its reader write."""
    for name in ("rules", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "rules/nginx.yaml").write_text(YAML[0])
    (tmp_path / "tests/nginx_test.yaml").write_text(YAML[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(application_for(()), ["rules", "test", *arguments])
    return result.exit_code, result.output


def without_times(text: str) -> str:
    return re.sub(r"in [\d.]+ s", "in … s", text).strip()


def test_the_first_test_passes_as_shown(folder: Path) -> None:
    """The rule file and the test file of the manual, run with its command."""
    command, _, output = SHOWN[0].partition("\n")
    assert command == "$ logpipe rules test tests/nginx_test.yaml"
    code, printed = run("tests/nginx_test.yaml")
    assert code == 0
    assert without_times(printed) == without_times(output)


def test_a_raised_limit_is_shown_as_the_manual_shows_it(folder: Path) -> None:
    """The failure's transcript is the committed one."""
    rules = folder / "rules/nginx.yaml"
    rules.write_text(rules.read_text().replace("> 5", "> 6"))
    code, printed = run("tests/nginx_test.yaml")
    assert code == 1
    assert without_times(printed) == without_times(SHOWN[1])


def test_the_test_with_declared_events_passes(folder: Path) -> None:
    """Beside the rules of this project."""
    (folder / "rules/alerts.yaml").write_text((PROJECT / "loki/rules/alerts.yaml").read_text())
    (folder / "tests/alerts_test.yaml").write_text(YAML[2])
    assert run("tests/alerts_test.yaml")[0] == 0


def test_the_manual_tells_of_every_key() -> None:
    """All that the parser knows is in the table."""
    source = "".join(
        (PROJECT / "logging_pkg/pipeline/rules_test" / name).read_text() for name in ("parse.py", "inputs.py")
    )
    known = {
        key for group in re.findall(r"keys\(\s*\((.*?)\)", source, re.DOTALL) for key in re.findall(r'"(\w+)"', group)
    }
    known |= set(re.findall(r'"(\w+)"', re.search(r"_TEST_KEYS = \((.*?)\)", source, re.DOTALL)[1]))
    known |= set(re.findall(r'"(\w+)"', re.search(r"_TIME_KEYS = \((.*?)\)", source, re.DOTALL)[1]))
    assert len(known) > 20
    assert [key for key in sorted(known) if f"`{key}`" not in MANUAL] == []
