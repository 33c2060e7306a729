"""`logpipe init`, from the built wheel alone, into a project of somebody's.

In: the wheel, an empty directory. Out: assertions on files, on what `logpipe check` says of them, and on what is left
alone. Never: this working copy's own files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, built by the project's own build backend."""
    target = tmp_path_factory.mktemp("wheel")
    program = f"import hatchling.build; print(hatchling.build.build_wheel({str(target)!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as archive:
        archive.extractall(target / "installed")
    return target / "installed"


def logpipe(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -P and another directory: what is imported is the wheel's content, its dependencies are those installed here.
    program = (
        "import sys, logging_pkg; assert logging_pkg.__file__.startswith(sys.argv.pop(1)); "
        "from logging_pkg.cli import main; main()"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    return subprocess.run(
        [sys.executable, "-P", "-c", program, str(installed), *arguments],
        cwd=cwd, env={**environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's project, as `init` has written it."""
    directory = tmp_path_factory.mktemp("project")
    done = logpipe(installed, directory, "init", "--app", "shop")
    assert done.returncode == 0, done.stderr
    assert '"SERVICE_NAME": "shop"' in done.stdout
    assert f"files written to {directory}\n" in done.stdout
    return directory


def test_what_is_written_passes_the_check_and_is_what_generate_makes(installed: Path, project: Path) -> None:
    """Rules, dashboards, runbooks and vector.toml fit each other in the new place."""
    checked = logpipe(installed, project, "check")
    assert checked.returncode == 0, checked.stdout
    assert "checked 2" in checked.stdout
    generated = logpipe(installed, project, "generate", "--check")
    assert generated.returncode == 0, generated.stdout + generated.stderr
    tested = logpipe(installed, project, "rules", "test", "loki/prometheus_tests/slo_pages_test.yaml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    explained = logpipe(installed, project, "explain", "SlowRoute")
    assert explained.returncode == 0, explained.stderr
    assert re.search(r"   loki/rules/alerts\.yaml:\d+   ", explained.stdout)
    elsewhere = logpipe(installed, installed, "explain", "SlowRoute")
    assert "## Mitigation" in elsewhere.stdout
    about_a_check = logpipe(installed, installed, "check", "--explain", "rules/panel-link")
    assert about_a_check.stdout.startswith("# rules/panel-link\n"), about_a_check.stderr


def test_the_files_are_the_user_s_own_project_s(project: Path) -> None:
    """Nothing of the application this package comes with, but the events it declares; every mount is there."""
    texts = {path: path.read_text() for path in project.rglob("*") if path.is_file()}
    assert len(texts) > 90
    assert [path.name for path, text in texts.items() if "calendar-sync" in text or "logging_pkg/stack" in text] == []
    slos = yaml.safe_load((project / "loki/slos.yaml").read_text())["slos"]
    assert [slo["name"] for slo in slos if slo.get("where", {}).get("route")] == []
    assert "/dashboard/" not in (project / "loki/rules/slos.yaml").read_text()
    compose = yaml.safe_load((project / "compose.yaml").read_text())
    assert compose["name"] == "shop"
    mounts = [mount.split(":")[0] for service in compose["services"].values() for mount in service.get("volumes", ())]
    missing = [name for name in mounts if name.startswith("./") and not (project / name).exists()]
    assert missing == ["./.logpipe/secrets", "./.logpipe"]
    assert '"service_name":"shop"' in (project / "vector.toml").read_text()


def test_a_file_that_is_there_is_left_alone_without_force(installed: Path, project: Path) -> None:
    """Nothing at all is written then; the same again is no conflict; --force overwrites."""
    again = logpipe(installed, project, "init", "--app", "shop")
    assert again.returncode == 0
    assert "0 files written" in again.stdout
    (project / "vector.toml").write_text("# mine\n")
    (project / "compose.yaml").unlink()
    refused = logpipe(installed, project, "init", "--app", "shop")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "nothing written: there already, and not the same: vector.toml; --force overwrites" in refused.stderr
    assert (project / "vector.toml").read_text() == "# mine\n"
    assert not (project / "compose.yaml").exists()
    forced = logpipe(installed, project, "init", "--app", "shop", "--force")
    assert forced.returncode == 0
    assert "2 files written" in forced.stdout
    assert "1 overwritten" in forced.stdout
    assert "# mine" not in (project / "vector.toml").read_text()


def test_a_name_that_cannot_be_a_service_is_wrong_usage(installed: Path, tmp_path: Path) -> None:
    """Without a name it is the directory's."""
    wrong = logpipe(installed, tmp_path, "init", "--app", "my shop!")
    assert (wrong.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "expected a service name such as shop or web-api" in wrong.stderr
    directory = tmp_path / "My_Shop"
    directory.mkdir()
    assert '"SERVICE_NAME": "my-shop"' in logpipe(installed, directory, "init").stdout
