"""Vector and Grafana: what they are started with, and where there are real ones, that they start."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from logging_pkg.exceptions import StackError
from logging_pkg.stack import SERVERS, Binary, Stack, find_binary
from logging_pkg.stack.render import Addresses
from logging_pkg.stack.runner import default_config_directory
from logging_pkg.stack.servers import Run

PROJECT = default_config_directory().parent


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A project with the committed vector.toml and loki/, and a run directory."""
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(PROJECT / "vector.toml", project)
    (project / "grafana" / "dashboards").mkdir(parents=True)
    addresses = Addresses(loki="http://127.0.0.1:1", grafana="http://127.0.0.1:3")
    return Run(tmp_path / "run", project / "loki", project, {"vector": 2, "grafana": 3}, addresses)


def test_vector_runs_in_the_project_with_the_address_of_loki(run: Run) -> None:
    """Its file patterns are relative to the project; its data directory exists."""
    plan = SERVERS["vector"].plan(run, Binary("vector", Path("/bin/vector"), "0.57.0", "PATH"))
    config = Path(plan.command[-1])
    document = json.loads(config.read_text())
    assert plan.command[:2] == ["/bin/vector", "--config"]
    assert (plan.directory, plan.ready_path) == (run.project, "/health")
    assert document["sinks"]["loki"]["endpoint"] == "http://127.0.0.1:1"
    assert document["api"]["address"] == "127.0.0.1:2"
    assert (run.project / document["data_dir"]).is_dir()


def test_grafana_runs_from_its_home_with_the_run_s_provisioning(run: Run, tmp_path: Path) -> None:
    """The home is where conf/defaults.ini is; everything it writes is in the run directory."""
    binary = tmp_path / "home" / "bin" / "grafana"
    (tmp_path / "home" / "conf").mkdir(parents=True)
    (tmp_path / "home" / "conf" / "defaults.ini").touch()
    plan = SERVERS["grafana"].plan(run, Binary("grafana", binary, "12.4.0", "PATH"))
    assert plan.command == [str(binary), "server", "--homepath", str(tmp_path / "home")]
    assert plan.environ["GF_SERVER_HTTP_PORT"] == "3"
    assert plan.environ["GF_PATHS_PROVISIONING"] == str(run.directory / "config" / "grafana")
    assert plan.environ["GF_PATHS_DATA"].startswith(str(run.directory))


def test_grafana_without_its_files_is_an_error(run: Run) -> None:
    """A lone binary cannot serve."""
    with pytest.raises(StackError, match=r"not its conf/defaults\.ini"):
        SERVERS["grafana"].plan(run, Binary("grafana", Path("/nowhere/bin/grafana"), "12.4.0", "PATH"))


@pytest.mark.usefixtures("stack_binaries")
@pytest.mark.parametrize("name", ["vector", "grafana"])
def test_real_server_gets_ready(name: str, tmp_path: Path, run: Run) -> None:
    """With the committed configuration; runs where the program is installed."""
    try:
        find_binary(name)
    except StackError as error:
        pytest.skip(str(error))
    shutil.copytree(PROJECT / "loki", run.config)
    with Stack(servers=("loki", name), run_directory=tmp_path / "run", config_directory=run.config) as stack:
        assert stack.pid(name) is not None
