"""`logpipe doctor`: is each stage of the pipeline alive, how late is it, and what is lost?

In: a log directory, the servers. Out: a line per stage, or JSON; exit code 1 when one is late or broken, 3 when a
server does not answer. Never: a repair.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit, urlunsplit

import typer
from rich.console import Console
from rich.text import Text

from logging_pkg.cli.alerts import alerts_now
from logging_pkg.cli.durations import duration_ns
from logging_pkg.cli.escaping import one_line
from logging_pkg.cli.loki import STACK_DIRECTORY, LokiUrl
from logging_pkg.cli.options import AsJson, ShowQuery
from logging_pkg.cli.output import say_json, terminal
from logging_pkg.cli.servers import AlertmanagerUrl, PrometheusUrl, Servers, open_servers
from logging_pkg.conf import Settings
from logging_pkg.http_session import NoAnswer, ask, http_session
from logging_pkg.pipeline import doctor as stages
from logging_pkg.stack.state import read_state
from logging_pkg.stack.webhook import DEADMANSSWITCH_PATH

UNWELL, UNANSWERED = 1, 3
_STYLES: Final = {"ok": "green", "late": "yellow", "broken": "bold red", "not asked": "dim"}
_MARKS: Final = {"ok": "✓", "late": "▲", "broken": "✗", "not asked": "–"}
#: Where figures begin: under the longest name.
_INDENT: Final = 32
_NO_RULES: Final = "see ruler.storage in loki.yaml: are rule files there, in the directory fake?"
_START: Final = "logpipe stack status; logpipe stack up"


def doctor(
    since: Annotated[str, typer.Option("--since", metavar="DURATION", help="How far back losses count.")] = "1h",
    directory: Annotated[
        Path | None, typer.Option(help="Where the event files are. Default: LOGPIPE_DIRECTORY, else .logpipe/logs.")
    ] = None,
    state_directory: Annotated[
        Path | None, typer.Option(help="Where the dead letter is. Default: `shipper` beside the event directory.")
    ] = None,
    loki_url: LokiUrl = None,
    prometheus_url: PrometheusUrl = None,
    alertmanager_url: AlertmanagerUrl = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Look at each stage from log file to alert: alive, how late, what is lost; exit 1 unless all is well."""
    duration_ns(since)
    directory = directory or Settings.from_environ().directory
    with open_servers(loki_url, prometheus_url, alertmanager_url) as servers:
        found = _look(servers, directory, state_directory or directory.parent / "shipper", since)
    if as_json:
        say_json([asdict(stage) for stage in found])
    else:
        _print(terminal(), found, show_query=show_query)
    if any(stage.is_unanswered for stage in found):
        raise typer.Exit(UNANSWERED)
    if any(stage.state in {"late", "broken"} for stage in found):
        raise typer.Exit(UNWELL)


def _look(servers: Servers, directory: Path, state_directory: Path, since: str) -> list[stages.Stage]:
    loki, prometheus, alertmanager = servers.loki, servers.prometheus, servers.alertmanager
    found = [stages.log_files(directory)]
    if loki is None:
        found += [_unknown(name, "loki") for name in ("shipper", "Loki", "ruler", "losses")]
    else:
        found += [
            stages.looked_at("shipper", lambda: stages.shipper(loki, directory, state_directory), _START),
            stages.looked_at("Loki", lambda: stages.loki_stage(loki), _START),
            stages.looked_at(
                "ruler",
                lambda: stages.rules("ruler", loki.rules(), _NO_RULES),
                _START,
            ),
        ]
    if prometheus is None:
        found += [_unknown(name, "prometheus") for name in ("Prometheus", "Prometheus's rules")]
    else:
        found += [
            stages.looked_at("Prometheus", lambda: stages.recorded(prometheus), _START),
            stages.looked_at(
                "Prometheus's rules",
                lambda: stages.rules("Prometheus's rules", prometheus.rules(), "see rule_files in prometheus.yml"),
                _START,
            ),
        ]
    alerts = alerts_now(servers)
    if alertmanager is None:
        found += [_unknown(name, "alertmanager") for name in ("Alertmanager", "dead man's switch")]
    else:
        found.append(stages.looked_at("Alertmanager", lambda: stages.delivery(alertmanager, alerts), _START))
        # Where one of both does not answer, that is the thing to mend; nothing is known of the switch.
        if loki is not None and not any(text.startswith((loki.url, alertmanager.url)) for text in servers.problems):
            found.append(stages.dead_mans_switch(alerts, _is_silent(alertmanager.url)))
    if loki is not None:
        found.append(stages.looked_at("losses", lambda: stages.losses(loki, since), _START))
    return found


def _unknown(name: str, server: str) -> stages.Stage:
    step = f"--{server}-url, or logpipe stack up"
    return stages.Stage(name, "not asked", f"no address of {server.capitalize()}", step)


def _is_silent(alertmanager_url: str) -> bool | None:
    """What the receiver of this directory's stack says: whether it misses its messages; None where there is none."""
    state = read_state(STACK_DIRECTORY)
    server = state.servers.get("alertmanager") if state is not None else None
    if state is None or state.webhook_url is None or server is None or server.url != alertmanager_url:
        return None
    address = urlunsplit(urlsplit(state.webhook_url)._replace(path=DEADMANSSWITCH_PATH))
    try:
        with http_session(address) as session:
            status = ask(session, "GET", address, timeout_s=5).status
    except NoAnswer:
        return None
    return {200: False, 503: True}.get(status)


def _print(console: Console, found: list[stages.Stage], *, show_query: bool) -> None:
    for stage in found:
        style = _STYLES[stage.state]
        line = Text.assemble(
            (f"{_MARKS[stage.state]} {stage.state:10}", style), f" {stage.name:19}{one_line(stage.figure)}"
        )
        if stage.next:
            line.append(f"\n{' ' * _INDENT}→ {stage.next}", "cyan")
        for query in stage.queries if show_query else ():
            line.append(f"\n{' ' * _INDENT}{query}", "dim")
        console.print(line, soft_wrap=True)
    unwell = sum(stage.state in {"late", "broken"} for stage in found)
    asked = sum(stage.state != "not asked" for stage in found)
    verdict = f"{unwell} of {asked} stages need a look" if unwell else f"all {asked} stages that were asked are well"
    console.print(Text(verdict, style="bold red" if unwell else "bold green"))
