"""Each check says what it should, where it should: one transcript per check."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.pipeline.lint import render
from logging_pkg.pipeline.lint.checks import CHECKS, NEEDS
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.pages import DIRECTORY, page_of
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.run import lint_project
from logging_pkg.schemas import load_registry
from logging_pkg.stack import Stack

TRANSCRIPTS = Path(__file__).parent / "transcripts"


@pytest.fixture(scope="module")
def loki_with_a_stream(own_loki_server: Stack) -> Iterator[LokiClient]:
    """A real Loki with the labels of this project."""
    labels = {"service_name": "web", "env": "test", "event": "http.request_finished"}
    with LokiClient(own_loki_server.loki_url) as client:
        client.push([Stream(labels, [Entry(time.time_ns(), "{}")])])
        yield client


def transcript(check: str, directory: Path, loki: LokiClient | None) -> tuple[str, str]:
    """Write the files of a transcript into a directory; return what the check says there and what it should say."""
    text = (TRANSCRIPTS / f"{check.replace('/', '-')}.txt").read_text(encoding="utf-8")
    parts = re.split(r"^-- (.+) --\n", text, flags=re.MULTILINE)[1:]
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    expected = files.pop("output", "")
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content, encoding="utf-8")
    report = lint_project(Project(directory, load_registry(), loki=loki))
    assert report.unanswered == ""
    return "\n\n".join(render(problem) for problem in report.problems if problem.check == check) + "\n", expected


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_a_check_reports_place_reason_and_remedy(check: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The output for the files of its transcript is the committed one; a real Loki is asked where one is needed."""
    loki = request.getfixturevalue("loki_with_a_stream") if Need.LOKI in NEEDS[check] else None
    found, expected = transcript(check, tmp_path, loki)
    assert found == expected


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_a_check_has_its_module_and_its_page(check: str) -> None:
    """An ID such as logql/unknown-field is a module, a page and a transcript of the same name."""
    module = CHECKS[check].__module__.rsplit(".", 1)[-1]
    assert module == check.replace("/", "_").replace("-", "_")
    assert page_of(check).startswith(f"# {check}\n")


def test_no_page_or_transcript_without_a_check() -> None:
    """A check that was removed leaves nothing behind."""
    names = {check.replace("/", "-") for check in CHECKS}
    assert {path.stem for path in TRANSCRIPTS.glob("*.txt")} == names
    assert {path.stem for path in DIRECTORY.glob("*.md")} == names
