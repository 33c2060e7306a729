"""`logpipe generate`, as a user runs it: every file that follows from the schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

from logging_pkg.pipeline.dashboards.project import project_dashboards
from logging_pkg.pipeline.generated_files import generated_files
from logging_pkg.schemas import load_registry
from tests.cli.command import logpipe

PROJECT = Path(__file__).parents[2]
FILES = ("loki/rules/recording.yaml", "docs/EVENTS.md", "docs/METRICS.md")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which everything is up to date."""
    (tmp_path / "loki/rules").mkdir(parents=True)
    assert logpipe("generate", cwd=tmp_path).returncode == 0
    return tmp_path


def test_the_committed_files_are_what_the_schemas_ask_for() -> None:
    """Golden, all of them, byte by byte."""
    found = {name: (PROJECT / name).read_text(encoding="utf-8") for name in FILES}
    made = generated_files(load_registry())
    assert found == made
    dashboards = project_dashboards(load_registry(), PROJECT, made).files
    assert "grafana/dashboards/overview.json" in dashboards
    assert {name: (PROJECT / name).read_text(encoding="utf-8") for name in dashboards} == dashboards


def test_the_files_are_written_once(project: Path) -> None:
    """Nothing besides them, and nothing to do the second time; --check agrees."""
    assert sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()) == sorted(
        FILES
    )
    assert [(project / name).read_bytes() for name in FILES] == [(PROJECT / name).read_bytes() for name in FILES]
    before = [(project / name).stat().st_mtime_ns for name in FILES]
    assert logpipe("generate", cwd=project).stdout == "".join(f"{name}: up to date\n" for name in FILES)
    assert [(project / name).stat().st_mtime_ns for name in FILES] == before
    assert logpipe("generate", "--check", "--root", project).returncode == 0


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("loki/rules/recording.yaml", "interval: 15s", "interval: 45s"),
        ("docs/EVENTS.md", "Version 1, since 0.1.0", "Version 2, since 0.1.0"),
        ("docs/METRICS.md", "- kind: gauge", "- kind: counter"),
    ],
)
def test_check_shows_what_differs_and_writes_nothing(project: Path, name: str, old: str, new: str) -> None:
    """A file edited by hand: exit 1, a diff, the file's name and what to do; the file stays as it was."""
    edited = (project / name).read_text().replace(old, new, 1)
    (project / name).write_text(edited)
    done = logpipe("generate", "--check", cwd=project)
    assert done.returncode == 1
    assert f"--- {name} (committed)\n+++ {name} (from the schemas)\n" in done.stdout
    (removed,) = [line for line in done.stdout.splitlines() if line.startswith("-") and new in line]
    assert f"{removed}\n+{removed[1:].replace(new, old)}\n" in done.stdout
    assert done.stderr == f"{name}: out of date: run logpipe generate, and commit what it writes\n"
    assert (project / name).read_text() == edited
    assert logpipe("generate", cwd=project).stdout.count("written") == 1


def test_dashboards_are_for_projects_that_have_their_directory(project: Path) -> None:
    """What is written there are the dashboards of the metrics; panels of series that only this project's rules record are told."""
    (project / "grafana/dashboards").mkdir(parents=True)
    done = logpipe("generate", cwd=project)
    assert done.returncode == 0
    assert "grafana/dashboards/requests.json: written" in done.stdout
    overview = (project / "grafana/dashboards/overview.json").read_text()
    # Without alert rules there are no limits, and no runbooks to lead to but how the dashboard is read.
    assert "Runbook: How to read Overview" in overview
    assert overview.count("Runbook: ") == overview.count("Runbook: How to read Overview")
    assert '"value": 1000' not in overview
    (project / "grafana/dashboards/overview.json").write_text(overview.replace("Overview", "Overlook", 1))
    done = logpipe("generate", "--check", cwd=project)
    assert (done.returncode, done.stderr.splitlines()[-1].split(":")[0]) == (1, "grafana/dashboards/overview.json")


def test_a_file_that_is_missing_is_out_of_date(project: Path) -> None:
    """All that are named at once."""
    (project / "docs/EVENTS.md").unlink()
    (project / "docs/METRICS.md").unlink()
    done = logpipe("generate", "--check", cwd=project)
    assert (done.returncode, done.stderr.split(":")[0]) == (1, "docs/EVENTS.md, docs/METRICS.md")


def test_a_directory_that_is_no_project_is_one_clear_error(tmp_path: Path) -> None:
    """Without loki/rules there is nowhere to write, and nothing is written elsewhere."""
    done = logpipe("generate", "--root", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"logpipe: {tmp_path}/loki/rules/recording.yaml: No such file or directory")
    assert "run logpipe generate in the project's directory" in done.stderr
    assert not list(tmp_path.iterdir())
