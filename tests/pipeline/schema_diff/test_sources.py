"""Where schemas come from: directories and git revisions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from logging_pkg.exceptions import SchemaError
from logging_pkg.pipeline.schema_diff.sources import Source
from tests.pipeline.schema_diff.declarations import NAME, write


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits: version 3, then 4; version 5 in the working copy. The command runs in it."""
    git(tmp_path, "init", "-q")
    for version in (3, 4, 5):
        write(tmp_path / "app" / "log_schemas", lambda document, v=version: document.update({"x-schema-version": v}))
        if version < 5:
            git(tmp_path, "add", ".")
            git(tmp_path, "commit", "-qm", f"version {version}")
    monkeypatch.chdir(tmp_path / "app")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "version", "shown"),
    [
        ("log_schemas", 5, "log_schemas"),
        ("HEAD:", 4, "HEAD:log_schemas"),
        ("HEAD~:", 3, "HEAD~:log_schemas"),
        ("HEAD~:log_schemas/", 3, "HEAD~:log_schemas/"),
        ("HEAD:../app/log_schemas", 4, "HEAD:../app/log_schemas"),
    ],
)
def test_a_directory_or_a_revision_of_it(repository: Path, text: str, version: int, shown: str) -> None:
    """Relative to where the command runs, which need not be the top of the working copy."""
    source = Source.named(text, "log_schemas")
    assert str(source) == shown
    assert source.load().events[NAME].version == version


def test_a_directory_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    """What is there is meant."""
    write(tmp_path / "a:b")
    assert Source.named(str(tmp_path / "a:b"), "x").load().events[NAME].version == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere", "nowhere: no such schema directory"),
        ("v9:", "v9:log_schemas: fatal: Not a valid object name v9; expected a revision such as HEAD~:"),
        ("HEAD:other", "HEAD:other: no schema in this directory at this revision"),
        ("--output=x:", "expected a revision such as HEAD~:"),
    ],
)
def test_what_is_not_there_is_named(repository: Path, text: str, said: str) -> None:
    """With what to do."""
    with pytest.raises(SchemaError) as caught:
        Source.named(text, "log_schemas").load()
    assert said in str(caught.value)
    assert not (repository / "app" / "x").exists()


def test_a_broken_schema_of_a_revision_is_named_with_the_revision(repository: Path) -> None:
    """Not with the folder it was unpacked into."""
    (repository / "app/log_schemas/broken.thing_done.json").write_text("{")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "broken")
    with pytest.raises(SchemaError, match=r"^HEAD:log_schemas/broken\.thing_done\.json:1:2: not JSON"):
        Source.named("HEAD:", "log_schemas").load()


def test_outside_of_git_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without git a directory is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SchemaError, match="not a git repository"):
        Source.named("HEAD:", "log_schemas").load()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SchemaError, match=r"git cannot be run .* give a directory instead"):
        Source.named("HEAD:", "log_schemas").load()
