"""Keeps a stack running until it is told to stop, in the foreground or on its own.

In: options. Out: a running stack with a state file; lines for a person through `say`. Never: a signal to a process that
is not the one in the state file, or servers that outlive an unexpected end of one of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from logging_pkg.exceptions import StackError, StackInputError
from logging_pkg.http_session import NoAnswer, ask, http_session
from logging_pkg.stack.binaries import find_binary
from logging_pkg.stack.gobuild import OnProgress
from logging_pkg.stack.process import end_process, is_running
from logging_pkg.stack.runner import Stack, default_config_directory
from logging_pkg.stack.servers import SERVERS
from logging_pkg.stack.state import State, read_state, remove_state
from logging_pkg.stack.webhook import Delivery, describe

Say = Callable[[str], None]
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_S = 0.1
#: The detached supervisor's exit code where its options are wrong, so that who started it can tell.
_WRONG_INPUT = 2
# Supervisors that are meant to outlive this process; a Popen that is collected while its process runs complains.
_detached: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Options:
    """What `logpipe stack up` was asked for; None means the default of Stack."""

    run_directory: str
    servers: tuple[str, ...] = tuple(SERVERS)
    ports: dict[str, int] = field(default_factory=dict)
    config_directory: str | None = None
    webhook_url: str | None = None

    def stack(
        self,
        on_progress: OnProgress | None,
        on_delivery: Callable[[Delivery], None] | None,
        on_silence: Callable[[str], None] | None,
    ) -> Stack:
        """The stack these options describe."""
        config = Path(self.config_directory) if self.config_directory else default_config_directory()
        rules, prometheus_rules = config / "rules", config / "prometheus_rules"
        return Stack(
            self.servers,
            run_directory=Path(self.run_directory),
            config_directory=config,
            rules_directory=rules if rules.is_dir() else None,
            prometheus_rules_directory=prometheus_rules if prometheus_rules.is_dir() else None,
            ports=self.ports,
            prefer_default_ports=True,
            webhook_url=self.webhook_url,
            on_progress=on_progress,
            on_delivery=on_delivery,
            on_silence=on_silence,
        )


@dataclass(frozen=True)
class ServerStatus:
    """One server as found now."""

    name: str
    running: bool
    ready: bool
    url: str | None
    pid: int
    version: str


def ports_from_environ(environ: Mapping[str, str]) -> dict[str, int]:
    """Ports configured as LOGPIPE_<NAME>_PORT.

    Raises:
        StackError: one is not a number.
    """
    ports = {}
    for name in SERVERS:
        variable = f"LOGPIPE_{name.upper()}_PORT"
        if value := environ.get(variable):
            if not value.isdecimal():
                raise StackInputError(f"{variable}={value}: expected a port number")
            ports[name] = int(value)
    return ports


def run(options: Options, say: Say, on_progress: OnProgress | None = None) -> None:
    """Run a stack until SIGINT, SIGTERM or SIGHUP, then stop it.

    Raises:
        StackError: it cannot be started, or a server ended without being asked to. Nothing is left running then either.
    """
    lines = threading.Lock()

    def tell(line: str) -> None:
        with lines:
            say(line)

    def deliver(delivery: Delivery) -> None:
        for line in describe(delivery):
            tell(f"alert {line}")

    stopping = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        # Once: a second Ctrl-C that arrives while the first is being handled must not break off the handling.
        nonlocal stopping
        if not stopping:
            stopping = True
            raise KeyboardInterrupt

    # First: what is wrong with the options must not leave the handlers behind.
    stack = options.stack(on_progress, deliver, lambda sentence: tell(f"alert {sentence}"))
    before = {number: signal.signal(number, interrupt) for number in _STOP_SIGNALS}
    try:
        stack.start_all()
        for line in summary(stack):
            tell(line)
        while (problem := stack.failed()) is None:
            time.sleep(_POLL_S)
        raise StackError(f"{problem}; the other servers were stopped")
    except KeyboardInterrupt:
        tell("stopping")
    finally:
        for number in _STOP_SIGNALS:
            # A second Ctrl-C must not leave half of the servers running; each stop has its own deadline.
            signal.signal(number, signal.SIG_IGN)
        stack.stop_all()
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(stack: Stack) -> list[str]:
    """What runs where, and what is used in place of what is missing."""
    lines = [
        f" ✓ {name:13} {binary.version:10} {stack.url(name):27} {binary.origin}"
        for name, binary in stack.binaries.items()
        if name in stack.servers
    ]
    lines += [f" – {name:13} not found: {reason}" for name, reason in stack.instead.items()]
    if stack.receiver is not None:
        lines.append(
            f"   alerts are delivered to {stack.receiver.url} and kept in {stack.run_directory / 'alerts.ndjson'}"
        )
    return lines


def run_detached(options: Options, on_progress: OnProgress | None = None, deadline_s: float = 120.0) -> State:
    """Start a supervisor of its own session and return when its servers are ready.

    Raises:
        StackError: it did not get that far; the message is the supervisor's own.
    """
    # Builds take minutes and show progress, so they belong in the foreground.
    for name in options.servers:
        if not SERVERS[name].optional:
            find_binary(name, on_progress=on_progress)
    directory = Path(options.run_directory)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "logging_pkg.stack.supervisor", json.dumps(asdict(options))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            state = read_state(directory)
            if state is not None and state.pid == process.pid and state.phase == "ready":
                _detached.append(process)
                return state
            if process.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                kind = StackInputError if process.returncode == _WRONG_INPUT else StackError
                raise kind(said[-1] if said else f"the supervisor ended with exit code {process.returncode}")
            time.sleep(_POLL_S)
        raise StackError(f"the stack is not ready after {deadline_s:g} s; log: {log}")
    except BaseException:
        process.terminate()
        process.wait()
        raise


def down(directory: Path) -> str:
    """Stop the stack recorded in a run directory; says what was done.

    Raises:
        StackError: the state file cannot be read, or a process does not end.
    """
    state = read_state(directory)
    if state is None:
        return f"no stack is running in {directory}"
    # Stopping takes up to 15 s for each server.
    stopped = end_process(state.pid, state.identity, deadline_s=20.0 * max(1, len(state.servers)))
    # Only what the supervisor did not stop itself: it was killed, on a system that does not end its children then.
    left = [name for name, server in state.servers.items() if end_process(server.pid, server.identity)]
    remove_state(directory)
    if stopped:
        return f"stopped {', '.join(state.servers) or 'the stack'}"
    return f"the stack in {directory} had already ended" + (
        f"; stopped what it had left: {', '.join(left)}" if left else ""
    )


def status(directory: Path) -> tuple[State | None, list[ServerStatus]]:
    """What is recorded, and how it is found to be now."""
    state = read_state(directory)
    found = []
    for name, server in state.servers.items() if state else ():
        running = is_running(server.pid, server.identity)
        ready = running and _is_ready(server.ready_url)
        found.append(ServerStatus(name, running, ready, server.url, server.pid, server.version))
    return state, found


def _is_ready(url: str | None) -> bool:
    if url is None:
        return False
    with http_session(url) as session:
        try:
            return ask(session, "GET", url, timeout_s=5).status < 400
        except NoAnswer:
            return False


def main() -> None:
    """The detached supervisor: options as JSON in argv[1]; the reason of a failure is its last line of output."""

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    document = json.loads(sys.argv[1])
    document["servers"] = tuple(document["servers"])
    try:
        run(Options(**document), say)
    except StackError as error:
        say(str(error))
        sys.exit(_WRONG_INPUT if isinstance(error, StackInputError) else 1)


if __name__ == "__main__":
    os.umask(0o077)
    main()
