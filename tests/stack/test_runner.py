"""The stack on real servers: start, use, failures, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from logging_pkg.exceptions import StackError
from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.stack import Stack
from logging_pkg.stack.ports import free_ports
from logging_pkg.stack.state import read_state, write_state

from .conftest import eventually, processes_of

RULES = """
groups:
  - name: example
    interval: 1s
    rules:
      - {record: "test:lines:count1h", expr: 'sum(count_over_time({event="test.thing_done"}[1h]))'}
      - alert: LinesSeen
        expr: sum(count_over_time({event="test.thing_done"}[1h])) > 0
        labels: {severity: critical}
        annotations: {summary: there are lines}
"""


def push(url: str, line: str = "x") -> None:
    with LokiClient(url) as client:
        client.push([Stream({"service_name": "test", "event": "test.thing_done"}, [Entry(time.time_ns(), line)])])


def lines(url: str) -> list[str]:
    with LokiClient(url) as client:
        now = time.time_ns()
        return [e.line for e in client.query_range('{service_name="test"}', now - 10**12, now + 10**9).entries]


@pytest.mark.usefixtures("stack_binaries")
def test_recorded_series_and_alert_arrive(tmp_path: Path) -> None:
    """Log line, rule, then Prometheus by remote write and the receiver through Alertmanager; a second start takes over the data."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "example.yaml").write_text(RULES)
    run = tmp_path / "run"
    with Stack(run_directory=run, rules_directory=rules) as stack:
        assert stack.servers == ("alertmanager", "prometheus", "loki")
        push(stack.loki_url)
        assert stack.receiver is not None
        found = stack.receiver.wait_for(lambda alert: alert["labels"]["alertname"] == "LinesSeen", 60)
        assert found is not None
        assert found[1]["annotations"] == {"summary": "there are lines"}
        query = f"{stack.prometheus_url}/api/v1/query"
        for series in ("test:lines:count1h", 'ALERTS{alertname="LinesSeen"}'):
            eventually(lambda name=series: requests.get(query, params={"query": name}).json()["data"]["result"])
        assert requests.get(f"{stack.alertmanager_url}/api/v2/alerts").json()[0]["labels"]["alertname"] == "LinesSeen"
        state = read_state(run)
        assert state is not None
        assert (state.pid, state.phase, state.webhook_url) == (os.getpid(), "ready", stack.receiver.url)
        assert {name: server.url for name, server in state.servers.items()} == {
            name: stack.url(name) for name in stack.servers
        }
        assert len(processes_of(run)) == 3
    assert processes_of(run) == []
    assert read_state(run) is None
    assert json.loads((run / "alerts.ndjson").read_text().splitlines()[0])["payload"]["status"] == "firing"
    with Stack(servers=("loki",), run_directory=run) as again:
        assert lines(again.loki_url) == ["x"]


@pytest.mark.usefixtures("stack_binaries")
def test_one_server_can_be_stopped_killed_and_started_again(tmp_path: Path) -> None:
    """It keeps its address and data: what was acknowledged is there after SIGKILL."""
    with Stack(servers=("loki",), run_directory=tmp_path) as stack:
        url = stack.loki_url
        push(url, "before")
        stack.kill("loki")
        assert stack.pid("loki") is None
        assert "exit code -9" in str(stack.failed())
        stack.start("loki")
        assert stack.failed() is None
        push(url, "after kill")
        stack.restart("loki")
        push(url, "after restart")
        assert lines(url) == ["before", "after kill", "after restart"]
        stack.stop("loki")
        with pytest.raises(requests.ConnectionError):
            requests.get(url)


@pytest.mark.usefixtures("stack_binaries")
def test_temporary_run_directory_is_deleted() -> None:
    """A Loki for one test leaves no files."""
    with Stack(servers=("loki",)) as stack:
        directory = stack.run_directory
        assert directory.is_dir()
    assert not directory.exists()


@pytest.mark.usefixtures("stack_binaries")
def test_port_in_use_is_one_clear_line_and_nothing_is_left(tmp_path: Path) -> None:
    """For the last server to start; those before it are not left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(StackError, match=rf"loki: port {port} on 127\.0\.0\.1 is in use; .*LOGPIPE_LOKI_PORT"),
            Stack(run_directory=tmp_path, ports={"loki": port}),
        ):
            pass
    assert processes_of(tmp_path) == []
    assert read_state(tmp_path) is None


@pytest.mark.parametrize("port", [0, 70000])
@pytest.mark.usefixtures("stack_binaries")
def test_number_that_is_no_port_is_refused(port: int) -> None:
    """Before anything starts."""
    with pytest.raises(StackError, match=f"port {port} is not a port"), Stack(servers=("loki",), ports={"loki": port}):
        pass


@pytest.mark.usefixtures("stack_binaries")
def test_port_taken_between_choice_and_start_is_chosen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A free port is not ours until the server has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answers = [[taken.getsockname()[1], free_ports(1)[0]], free_ports(2)]
        monkeypatch.setattr("logging_pkg.stack.runner.free_ports", lambda count: answers.pop(0))
        with Stack(servers=("loki",), run_directory=tmp_path) as stack:
            assert not stack.loki_url.endswith(f":{taken.getsockname()[1]}")
            assert answers == []
    assert processes_of(tmp_path) == []


@pytest.mark.usefixtures("stack_binaries")
def test_configuration_a_server_does_not_take_is_one_line_with_its_words(tmp_path: Path) -> None:
    """Loki's own message and the log; Prometheus, started before it, is stopped."""
    changes = {"limits_config": {"no_such_key": 1}}
    with (
        pytest.raises(
            StackError, match=r"loki ended with exit code 1 while starting: .*no_such_key.*; log: "
        ) as caught,
        Stack(servers=("prometheus", "loki"), run_directory=tmp_path, loki_changes=changes),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert processes_of(tmp_path) == []


def test_server_that_does_not_get_ready_is_stopped(
    tmp_path: Path, program: Callable[[str, str], Path], bare_environ: dict[str, str]
) -> None:
    """After the deadline, with its last words."""
    silent = program(
        "loki", '[ "$1" = --version ] && { echo loki, version 3.7.6; exit; }; echo thinking; exec /bin/sleep 600'
    )
    environ = {**bare_environ, "LOGPIPE_LOKI_BIN": str(silent)}
    with (
        pytest.raises(StackError, match=r"loki is not ready after 0\.3 s: thinking"),
        Stack(servers=("loki",), run_directory=tmp_path / "run", environ=environ, ready_timeout_s=0.3),
    ):
        pass
    assert processes_of(tmp_path / "run") == []


@pytest.mark.usefixtures("stack_binaries")
def test_rule_that_is_no_logql_fails_the_start(tmp_path: Path) -> None:
    """Loki would go on without any rule and say so only in its log; here it is an error with the committed file's name."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "bad.yaml").write_text(
        'groups: [{name: a, rules: [{record: "a:b:c", expr: "sum(count_over({a=1}[1m]))"}]}]'
    )
    with (
        pytest.raises(StackError, match=rf"{rules}/bad\.yaml.*parse error"),
        Stack(servers=("loki",), run_directory=tmp_path / "run", rules_directory=rules),
    ):
        pass
    assert processes_of(tmp_path / "run") == []


def test_missing_binary_fails_the_start_before_anything_runs(tmp_path: Path, bare_environ: dict[str, str]) -> None:
    """No Go, no binary: one line."""
    with (
        pytest.raises(StackError, match="no `go` on PATH"),
        Stack(servers=("loki",), run_directory=tmp_path / "run", environ=bare_environ),
    ):
        pass
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("stack_binaries")
def test_optional_servers_are_left_out_with_what_does_their_work(tmp_path: Path) -> None:
    """Vector and Grafana cannot be built; a stack without them starts, and says what is used instead."""
    environ = {**os.environ, "PATH": str(tmp_path)}
    environ |= {"LOGPIPE_GRAFANA_BIN": "/no/such/file"}
    with Stack(servers=("loki", "vector", "grafana"), environ=environ) as stack:
        assert stack.servers == ("loki",)
        assert "embedded shipper" in stack.instead["vector"]
        assert "LOGPIPE_GRAFANA_BIN=/no/such/file" in stack.instead["grafana"]


@pytest.mark.usefixtures("stack_binaries")
def test_second_stack_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    """Two Lokis on one data directory would destroy it."""
    with Stack(servers=("loki",), run_directory=tmp_path) as first:
        with pytest.raises(StackError, match="already running"), Stack(servers=("loki",), run_directory=tmp_path):
            pass
        assert lines(first.loki_url) == []
        assert read_state(tmp_path) is not None


@pytest.mark.usefixtures("stack_binaries")
def test_exception_in_the_block_stops_the_servers(tmp_path: Path) -> None:
    """As a failing test does."""
    with pytest.raises(ZeroDivisionError), Stack(servers=("loki",), run_directory=tmp_path):
        _ = 1 / 0
    assert processes_of(tmp_path) == []


def test_unknown_server_is_named() -> None:
    """With the ones there are."""
    with pytest.raises(StackError, match="unknown server 'lokki'; expected some of alertmanager, prometheus, loki"):
        Stack(servers=("lokki",))


def test_address_of_a_server_that_is_not_part_is_an_error() -> None:
    """Not an empty text."""
    with pytest.raises(StackError, match="loki is not part of this stack"):
        _ = Stack(servers=()).loki_url


def test_state_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """It is not guessed at."""
    (tmp_path / "state.json").write_text('{"version": 99}')
    with pytest.raises(StackError, match="not a state file this version can read"):
        read_state(tmp_path)


RUNNER = """
import sys, time
from pathlib import Path
from logging_pkg.stack import Stack
with Stack(run_directory=Path(sys.argv[1])) as stack:
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_killed_runner_leaves_no_process(tmp_path: Path, server_environ: dict[str, str]) -> None:
    """Kill -9 of the runner ends its servers, and the directory can be used again at once."""
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path)], env=server_environ, stdout=subprocess.PIPE, text=True
    )
    try:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "ready\n"
        servers = [pid for pid in processes_of(tmp_path) if pid != runner.pid]
        assert len(servers) == 3
    finally:
        runner.kill()
        runner.communicate()
    eventually(lambda: processes_of(tmp_path) == [])
    assert read_state(tmp_path) is not None
    with Stack(servers=("loki",), run_directory=tmp_path, environ=server_environ) as stack:
        push(stack.loki_url)


@pytest.mark.usefixtures("stack_binaries")
def test_servers_left_by_a_killed_runner_are_stopped_by_the_next(tmp_path: Path) -> None:
    """What the kernel does on Linux, the next start does elsewhere: by the state file."""
    left = subprocess.Popen(["sleep", "600"])
    with Stack(servers=("loki",), run_directory=tmp_path):
        state = read_state(tmp_path)
    assert state is not None
    from dataclasses import replace

    from logging_pkg.stack.process import identity

    server = replace(state.servers["loki"], pid=left.pid, identity=identity(left.pid) or "")
    write_state(tmp_path, replace(state, servers={"loki": server}))
    with Stack(servers=("loki",), run_directory=tmp_path):
        assert left.wait(timeout=10) == -signal.SIGTERM


@pytest.mark.usefixtures("stack_binaries")
def test_prometheus_evaluates_its_rules_and_sends_their_alerts(tmp_path: Path) -> None:
    """To this run's Alertmanager, with links to this run's Grafana; the label that carries its address stays behind."""
    rules = tmp_path / "prometheus_rules"
    rules.mkdir()
    (rules / "a.yaml").write_text("""\
groups:
  - name: a
    interval: 1s
    rules:
      - {record: "a:b:c", expr: vector(7)}
      - alert: Seven
        expr: a:b:c == 7
        labels: {severity: critical}
        annotations: {dashboard_url: "{{ $externalLabels.grafana_url }}/explore"}
""")
    (rules / "README.md").write_text("no rules")
    with Stack(servers=("prometheus", "alertmanager"), prometheus_rules_directory=rules) as stack:
        assert stack.receiver is not None
        # What fires before Prometheus knows of the Alertmanager is sent again after a minute (--rules.alert.resend-delay).
        deadline = time.monotonic() + 100
        while not stack.receiver.deliveries:
            assert time.monotonic() < deadline, "nothing is delivered"
            time.sleep(0.1)
        (alert,) = stack.receiver.deliveries[0].alerts
    assert alert["labels"] == {"alertname": "Seven", "severity": "critical"}
    assert alert["annotations"] == {"dashboard_url": "http://127.0.0.1:3000/explore"}
