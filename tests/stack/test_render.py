"""The committed configuration files, as they are and as they are run."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from logging_pkg.exceptions import StackError
from logging_pkg.stack import find_binary, render
from logging_pkg.stack.render import Addresses
from logging_pkg.stack.runner import default_config_directory

CONFIG = default_config_directory()
PROJECT = CONFIG.parent


def differences(before: object, after: object, at: str = "") -> set[str]:
    """Dotted paths of the values that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = before.keys() | after.keys()
        return set().union(*(differences(before.get(key), after.get(key), f"{at}.{key}".strip(".")) for key in keys))
    return set() if before == after else {at}


def test_loki_takes_the_committed_file_as_it_stands(stack_binaries) -> None:
    """What compose.yaml mounts into the official image is valid."""
    command = [stack_binaries["loki"].path, f"-config.file={CONFIG / 'loki.yaml'}", "-verify-config"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_run_changes_addresses_and_directories_and_no_limit(tmp_path: Path) -> None:
    """The limits that are tested are the limits that are committed."""
    addresses = Addresses(
        prometheus="http://127.0.0.1:1", grafana="http://127.0.0.1:2", alertmanager="http://127.0.0.1:3"
    )
    rendered = render.loki_config(
        CONFIG / "loki.yaml", tmp_path / "data", tmp_path / "rules", 1234, 1235, addresses, {}
    )
    assert differences(render.load_yaml(CONFIG / "loki.yaml"), rendered) == {
        "server.http_listen_address",
        "server.http_listen_port",
        "server.grpc_listen_port",
        "common.path_prefix",
        "common.storage.filesystem.chunks_directory",
        "common.storage.filesystem.rules_directory",
        "ingester.wal.dir",
        "compactor.working_directory",
        "ruler.storage.local.directory",
        "ruler.rule_path",
        "ruler.wal.dir",
        "ruler.alertmanager_url",
        "ruler.remote_write.clients.prometheus.url",
        "ruler.external_url",
    }
    assert "/loki" not in json.dumps({key: rendered[key] for key in ("common", "ingester", "compactor")}).replace(
        str(tmp_path), ""
    )


def test_loki_alone_sends_nothing(tmp_path: Path) -> None:
    """Without Prometheus and Alertmanager the ruler neither writes nor notifies."""
    rendered = render.loki_config(CONFIG / "loki.yaml", tmp_path, tmp_path, 1, 2, Addresses(), {})
    assert rendered["ruler"]["remote_write"]["enabled"] is False
    assert rendered["ruler"]["alertmanager_url"] == ""


def test_changes_are_merged_into_nested_keys(tmp_path: Path) -> None:
    """A test's own limit replaces one value and leaves its neighbours."""
    rendered = render.loki_config(
        CONFIG / "loki.yaml", tmp_path, tmp_path, 1, 2, Addresses(), {"limits_config": {"ingestion_rate_mb": 1}}
    )
    assert rendered["limits_config"]["ingestion_rate_mb"] == 1
    assert rendered["limits_config"]["max_query_series"] == 10_000


def test_renamed_key_is_an_error_and_not_ignored(tmp_path: Path) -> None:
    """A committed file without a key that the run replaces would start a server at another place."""
    path = tmp_path / "loki.yaml"
    path.write_text((CONFIG / "loki.yaml").read_text().replace("http_listen_port", "http_port"))
    with pytest.raises(StackError, match=r"loki\.yaml: expected the key server\.http_listen_port"):
        render.loki_config(path, tmp_path, tmp_path, 1, 2, Addresses(), {})


@pytest.mark.parametrize(
    ("text", "problem"), [("a: [", "not YAML"), ("- 1", "expected a mapping"), (None, "No such file")]
)
def test_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, problem: str) -> None:
    """Missing, malformed, and not a mapping."""
    path = tmp_path / "prometheus.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StackError, match=f"prometheus.yml: {problem}"):
        render.load_yaml(path)


def test_webhook_of_the_committed_file_is_replaced_and_others_stay(tmp_path: Path) -> None:
    """The user's own receivers are not touched; the dead man's switch has an address of its own, or none."""
    document = render.load_yaml(CONFIG / "alertmanager.yml")
    document["receivers"].append({"name": "own", "webhook_configs": [{"url": "http://pager.example/x"}]})
    path = tmp_path / "alertmanager.yml"
    render.write_yaml(path, document)

    def urls(addresses: Addresses) -> list[str]:
        receivers = render.alertmanager_config(path, addresses)["receivers"]
        return [hook["url"] for receiver in receivers for hook in receiver.get("webhook_configs", ())]

    alerts, switch = "http://127.0.0.1:9/alerts", "http://127.0.0.1:9/deadmansswitch"
    assert urls(Addresses(webhook=alerts, deadmansswitch=switch)) == [alerts, switch, "http://pager.example/x"]
    assert urls(Addresses(webhook=alerts)) == [alerts, "http://pager.example/x"]
    assert urls(Addresses()) == [hook for hook in urls(Addresses()) if "webhook:9099" in hook or "pager" in hook]


def test_secrets_are_read_from_the_project_where_no_container_mounts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory that compose.yaml mounts, by its own path; every secret of the committed file is in a file there."""
    monkeypatch.chdir(tmp_path)
    receivers = render.alertmanager_config(CONFIG / "alertmanager.yml", Addresses())["receivers"]
    integrations = [
        one for receiver in receivers for value in receiver.values() if isinstance(value, list) for one in value
    ]
    files = {key: value for one in integrations for key, value in one.items() if key.endswith("_file")}
    directory = tmp_path / ".logpipe" / "secrets"
    assert files == {
        "api_url_file": str(directory / "slack_api_url"),
        "auth_password_file": str(directory / "smtp_password"),
    }
    assert not any(key in one for one in integrations for key in ("api_url", "auth_password"))
    mounts = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]["alertmanager"]["volumes"]
    assert f"./{render.SECRETS_DIRECTORY}:{render.MOUNTED_SECRETS.rstrip('/')}:ro" in mounts


def test_ruler_sends_to_the_enricher_and_past_it(tmp_path: Path) -> None:
    """In the committed file and in a run: an alert does not depend on the enricher."""
    assert render.load_yaml(CONFIG / "loki.yaml")["ruler"]["alertmanager_url"].split(",") == [
        "http://enricher:9095",
        "http://alertmanager:9093",
    ]
    addresses = Addresses(alertmanager="http://127.0.0.1:1", enricher="http://127.0.0.1:2")
    rendered = render.loki_config(CONFIG / "loki.yaml", tmp_path, tmp_path, 1, 2, addresses, {})
    assert rendered["ruler"]["alertmanager_url"] == "http://127.0.0.1:2,http://127.0.0.1:1"


def test_vector_gets_the_address_and_keeps_its_file_positions() -> None:
    """Only the loki sink's endpoint changes; the health endpoint is added; the tests are left out."""
    committed = tomllib.loads((PROJECT / "vector.toml").read_text())
    rendered = render.vector_config(PROJECT / "vector.toml", 8686, Addresses(loki="http://127.0.0.1:3999"))
    assert differences(committed, rendered) == {"sinks.loki.endpoint", "api", "tests"}
    assert rendered["sinks"]["loki"]["endpoint"] == "http://127.0.0.1:3999"


def test_vector_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing and malformed."""
    with pytest.raises(StackError, match=r"vector\.toml: No such file"):
        render.vector_config(tmp_path / "vector.toml", 1, Addresses())
    (tmp_path / "vector.toml").write_text("a =")
    with pytest.raises(StackError, match=r"vector\.toml: not TOML"):
        render.vector_config(tmp_path / "vector.toml", 1, Addresses())


def test_grafana_data_sources_get_the_addresses(tmp_path: Path) -> None:
    """By type; the dashboards' directory becomes absolute."""
    source = tmp_path / "grafana"
    (source / "provisioning" / "datasources").mkdir(parents=True)
    (source / "provisioning" / "dashboards").mkdir(parents=True)
    (source / "dashboards").mkdir()
    (source / "provisioning" / "datasources" / "all.yaml").write_text(
        "datasources: [{type: loki, uid: loki, url: http://loki:3100}, {type: other, url: x}]"
    )
    (source / "provisioning" / "dashboards" / "all.yaml").write_text(
        "providers: [{name: a, options: {path: /etc/grafana/dashboards, x: 1}}]"
    )
    render.grafana_provisioning(source, tmp_path / "out", Addresses(loki="http://127.0.0.1:5"))
    written = yaml.safe_load((tmp_path / "out" / "datasources" / "all.yaml").read_text())
    assert [entry["url"] for entry in written["datasources"]] == ["http://127.0.0.1:5", "x"]
    written = yaml.safe_load((tmp_path / "out" / "dashboards" / "all.yaml").read_text())
    assert written["providers"][0]["options"] == {"path": str(source / "dashboards"), "x": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("groups: {}", "expected a list of rule groups"),
        ("tests: []", "expected a list of rule groups"),
        ("groups: [{rules: []}]", "expected a `name`"),
        ("groups: [{name: a, rules: [{record: 'a:b:c'}]}]", "expected `expr`"),
        ("groups: [{name: a, rules: [{expr: x}]}]", "expected `expr` and `record` or `alert`"),
        ("groups: [{name: a, rules: [{expr: x, record: y, alert: z}]}]", "expected `expr` and `record` or `alert`"),
    ],
)
def test_file_that_is_no_rule_file_is_found_before_the_start(tmp_path: Path, text: str, problem: str) -> None:
    """One such file among the rules makes Loki's ruler keep old rules, or none."""
    (tmp_path / "good.yaml").write_text("groups: [{name: a, rules: [{expr: x, alert: Y}]}]")
    assert list(render.read_rules(tmp_path)) == ["good.yaml"]
    (tmp_path / "bad.yml").write_text(text)
    with pytest.raises(StackError, match=rf"bad\.yml: .*{problem}"):
        render.read_rules(tmp_path)


def test_compose_mounts_files_that_exist_and_the_addresses_of_the_files() -> None:
    """Each mounted file is committed, and the host names in the configuration are services."""
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    mounted = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    files = [path for path in mounted if Path(path).suffix]
    assert files
    assert [path for path in files if not (PROJECT / path).is_file()] == []
    text = (CONFIG / "loki.yaml").read_text() + (CONFIG / "alertmanager.yml").read_text()
    for host in ("prometheus:9090", "alertmanager:9093", "webhook:9099", "enricher:9095"):
        assert f"http://{host}" in text
        assert host.partition(":")[0] in services


def test_prometheus_is_given_the_run_s_rules_alertmanager_and_grafana(tmp_path: Path) -> None:
    """Nothing else changes; alerts go to the enricher and past it; without an Alertmanager they are sent nowhere."""
    committed = render.load_yaml(CONFIG / "prometheus.yml")
    addresses = Addresses(
        alertmanager="http://127.0.0.1:3", enricher="http://127.0.0.1:4", grafana="http://127.0.0.1:2"
    )
    rendered = render.prometheus_config(CONFIG / "prometheus.yml", tmp_path, addresses)
    assert differences(committed, rendered) == {
        "rule_files", "alerting.alertmanagers", "global.external_labels.grafana_url",
    }  # fmt: skip
    assert rendered["rule_files"] == [f"{tmp_path}/*.y*ml"]
    assert rendered["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["127.0.0.1:4", "127.0.0.1:3"]}]}]
    assert rendered["global"]["external_labels"]["grafana_url"] == "http://127.0.0.1:2"
    alone = render.prometheus_config(CONFIG / "prometheus.yml", tmp_path, Addresses())
    assert alone["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": []}]}]
    assert alone["global"] == committed["global"]


def test_prometheus_takes_the_committed_file_as_it_stands() -> None:
    """With the rule files beside it, as compose.yaml mounts them."""
    command = [find_binary("promtool").path, "check", "config", CONFIG / "prometheus.yml"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
