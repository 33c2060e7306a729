"""`logpipe schema diff`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.schemas.loading import builtin_directory
from tests.cli.command import logpipe
from tests.pipeline.schema_diff.declarations import write
from tests.pipeline.schema_diff.project import write_project
from tests.pipeline.schema_diff.test_sources import git


def breaking(document: dict[str, Any]) -> None:
    document["properties"]["channel"]["enum"] = ["web"]


def breaking_and_raised(document: dict[str, Any]) -> None:
    breaking(document)
    document["x-schema-version"] = 4


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in git, its event in log_schemas/."""
    root = write_project(tmp_path / "project")
    write(root / "log_schemas")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "start")
    return root


def test_an_unchanged_directory_has_no_difference(project: Path) -> None:
    """Exit 0, one line."""
    done = logpipe("schema", "diff", cwd=project)
    assert (done.returncode, done.stdout) == (0, "HEAD:log_schemas and log_schemas: no difference\n")


def test_a_breaking_change_without_a_version_exits_1_and_names_whom_it_hits(project: Path) -> None:
    """What, what to set, and every place with file and line."""
    write(project / "log_schemas", breaking)
    done = logpipe("schema", "diff", cwd=project)
    assert done.returncode == 1
    assert done.stdout == (
        'shop.order_placed  version 3  BREACH: a breaking change without a raised version: set "x-schema-version": 4\n'
        '  breaking    option-removed           channel: "phone" is no option any more\n'
        "      grafana/dashboards/shop.json:22  panel Shop: Orders: c\n"
        "      loki/rules/alerts.yaml:5  alert PhoneOrders: channel\n"
        "      loki/tests/alerts_test.yaml:6  test fires on phone orders: channel\n"
        "\n"
        "HEAD:log_schemas → log_schemas: 1 breaking change, 0 compatible; 3 places to look at; "
        "1 event without the version that is due\n"
    )


def test_with_a_raised_version_it_exits_0_and_names_them_all_the_same(project: Path) -> None:
    """The alert is as silent as before."""
    write(project / "log_schemas", breaking_and_raised)
    done = logpipe("schema", "diff", cwd=project)
    assert done.returncode == 0
    assert "shop.order_placed  version 3 → 4  raised as it has to be\n" in done.stdout
    assert "loki/rules/alerts.yaml:5  alert PhoneOrders" in done.stdout


def test_one_json_object_for_programs(project: Path) -> None:
    """The same facts; the exit code is the same."""
    write(project / "log_schemas", breaking)
    done = logpipe("schema", "diff", "--json", cwd=project)
    value = json.loads(done.stdout)
    assert (done.returncode, value["breaking"], value["compatible"], value["breaches"]) == (1, 1, 0, 1)
    (change,) = value["changes"]
    assert (change["kind"], change["field"], change["is_breaking"]) == ("option-removed", "channel", True)
    assert change["hits"][1] == {
        "path": "loki/rules/alerts.yaml", "line": 5, "kind": "alert", "name": "PhoneOrders", "text": "channel",
    }  # fmt: skip
    (version,) = value["versions"]
    assert (version["old"], version["new"], version["is_breach"]) == (3, 3, True)


def test_two_directories_two_revisions_and_the_installed_package(project: Path, tmp_path: Path) -> None:
    """Whatever stands for what was and what is."""
    write(project / "log_schemas", breaking)
    git(project, "commit", "-qam", "break")
    write(tmp_path / "other", breaking_and_raised)
    for arguments, code in (
        (["HEAD~:", "HEAD:"], 1),
        (["HEAD~:"], 1),
        (["HEAD:"], 0),
        (["HEAD~:", tmp_path / "other"], 0),
        (["log_schemas", "log_schemas"], 0),
        (["HEAD~:log_schemas", "log_schemas"], 1),
        ([builtin_directory()], 0),
    ):
        done = logpipe("schema", "diff", *arguments, cwd=project)
        assert done.returncode == code, (arguments, done)
    # Of the installed package none of the events is in the project's directory: all of them are gone.
    done = logpipe("schema", "diff", "log_schemas", cwd=project)
    assert (done.returncode, "installed package → log_schemas:" in done.stdout) == (1, True)


def test_errors_are_one_line(tmp_path: Path) -> None:
    """Exit 2, the place and what to do."""
    done = logpipe("schema", "diff", "nowhere", "nothing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("logpipe: nowhere: no such schema directory")
    assert logpipe("schema", "diff", "a", "b", "c", cwd=tmp_path).returncode == 2
