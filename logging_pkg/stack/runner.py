"""Starts the servers, waits until they are ready, and stops them.

In: names of servers, a run directory, committed configuration. Out: addresses of ready servers. Never: a server left
running, whether the start fails, the block is left by an exception, or this process is killed (see `process` for what
holds outside Linux).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from logging_pkg.exceptions import LokiError, StackError, StackInputError
from logging_pkg.http_session import NoAnswer, ask, http_session
from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import render
from logging_pkg.stack.binaries import Binary, find_binary
from logging_pkg.stack.enricher import AlertEnricher
from logging_pkg.stack.gobuild import OnProgress
from logging_pkg.stack.ports import HOST, free_ports, is_free, require_free
from logging_pkg.stack.process import Child, end_process, identity
from logging_pkg.stack.render import Addresses
from logging_pkg.stack.servers import SERVERS, TENANT, Run
from logging_pkg.stack.state import ServerState, State, read_state, remove_state, write_state
from logging_pkg.stack.tools import TOOLS
from logging_pkg.stack.webhook import DeadMansSwitch, Delivery, WebhookReceiver

DEFAULT_SERVERS = ("alertmanager", "prometheus", "loki")
_POLL_S = 0.02
_START_ATTEMPTS = 3


class _PortTakenError(StackError):
    """A port that was free a moment ago is not any more."""


class Stack:
    """Servers for as long as the block lasts: `with Stack(servers=("loki",)) as stack: LokiClient(stack.loki_url)`.

    Start it in the main thread: on Linux the servers end with the thread that started them, which is what kills them
    when this process is killed.

    Args:
        servers: names of SERVERS; "vector" and "grafana" are left out, with the reason in `instead`, when not found.
        run_directory: takes configuration, data, logs and the state file; by default temporary.
        config_directory: of loki.yaml, prometheus.yml and alertmanager.yml; by default ./loki, else the package's own.
        rules_directory: rule files to load into Loki's ruler; by default none.
        prometheus_rules_directory: rule files for Prometheus; by default none.
        ports: fixed ports by server name; the others get free ones.
        prefer_default_ports: take the usual port (3100, 9090, 9093, …) where it is free.
        webhook_url: where Alertmanager sends; by default to an own `receiver`.
        deadmansswitch_url: where PipelineAlive goes; by default to the own `receiver`, else nowhere.
        loki_changes: merged into loki.yaml last, to meet a limit with little data.
        ready_timeout_s: for each server.
        environ: variables for finding binaries and for the servers.
        on_progress: told about builds.
        on_delivery: told about each message the own receiver gets, in the receiver's thread.
        on_silence: told in a sentence when lines no longer reach the own receiver's alerts, and when they do again.

    Raises:
        StackError: on start, when a server cannot be had, started or reached; nothing is left running then.
    """

    def __init__(
        self,
        servers: Sequence[str] = DEFAULT_SERVERS,
        *,
        run_directory: Path | None = None,
        config_directory: Path | None = None,
        rules_directory: Path | None = None,
        prometheus_rules_directory: Path | None = None,
        ports: Mapping[str, int] | None = None,
        prefer_default_ports: bool = False,
        webhook_url: str | None = None,
        deadmansswitch_url: str | None = None,
        loki_changes: Mapping[str, Any] | None = None,
        ready_timeout_s: float = 60.0,
        environ: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
        on_delivery: Callable[[Delivery], None] | None = None,
        on_silence: Callable[[str], None] | None = None,
    ) -> None:
        unknown = [name for name in (*servers, *(ports or {})) if name not in SERVERS]
        if unknown:
            raise StackInputError(f"unknown server {unknown[0]!r}; expected some of {', '.join(SERVERS)}")
        self.servers = tuple(name for name in SERVERS if name in servers)
        self.instead: dict[str, str] = {}
        self.binaries: dict[str, Binary] = {}
        self.receiver: WebhookReceiver | None = None
        self._wanted_directory, self._temporary = run_directory, run_directory is None
        self._config = config_directory or default_config_directory()
        self._rules_directory = rules_directory
        self._prometheus_rules_directory = prometheus_rules_directory
        self._fixed_ports, self._prefer_default_ports = dict(ports or {}), prefer_default_ports
        self._webhook_url, self._deadmansswitch_url = webhook_url, deadmansswitch_url
        self._loki_changes = loki_changes or {}
        self._ready_timeout_s = ready_timeout_s
        self._environ = dict(os.environ if environ is None else environ)
        self._on_progress, self._on_delivery, self._on_silence = on_progress, on_delivery, on_silence
        self._enricher: AlertEnricher | None = None
        self._children: dict[str, Child] = {}
        self._urls: dict[str, str] = {}
        self._ready_urls: dict[str, str] = {}
        self._rule_groups = 0
        self._cleanup = ExitStack()
        self._session = http_session("http://127.0.0.1")

    @property
    def run_directory(self) -> Path:
        """Where this run writes."""
        if self._wanted_directory is None:
            raise StackError("the stack is not started, and it was given no run directory")
        return self._wanted_directory

    @property
    def loki_url(self) -> str:
        """Loki's base URL."""
        return self.url("loki")

    @property
    def prometheus_url(self) -> str:
        """Prometheus's base URL."""
        return self.url("prometheus")

    @property
    def alertmanager_url(self) -> str:
        """Alertmanager's base URL."""
        return self.url("alertmanager")

    def url(self, name: str) -> str:
        """The base URL of a server of this stack."""
        if name not in self._urls:
            raise StackError(f"{name} is not part of this stack; running: {', '.join(self._urls) or 'nothing'}")
        return self._urls[name]

    def pid(self, name: str) -> int | None:
        """The server's process id; None while it is stopped."""
        return self._children[name].pid

    def log(self, name: str) -> Path:
        """The server's log file."""
        return self._children[name].log

    def __enter__(self) -> Self:
        self.start_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def start_all(self) -> None:
        """Find or build the binaries, then start every server and wait until all are ready."""
        try:
            self._find_binaries()
            self._open_directory()
            for attempt in range(1, _START_ATTEMPTS + 1):
                try:
                    self._start_once()
                    break
                except _PortTakenError:
                    if attempt == _START_ATTEMPTS:
                        raise
                    self._stop_children()
        except BaseException:
            self.stop_all()
            raise

    def stop_all(self) -> None:
        """Stop the servers in reverse order and remove the state file; what was not started is not an error."""
        try:
            self._stop_children()
        finally:
            self._cleanup.close()

    def start(self, name: str) -> None:
        """Start a stopped server again, with its port and data, and wait until it is ready."""
        self._children[name].start()
        self._await_ready(name)
        self._write_state("ready")

    def stop(self, name: str) -> None:
        """Stop one server as an orderly shutdown does."""
        self._children[name].stop()
        self._write_state("ready")

    def kill(self, name: str) -> None:
        """Stop one server as a crash does (SIGKILL)."""
        self._children[name].kill()
        self._write_state("ready")

    def restart(self, name: str) -> None:
        """Stop one server and start it again."""
        self.stop(name)
        self.start(name)

    def failed(self) -> str | None:
        """One line about a server that ended without being asked to; None while all run."""
        for name, child in self._children.items():
            if child.exit_code is not None:
                return f"{name} ended with exit code {child.exit_code}: {child.tail() or 'no output'}; log: {child.log}"
        return None

    def _find_binaries(self) -> None:
        for name in self.servers:
            try:
                self.binaries[name] = find_binary(name, environ=self._environ, on_progress=self._on_progress)
            except StackError as error:
                if not SERVERS[name].optional:
                    raise
                self.instead[name] = TOOLS[name].missing if TOOLS[name].variable not in self._environ else str(error)
        self.servers = tuple(name for name in self.servers if name in self.binaries)

    def _open_directory(self) -> None:
        if self._wanted_directory is None:
            self._wanted_directory = Path(tempfile.mkdtemp(prefix="logpipe-stack-"))
            self._cleanup.callback(shutil.rmtree, self._wanted_directory, ignore_errors=True)
        directory = self._wanted_directory = self._wanted_directory.resolve()
        (directory / "log").mkdir(parents=True, exist_ok=True)
        lock = self._cleanup.enter_context((directory / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"a stack is already running in {directory}; `logpipe stack status` shows it") from None
        stale = read_state(directory)
        for server in stale.servers.values() if stale else ():
            end_process(server.pid, server.identity)
        self._cleanup.callback(remove_state, directory)
        shutil.rmtree(directory / "rules", ignore_errors=True)
        self._rule_groups = _copy_rules(self._rules_directory, directory / "rules" / TENANT)
        _copy_rules(self._prometheus_rules_directory, directory / "prometheus_rules")

    def _start_once(self) -> None:
        ports = self._choose_ports()
        self._urls = {name: f"http://{HOST}:{ports[name]}" for name in self.servers}
        if "alertmanager" in self.servers and self._webhook_url is None and self.receiver is None:
            file = self.run_directory / "alerts.ndjson"
            has_pulse = "loki" in self.servers and self._rule_groups
            switch = DeadMansSwitch(on_change=self._on_silence) if has_pulse else None
            receiver = WebhookReceiver(file=file, on_delivery=self._on_delivery, switch=switch)
            self.receiver = self._cleanup.enter_context(receiver)
        webhook = self._webhook_url or (self.receiver.url if self.receiver else None)
        deadmansswitch = self._deadmansswitch_url or (self.receiver.deadmansswitch_url if self.receiver else None)
        self._start_enricher()
        run = Run(
            directory=self.run_directory,
            config=self._config,
            project=self._config.parent,
            ports=ports,
            addresses=Addresses(
                loki=self._urls.get("loki"),
                prometheus=self._urls.get("prometheus"),
                alertmanager=self._urls.get("alertmanager"),
                grafana=self._urls.get("grafana"),
                webhook=webhook,
                deadmansswitch=deadmansswitch,
                enricher=self._enricher.url if self._enricher else None,
            ),
            loki_changes=self._loki_changes,
        )
        for name in self.servers:
            plan = SERVERS[name].plan(run, self.binaries[name])
            self._ready_urls[name] = self._urls[name] + plan.ready_path
            log = self.run_directory / "log" / f"{name}.log"
            environ = {**self._environ, **plan.environ}
            self._children[name] = Child(name, plan.command, log, directory=plan.directory, environ=environ)
            self._children[name].start()
            self._write_state("starting")
        for name in self.servers:
            self._await_ready(name)
        if "loki" in self.servers and self._rule_groups:
            self._await_rules()
        self._write_state("ready")

    def _start_enricher(self) -> None:
        if self._enricher is not None:  # of an attempt whose ports were taken
            self._enricher.stop()
        if {"loki", "alertmanager"} <= self._urls.keys():
            self._enricher = AlertEnricher(self.loki_url, self.alertmanager_url, on_problem=self._note)
            self._enricher.start()
            self._cleanup.callback(self._enricher.stop)

    def _note(self, problem: str) -> None:
        with (self.run_directory / "log" / "enricher.log").open("a", encoding="utf-8") as log:
            log.write(problem + "\n")

    def _choose_ports(self) -> dict[str, int]:
        ports = {name: require_free(name, port) for name, port in self._fixed_ports.items() if name in self.servers}
        wanted = [
            name for server in self.servers for name in (server, *SERVERS[server].extra_ports) if name not in ports
        ]
        if self._prefer_default_ports:
            defaults = {name: SERVERS[name].default_port for name in wanted if name in SERVERS}
            ports |= {name: port for name, port in defaults.items() if port not in ports.values() and is_free(port)}
        missing = [name for name in wanted if name not in ports]
        return ports | dict(zip(missing, free_ports(len(missing)), strict=True))

    def _await_ready(self, name: str) -> None:
        child, end = self._children[name], time.monotonic() + self._ready_timeout_s
        while time.monotonic() < end:
            if child.exit_code is not None:
                raise self._start_error(name, f"ended with exit code {child.exit_code} while starting")
            try:
                if ask(self._session, "GET", self._ready_urls[name], timeout_s=5).status < 400:
                    return
            except NoAnswer:
                pass
            time.sleep(_POLL_S)
        raise self._start_error(name, f"is not ready after {self._ready_timeout_s:g} s")

    def _await_rules(self) -> None:
        end = time.monotonic() + self._ready_timeout_s
        with LokiClient(self.loki_url) as client:
            while time.monotonic() < end:
                try:
                    if len(client.rules()) >= self._rule_groups:
                        return
                except LokiError:
                    pass
                if line := self._children["loki"].last_line("unable to list rules"):
                    # Loki names the copy in the run directory; the reader wants the committed file.
                    text = line.replace(str(self.run_directory / "rules" / TENANT), str(self._rules_directory))
                    raise StackError(f"loki does not take the rules in {self._rules_directory}: {text[-600:]}")
                time.sleep(_POLL_S)
        raise self._start_error("loki", f"did not load the {self._rule_groups} rule groups of {self._rules_directory}")

    def _start_error(self, name: str, what: str) -> StackError:
        child = self._children[name]
        # A temporary run directory is about to be deleted, so the message has to do without the log.
        where = "" if self._temporary else f"; log: {child.log}"
        text = f"{name} {what}: {child.tail() or 'no output'}{where}"
        taken = "address already in use" in child.tail(20) and name not in self._fixed_ports
        return _PortTakenError(text) if taken else StackError(text)

    def _stop_children(self) -> None:
        with ExitStack() as stops:
            # An ExitStack calls the last one first, and the others too when one of them raises.
            for child in self._children.values():
                stops.callback(child.stop)

    def _write_state(self, phase: str) -> None:
        servers = {}
        for name, child in self._children.items():
            pid = child.pid
            if pid is None:
                continue
            binary = self.binaries[name]
            servers[name] = ServerState(
                pid=pid,
                identity=identity(pid) or "",
                url=self._urls[name],
                ready_url=self._ready_urls[name],
                version=binary.version,
                binary=f"{binary.path} ({binary.origin})",
                log=str(child.log),
            )
        webhook = self._webhook_url or (self.receiver.url if self.receiver else None)
        own = os.getpid()
        write_state(self.run_directory, State(own, identity(own) or "", phase, webhook, servers, dict(self.instead)))


def _copy_rules(source: Path | None, target: Path) -> int:
    """Put the rule files of a directory, and nothing else, in place of what is there; the number of their groups."""
    rules = {} if source is None else render.read_rules(source)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in rules:
        assert source is not None
        shutil.copyfile(source / name, target / name)
    return sum(len(document["groups"]) for document in rules.values())


def default_config_directory() -> Path:
    """The first that holds a loki.yaml: ./loki, the package's own copy, the project the package was installed from."""
    package = Path(__file__).resolve().parents[1]
    candidates = (Path.cwd() / "loki", package / "stack" / "config", package.parent / "loki")
    return next((path for path in candidates if (path / "loki.yaml").is_file()), candidates[0])
