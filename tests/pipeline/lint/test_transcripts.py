"""Each check says what it should, where it should: one transcript per check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logging_pkg.pipeline.lint import lint, render
from logging_pkg.pipeline.lint.checks import CHECKS
from logging_pkg.pipeline.lint.problem import page_of
from logging_pkg.schemas import load_registry

TRANSCRIPTS = Path(__file__).parent / "transcripts"
PROJECT = Path(__file__).parents[3]


def transcript(check: str, directory: Path) -> tuple[str, str]:
    """Write the files of a transcript into a directory; return what the check says there and what it should say."""
    text = (TRANSCRIPTS / f"{check.replace('/', '-')}.txt").read_text(encoding="utf-8")
    parts = re.split(r"^-- (.+) --\n", text, flags=re.MULTILINE)[1:]
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    expected = files.pop("output", "")
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content, encoding="utf-8")
    report = lint(directory, load_registry())
    return "\n\n".join(render(problem) for problem in report.problems if problem.check == check) + "\n", expected


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_a_check_reports_place_reason_and_remedy(check: str, tmp_path: Path) -> None:
    """The output for the files of its transcript is the committed one."""
    found, expected = transcript(check, tmp_path)
    assert found == expected


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_a_check_has_its_module_and_its_page(check: str) -> None:
    """An ID such as logql/unknown-field is a module, a page and a transcript of the same name."""
    module = CHECKS[check].__module__.rsplit(".", 1)[-1]
    assert module == check.replace("/", "_").replace("-", "_")
    page = (PROJECT / page_of(check)).read_text(encoding="utf-8")
    assert page.startswith(f"# {check}\n")


def test_no_page_or_transcript_without_a_check() -> None:
    """A check that was removed leaves nothing behind."""
    names = {check.replace("/", "-") for check in CHECKS}
    assert {path.stem for path in TRANSCRIPTS.glob("*.txt")} == names
    assert {path.stem for path in (PROJECT / "docs/checks").glob("*.md")} == names
