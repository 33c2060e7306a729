"""`logpipe stack` as a user runs it: other processes, signals, exit codes, one line per error."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from logging_pkg.cli import main
from logging_pkg.exceptions import StackError
from logging_pkg.stack.ports import free_ports
from logging_pkg.stack.process import is_running
from logging_pkg.stack.state import read_state
from logging_pkg.stack.supervisor import Options, ports_from_environ, run

from .conftest import eventually, processes_of


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Command:
    """Runs `logpipe stack …` with one run directory: in this process, or with start() in another that takes signals."""

    directory: Path
    environ: dict[str, str]
    capture: pytest.CaptureFixture[str]

    def __call__(self, name: str, *arguments: str, **environ: str) -> Answer:
        place = [] if name == "build" else ["-d", str(self.directory)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["logpipe", "stack", name, *place, *arguments])
            for key, value in {**self.environ, **environ}.items():
                patch.setenv(key, value)
            self.capture.readouterr()
            try:
                main()
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Answer(code, *self.capture.readouterr())

    def start(self, *arguments: str, **options) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "logging_pkg.cli", "stack", "up", "-d", str(self.directory), *arguments]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
        return subprocess.Popen(line, env={**os.environ, **self.environ}, text=True, **options)


@pytest.fixture
def stack(tmp_path: Path, server_environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    # No Vector or Grafana that happens to be on this machine; lines as long as they are.
    environ = {key: value for key, value in server_environ.items() if key.startswith("LOGPIPE_")}
    command = Command(tmp_path / "run", {**environ, "PATH": "/usr/bin:/bin", "NO_COLOR": "1"}, capsys)
    yield command
    command("down")


def ready(command: Command) -> bool:
    state = read_state(command.directory)
    return state is not None and state.phase == "ready"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_runs_until_a_signal_and_leaves_nothing(stack: Command, signal_number: signal.Signals) -> None:
    """Addresses while it runs; after Ctrl-C, kill or the closing of the terminal no process and no state file."""
    process = stack.start()
    assert process.stdout is not None
    printed = []
    while "alerts are delivered to" not in (printed or [""])[-1]:
        printed.append(process.stdout.readline())
        assert printed[-1], printed
    process.send_signal(signal_number)
    rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "stopping\n")
    state_lines = [line.split() for line in printed]
    for name in ("alertmanager", "prometheus", "loki"):
        assert any(line[:2] == ["✓", name] and "http://127.0.0.1:" in " ".join(line) for line in state_lines)
    assert " – vector        not found: the embedded shipper (`logpipe ship`) ships the logs instead\n" in printed
    assert processes_of(stack.directory) == []
    assert read_state(stack.directory) is None


def test_ctrl_c_in_a_terminal_stops_in_order(stack: Command) -> None:
    """Ctrl-C goes to the whole foreground group; the servers are in groups of their own and are stopped one by one."""
    leader, follower = pty.openpty()
    process = stack.start(stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    try:
        eventually(lambda: ready(stack))
        servers = [pid for pid in processes_of(stack.directory) if pid != process.pid]
        assert all(os.getpgid(pid) != os.getpgid(process.pid) for pid in servers)
        os.killpg(process.pid, signal.SIGINT)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        os.close(follower)
        os.close(leader)
    assert processes_of(stack.directory) == []


def test_second_ctrl_c_does_not_break_off_the_first(tmp_path: Path, server_environ: dict[str, str]) -> None:
    """However early the second comes, the stack ends as after one: told of, stopped, without an exception."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "alerts are delivered" in line or line == "stopping":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        for key, value in server_environ.items():
            patch.setenv(key, value)
        run(Options(str(tmp_path / "run"), servers=("alertmanager",)), say)
    assert said[-1] == "stopping"
    assert said.count("stopping") == 1
    assert processes_of(tmp_path / "run") == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_wrong_options_leave_signals_as_they_were(tmp_path: Path) -> None:
    """A program that calls `run` and goes on can still be stopped."""
    with pytest.raises(StackError, match="unknown server"):
        run(Options(str(tmp_path / "run"), servers=("nonsense",)), print)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_detached_stack_is_seen_and_stopped(stack: Command) -> None:
    """With --detach, up returns with everything ready; status says so with exit code 0; down stops it; status then says 1."""
    up = stack("up", "--detach")
    assert up.returncode == 0, up.stderr
    state = json.loads((stack.directory / "state.json").read_text())
    assert requests.get(state["servers"]["loki"]["ready_url"]).ok
    status = stack("status")
    assert status.returncode == 0
    for name in ("loki", "prometheus", "alertmanager"):
        line = next(line for line in status.stdout.splitlines() if line.startswith(name))
        assert " ready " in line
        assert str(state["servers"][name]["pid"]) in line
        assert state["servers"][name]["url"] in line
    again = stack("up")
    assert (again.returncode, again.stdout) == (1, "")
    assert "already running" in again.stderr
    down = stack("down")
    assert (down.returncode, down.stdout) == (0, "stopped alertmanager, prometheus, loki\n")
    assert processes_of(stack.directory) == []
    after = stack("status")
    assert (after.returncode, after.stdout) == (1, "")
    assert after.stderr == f"logpipe: no stack is running in {stack.directory}; start one with `logpipe stack up`\n"
    assert stack("down").stdout == f"no stack is running in {stack.directory}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_killed_supervisor_leaves_nothing_and_status_says_so(stack: Command) -> None:
    """Kill -9 of the detached supervisor: no server left, status with exit code 1, down tidies up."""
    assert stack("up", "--detach", "-s", "loki").returncode == 0
    state = read_state(stack.directory)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    # Not by its command line alone: a killed process loses that before it has given back its memory and ended.
    loki = state.servers["loki"]
    eventually(lambda: not is_running(loki.pid, loki.identity))
    assert processes_of(stack.directory) == []
    status = stack("status")
    assert status.returncode == 1
    assert "not running" in status.stdout
    assert stack("down").stdout == f"the stack in {stack.directory} had already ended\n"
    assert read_state(stack.directory) is None


def test_server_that_ends_by_itself_ends_the_stack_with_its_reason(stack: Command) -> None:
    """One line with the exit code; the others are stopped."""
    process = stack.start("-s", "loki", "-s", "prometheus", stderr=subprocess.PIPE)
    eventually(lambda: ready(stack))
    state = read_state(stack.directory)
    assert state is not None
    os.kill(state.servers["prometheus"].pid, signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.startswith("logpipe: prometheus ended with exit code -9: ")
    assert error.count("\n") == 1
    assert processes_of(stack.directory) == []


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_port_in_use_is_one_line(stack: Command, detach: list[str]) -> None:
    """From an option and from the environment; detached, the supervisor's reason is passed on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answers = [stack("up", *detach, "--port", f"loki={port}"), stack("up", *detach, LOGPIPE_LOKI_PORT=str(port))]
    for answer in answers:
        assert answer.returncode == 1
        assert answer.stderr.startswith(f"logpipe: loki: port {port} on 127.0.0.1 is in use; ")
        assert answer.stderr.count("\n") == 1
    assert processes_of(stack.directory) == []


def test_configured_port_and_receiver_are_used(stack: Command) -> None:
    """--port, and --webhook in place of the own receiver."""
    port = free_ports(1)[0]
    up = stack(
        "up", "--detach", "-s", "alertmanager", "--port", f"alertmanager={port}", "--webhook", "http://127.0.0.1:9/x"
    )
    assert up.returncode == 0, up.stderr
    assert f"http://127.0.0.1:{port}" in up.stdout
    assert "http://127.0.0.1:9/x" in stack("status").stdout
    assert "http://127.0.0.1:9/x" in (stack.directory / "config" / "alertmanager.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "environ", "problem"),
    [
        (["up", "--port", "loki=x"], {}, "--port loki=x: expected SERVER=NUMBER"),
        (["up", "--port", "mimir=1"], {}, "--port mimir=1: expected SERVER=NUMBER"),
        (["up"], {"LOGPIPE_LOKI_PORT": "x"}, "LOGPIPE_LOKI_PORT=x: expected a port number"),
        (["up", "-s", "mimir"], {}, "unknown server 'mimir'"),
        (["up", "-s", "loki"], {"LOGPIPE_LOKI_BIN": "/no"}, "LOGPIPE_LOKI_BIN=/no: expected an executable file"),
        (
            ["up", "--detach", "-s", "loki"],
            {"LOGPIPE_LOKI_BIN": "/no"},
            "LOGPIPE_LOKI_BIN=/no: expected an executable file",
        ),
        (["up", "--config", "/no"], {}, "/no/"),
    ],
)
def test_wrong_option_is_one_line(stack: Command, arguments: list[str], environ: dict[str, str], problem: str) -> None:
    """Exit code 2, no traceback, nothing started."""
    answer = stack(*arguments, **environ)
    assert answer.returncode == 2
    assert problem in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert processes_of(stack.directory) == []


def test_missing_go_is_one_line(stack: Command, tmp_path: Path) -> None:
    """With nothing on PATH and an empty cache."""
    environ = {"PATH": str(tmp_path), "LOGPIPE_CACHE_DIR": str(tmp_path / "cache"), "LOGPIPE_LOKI_BIN": ""}
    answer = stack("up", "-s", "loki", **environ)
    assert answer.returncode == 1
    assert answer.stderr.startswith(
        "logpipe: loki: not found, and no `go` on PATH to build it (Go 1.26.5 or newer builds it)"
    )
    assert answer.stderr.count("\n") == 1


def test_build_lists_the_programs(stack: Command) -> None:
    """What would be started, and where it is from."""
    answer = stack("build", "-s", "loki")
    assert answer.returncode == 0
    assert "LOGPIPE_LOKI_BIN" in answer.stdout
    answer = stack("build", "-s", "x")
    assert (answer.returncode, "unknown server 'x'" in answer.stderr) == (2, True)


def test_ports_are_read_from_the_environment() -> None:
    """LOGPIPE_<SERVER>_PORT; empty is not set."""
    assert ports_from_environ({"LOGPIPE_LOKI_PORT": "3101", "LOGPIPE_GRAFANA_PORT": ""}) == {"loki": 3101}
    with pytest.raises(StackError, match="LOGPIPE_LOKI_PORT=-1"):
        ports_from_environ({"LOGPIPE_LOKI_PORT": "-1"})
