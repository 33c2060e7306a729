"""How each server is started and asked whether it is ready.

In: a binary, a port, the run's directories and addresses. Out: configuration files in the run directory and a command
line. Never: a process; the runner starts what is planned here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logging_pkg.exceptions import StackError
from logging_pkg.stack import render
from logging_pkg.stack.binaries import Binary
from logging_pkg.stack.ports import HOST
from logging_pkg.stack.render import Addresses

# The tenant of a Loki without authentication; the ruler looks for its rules in a directory of this name.
TENANT = "fake"


@dataclass(frozen=True)
class Run:
    """Directories, ports and addresses of one run.

    `project` holds vector.toml and grafana/; `config` holds loki.yaml and the others; `directory` takes everything that
    is written.
    """

    directory: Path
    config: Path
    project: Path
    ports: Mapping[str, int]
    addresses: Addresses
    loki_changes: Mapping[str, Any] = field(default_factory=dict)

    def data(self, name: str) -> Path:
        """The data directory of a server; it exists."""
        path = self.directory / "data" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def file(self, name: str) -> Path:
        """A configuration file of this run; its directory exists."""
        path = self.directory / "config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def rules(self) -> Path:
        """The directory the ruler reads; the rule files are in its sub-directory TENANT."""
        return self.directory / "rules"

    @property
    def prometheus_rules(self) -> Path:
        """The directory of Prometheus's rule files."""
        return self.directory / "prometheus_rules"


@dataclass(frozen=True)
class Plan:
    """What the runner needs to start a server: `environ` is added to the runner's own environment."""

    command: list[str]
    ready_path: str
    directory: Path
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A kind of server.

    `default_port` is the one of the committed configuration; `extra_ports` are further ones it needs, by a name of
    their own; `optional` ones are left out when there is no binary.
    """

    name: str
    default_port: int
    plan: Callable[[Run, Binary], Plan]
    extra_ports: tuple[str, ...] = ()
    optional: bool = False


def _alertmanager(run: Run, binary: Binary) -> Plan:
    config = run.file("alertmanager.yml")
    render.write_yaml(config, render.alertmanager_config(run.config / "alertmanager.yml", run.addresses))
    # `templates` is relative to the configuration file.
    if (run.config / "templates").is_dir():
        shutil.copytree(run.config / "templates", config.parent / "templates", dirs_exist_ok=True)
    command = [
        str(binary.path),
        f"--config.file={config}",
        f"--storage.path={run.data('alertmanager')}",
        f"--web.listen-address={HOST}:{run.ports['alertmanager']}",
        "--cluster.listen-address=",  # one instance, nobody to gossip with
        "--log.level=warn",
    ]
    return Plan(command, "/-/ready", run.directory)


def _prometheus(run: Run, binary: Binary) -> Plan:
    config = run.file("prometheus.yml")
    document = render.prometheus_config(run.config / "prometheus.yml", run.prometheus_rules, run.addresses)
    render.write_yaml(config, document)
    command = [
        str(binary.path),
        f"--config.file={config}",
        f"--storage.tsdb.path={run.data('prometheus')}",
        "--storage.tsdb.retention.time=400d",  # see loki/prometheus.yml
        "--web.enable-remote-write-receiver",
        f"--web.listen-address={HOST}:{run.ports['prometheus']}",
        "--log.level=warn",
    ]
    return Plan(command, "/-/ready", run.directory)


def _loki(run: Run, binary: Binary) -> Plan:
    config = run.file("loki.yaml")
    document = render.loki_config(
        run.config / "loki.yaml",
        run.data("loki"),
        run.rules,
        run.ports["loki"],
        run.ports["loki-grpc"],
        run.addresses,
        run.loki_changes,
    )
    render.write_yaml(config, document)
    return Plan([str(binary.path), f"-config.file={config}"], "/ready", run.directory)


def _vector(run: Run, binary: Binary) -> Plan:
    config = run.file("vector.json")
    document = render.vector_config(run.project / "vector.toml", run.ports["vector"], run.addresses)
    config.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    # Paths in vector.toml are relative to the project, and Vector does not create its data directory.
    (run.project / document.get("data_dir", "")).mkdir(parents=True, exist_ok=True)
    return Plan([str(binary.path), "--config", str(config)], "/health", run.project)


def _grafana(run: Run, binary: Binary) -> Plan:
    home = next(
        (
            path
            for path in (
                binary.path.resolve().parent.parent,
                Path("/usr/share/grafana"),
                Path("/opt/homebrew/share/grafana"),
            )
            if (path / "conf" / "defaults.ini").is_file()
        ),
        None,
    )
    if home is None:
        raise StackError(
            f"grafana: {binary.path} is found, but not its conf/defaults.ini; expected an official package's layout"
        )
    provisioning = run.directory / "config" / "grafana"
    render.grafana_provisioning(run.project / "grafana", provisioning, run.addresses)
    environ = {
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(run.ports["grafana"]),
        "GF_PATHS_DATA": str(run.data("grafana")),
        "GF_PATHS_LOGS": str(run.data("grafana") / "log"),
        "GF_PATHS_PROVISIONING": str(provisioning),
        # Only this machine reaches it; Explore needs the Editor role.
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Editor",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    }
    return Plan([str(binary.path), "server", "--homepath", str(home)], "/api/health", home, environ)


# In the order of starting: who is sent to starts first.
SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        Server("alertmanager", 9093, _alertmanager),
        Server("prometheus", 9090, _prometheus),
        Server("loki", 3100, _loki, extra_ports=("loki-grpc",)),
        Server("vector", 8686, _vector, optional=True),
        Server("grafana", 3000, _grafana, optional=True),
    )
}
