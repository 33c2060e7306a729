"""The committed configuration files, with addresses and directories of one run.

In: loki.yaml, prometheus.yml, alertmanager.yml, vector.toml and rule files as they are committed. Out: the documents to
write into the run directory. Never: a limit changed, or a key added that the committed file does not have: a renamed
key is an error here, not a server that quietly listens elsewhere.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from logging_pkg.exceptions import StackError, StackInputError
from logging_pkg.stack.ports import HOST
from logging_pkg.stack.webhook import DEADMANSSWITCH_PATH

Document = dict[str, Any]

# The host name of the receiver in loki/alertmanager.yml; receivers with other addresses are the user's own and stay.
WEBHOOK_HOST = "webhook"
# Where loki/alertmanager.yml has its secrets; compose.yaml mounts SECRETS_DIRECTORY there.
MOUNTED_SECRETS = "/etc/alertmanager/secrets/"
SECRETS_DIRECTORY = Path(".logpipe/secrets")


@dataclass(frozen=True)
class Addresses:
    """Base URLs of the servers of this run; None for one that is not part of it."""

    loki: str | None = None
    prometheus: str | None = None
    alertmanager: str | None = None
    grafana: str | None = None
    webhook: str | None = None
    deadmansswitch: str | None = None
    enricher: str | None = None


def load_yaml(path: Path) -> Document:
    """A YAML file whose top level is a mapping.

    Raises:
        StackError: it cannot be read or is something else.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackInputError(
            f"{path}: {error.strerror}; run from the project's root, or name the directory with --config"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StackInputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise StackInputError(f"{path}: expected a mapping at the top, got {type(document).__name__}")
    return document


def set_key(document: Document, dotted: str, value: object, source: Path) -> None:
    """Replace the value of an existing key, `a.b.c`.

    Raises:
        StackError: the document has no such key.
    """
    *parents, last = dotted.split(".")
    place: Any = document
    for name in parents:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        raise StackError(f"{source}: expected the key {dotted}, whose value is replaced for each run")
    place[last] = value


def merge(document: Document, changes: Mapping[str, Any]) -> Document:
    """A copy of the document with nested mappings merged and other values replaced."""
    merged = copy.copy(document)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def loki_config(
    source: Path, data: Path, rules: Path, port: int, grpc_port: int, addresses: Addresses, changes: Mapping[str, Any]
) -> Document:
    """loki.yaml for one run. `changes` are merged in last: tests use them to meet a limit with little data."""
    document = load_yaml(source)
    for key, value in {
        "server.http_listen_address": HOST,
        "server.http_listen_port": port,
        "server.grpc_listen_port": grpc_port,
        "common.path_prefix": str(data),
        "common.storage.filesystem.chunks_directory": str(data / "chunks"),
        "common.storage.filesystem.rules_directory": str(rules),
        "ingester.wal.dir": str(data / "wal"),
        "compactor.working_directory": str(data / "compactor"),
        "ruler.storage.local.directory": str(rules),
        "ruler.rule_path": str(data / "rules-temp"),
        "ruler.wal.dir": str(data / "ruler-wal"),
        # Empty: alerts are evaluated and shown by /prometheus/api/v1/alerts, and sent nowhere.
        "ruler.alertmanager_url": ",".join(filter(None, (addresses.enricher, addresses.alertmanager))),
        "ruler.remote_write.enabled": addresses.prometheus is not None,
    }.items():
        set_key(document, key, value, source)
    if addresses.prometheus is not None:
        set_key(document, "ruler.remote_write.clients.prometheus.url", f"{addresses.prometheus}/api/v1/write", source)
    if addresses.grafana is not None:
        set_key(document, "ruler.external_url", addresses.grafana, source)
    return merge(document, changes)


def prometheus_config(source: Path, rules: Path, addresses: Addresses) -> Document:
    """prometheus.yml for one run: the rule files in `rules`, and the run's enricher, Alertmanager and Grafana.

    Without an Alertmanager alerts are evaluated and shown by /api/v1/alerts, and sent nowhere.
    """
    document = load_yaml(source)
    set_key(document, "rule_files", [str(rules / "*.y*ml")], source)
    managers = [urlsplit(url).netloc for url in (addresses.enricher, addresses.alertmanager) if url is not None]
    set_key(document, "alerting.alertmanagers", [{"static_configs": [{"targets": managers}]}], source)
    if addresses.grafana is not None:
        set_key(document, "global.external_labels.grafana_url", addresses.grafana, source)
    return document


def alertmanager_config(source: Path, addresses: Addresses) -> Document:
    """alertmanager.yml with the run's receivers in place of the one of compose.yaml, and its own secrets' directory.

    A message to the dead man's switch goes nowhere when the run has none: no receiver of alerts expects it.
    """
    document = load_yaml(source)
    for receiver in document.get("receivers") or ():
        for webhook in list(receiver.get("webhook_configs") or ()):
            url = urlsplit(str(webhook.get("url")))
            if url.hostname != WEBHOOK_HOST or addresses.webhook is None:
                continue
            if url.path != DEADMANSSWITCH_PATH:
                webhook["url"] = addresses.webhook
            elif addresses.deadmansswitch is not None:
                webhook["url"] = addresses.deadmansswitch
            else:
                receiver["webhook_configs"].remove(webhook)
        for integration in (one for value in receiver.values() if isinstance(value, list) for one in value):
            for key, value in integration.items():
                if key.endswith("_file") and str(value).startswith(MOUNTED_SECRETS):
                    integration[key] = str(SECRETS_DIRECTORY.absolute() / str(value).removeprefix(MOUNTED_SECRETS))
    return document


def vector_config(source: Path, api_port: int, addresses: Addresses) -> Document:
    """vector.toml as a document to be written as JSON, which Vector reads as well.

    The loki sinks get the run's address, and the health endpoint is added. The data directory stays the committed one:
    a Vector that is started by hand must find the same file positions, or it ships everything again.
    """
    try:
        document = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackInputError(f"{source}: {error.strerror}; run from the project's root") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StackInputError(f"{source}: not TOML: {error}") from None
    document.pop("tests", None)
    for sink in document.get("sinks", {}).values():
        if sink.get("type") == "loki" and addresses.loki is not None:
            sink["endpoint"] = addresses.loki
    document["api"] = {"enabled": True, "address": f"{HOST}:{api_port}"}
    return document


def grafana_provisioning(source: Path, target: Path, addresses: Addresses) -> None:
    """Copy grafana/provisioning with the run's data source addresses and the dashboards' directory."""
    urls = {"loki": addresses.loki, "prometheus": addresses.prometheus, "alertmanager": addresses.alertmanager}
    for file in sorted((source / "provisioning").rglob("*.y*ml")):
        document = load_yaml(file)
        for datasource in document.get("datasources") or ():
            if url := urls.get(str(datasource.get("type"))):
                datasource["url"] = url
        for provider in document.get("providers") or ():
            if provider.get("type", "file") == "file":
                provider["options"] = {**provider.get("options", {}), "path": str((source / "dashboards").resolve())}
        output = target / file.relative_to(source / "provisioning")
        output.parent.mkdir(parents=True, exist_ok=True)
        write_yaml(output, document)


def read_rules(directory: Path) -> dict[str, Document]:
    """The rule files of a directory by file name, each checked for its shape.

    Raises:
        StackError: a file is not a rule file. One such file would make Loki's ruler keep old rules, or none at all, and
            Prometheus not start.
    """
    found: dict[str, Document] = {}
    for path in sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")]):
        document = load_yaml(path)
        groups = document.get("groups")
        if not isinstance(groups, list):
            raise StackInputError(
                f"{path}: expected a list of rule groups under `groups`; only rule files may be in {directory}"
            )
        for group in groups:
            if not (isinstance(group, dict) and group.get("name") and isinstance(group.get("rules"), list)):
                raise StackInputError(f"{path}: expected a `name` and a list of `rules` in every group")
            for rule in group["rules"]:
                if not (isinstance(rule, dict) and rule.get("expr") and ("record" in rule) != ("alert" in rule)):
                    raise StackInputError(
                        f"{path}: group {group['name']}: expected `expr` and `record` or `alert` in {rule!r:.200}"
                    )
        found[path.name] = document
    return found


def write_yaml(path: Path, document: Document) -> None:
    """Write a document with its keys in their order."""
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
