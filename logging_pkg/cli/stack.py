"""`logpipe stack`: the servers behind the logs.

In: options and LOGPIPE_<SERVER>_PORT, LOGPIPE_<SERVER>_BIN. Out: running servers and their addresses. Never: a
traceback; what went wrong is one line on standard error, with exit code 1.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.exceptions import StackError, StackInputError
from logging_pkg.stack import supervisor
from logging_pkg.stack.binaries import find_binary
from logging_pkg.stack.runner import default_config_directory
from logging_pkg.stack.servers import SERVERS
from logging_pkg.stack.terminal import BuildDisplay

app = typer.Typer(
    help="Start and stop Loki, Prometheus, Alertmanager, and Vector and Grafana where found.", no_args_is_help=True
)

DEFAULT_DIRECTORY = Path(".logpipe/stack")

Directory = Annotated[Path, typer.Option("--directory", "-d", help="Data, logs and the state file of the servers.")]
Servers = Annotated[
    list[str] | None, typer.Option("--server", "-s", help=f"Only these, of {', '.join(SERVERS)}; repeatable.")
]


@app.command()
def up(
    directory: Directory = DEFAULT_DIRECTORY,
    server: Servers = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port", "-p", help="SERVER=NUMBER; otherwise the usual port if it is free, else a free one. Repeatable."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Directory of loki.yaml and the other configuration files.")
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(help="Where Alertmanager delivers; by default to this program.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the servers are ready; stop them with `down`.")
    ] = False,
) -> None:
    """Start the servers and keep them running until Ctrl-C."""
    options = supervisor.Options(
        run_directory=str(directory),
        servers=tuple(server or SERVERS),
        ports={**supervisor.ports_from_environ(os.environ), **_ports(port or [])},
        config_directory=str(config or default_config_directory()),
        webhook_url=webhook,
    )
    with BuildDisplay() as display:
        if not detach:
            supervisor.run(options, typer.echo, display)
            return
        state = supervisor.run_detached(options, display)
    for name, found in state.servers.items():
        typer.echo(f" ✓ {name:13} {found.version:10} {found.url}")
    for name, reason in state.instead.items():
        typer.echo(f" – {name:13} not found: {reason}")
    typer.echo(f"   running in the background; `logpipe stack down` stops it; state: {directory / 'state.json'}")


@app.command()
def down(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stop the servers that run in a directory."""
    typer.echo(supervisor.down(directory))


@app.command()
def status(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Say of each server whether it runs and is ready; exit code 1 unless all are."""
    state, servers = supervisor.status(directory)
    if state is None:
        raise StackError(f"no stack is running in {directory}; start one with `logpipe stack up`")
    for found in servers:
        word = "ready" if found.ready else "running, not ready" if found.running else "not running"
        typer.echo(f"{found.name:13} {word:18} pid {found.pid:<8} {found.version:10} {found.url}")
    for name, reason in state.instead.items():
        typer.echo(f"{name:13} not found: {reason}")
    if state.webhook_url:
        typer.echo(f"{'alerts go to':13} {state.webhook_url}")
    if not servers or not all(found.ready for found in servers):
        raise typer.Exit(1)


@app.command()
def build(server: Servers = None) -> None:
    """Find or build the servers' programs without starting them: minutes the first time, then cached."""
    # promtool is no server; `logpipe rules test` needs it, and it comes from the same sources as Prometheus.
    known = (*SERVERS, "promtool")
    with BuildDisplay() as display:
        for name in server or [name for name in known if name not in SERVERS or not SERVERS[name].optional]:
            if name not in known:
                raise StackInputError(f"unknown server {name!r}; expected some of {', '.join(known)}")
            found = find_binary(name, on_progress=display)
            typer.echo(f" ✓ {name:13} {found.version:10} {found.origin}  {found.path}")


def _ports(pairs: list[str]) -> dict[str, int]:
    ports = {}
    for pair in pairs:
        name, separator, number = pair.partition("=")
        if not separator or name not in SERVERS or not number.isdecimal():
            raise StackInputError(f"--port {pair}: expected SERVER=NUMBER with SERVER one of {', '.join(SERVERS)}")
        ports[name] = int(number)
    return ports
