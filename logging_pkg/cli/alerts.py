"""`logpipe alerts`: what fires or is pending now.

In: Loki's ruler, Prometheus, Alertmanager. Out: a paragraph per alert, or JSON; exit code 1 when a critical one fires
that nobody has silenced, 3 when a server does not answer. Never: a silence; that is amtool's and Alertmanager's page.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from logging_pkg.analysis.alerts import PIPELINE_ALIVE, KnownAlert, known_alerts
from logging_pkg.analysis.words import span
from logging_pkg.cli.escaping import one_line
from logging_pkg.cli.loki import LokiUrl
from logging_pkg.cli.options import AsJson
from logging_pkg.cli.output import say_json, terminal
from logging_pkg.cli.servers import AlertmanagerUrl, PrometheusUrl, Servers, open_servers
from logging_pkg.cli.tables import number
from logging_pkg.exceptions import ConfigurationError

BREACH, UNANSWERED = 1, 3
SEVERITY_STYLES: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
#: Where a paragraph's text begins: under the alert's name.
_INDENT: Final = " " * 21


def alerts(
    loki_url: LokiUrl = None,
    prometheus_url: PrometheusUrl = None,
    alertmanager_url: AlertmanagerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what fires or is pending now; exit 1 when a critical alert fires that nobody has silenced."""
    with open_servers(loki_url, prometheus_url, alertmanager_url) as servers:
        if len(servers.unknown) == 3:
            raise ConfigurationError(
                "no server known: start them with `logpipe stack up`, or give --loki-url and the others"
            )
        found = alerts_now(servers)
        has_asked_loki = servers.loki is not None and not servers.problems
        servers.tell()
    if as_json:
        say_json([asdict(alert) for alert in found])
    else:
        _print(terminal(), found, has_asked_loki=has_asked_loki)
    if any(alert.is_breach for alert in found):
        raise typer.Exit(BREACH)
    if servers.problems:
        raise typer.Exit(UNANSWERED)


def alerts_now(servers: Servers) -> list[KnownAlert]:
    """The alerts of all servers that answer."""
    loki, prometheus, alertmanager = servers.loki, servers.prometheus, servers.alertmanager
    evaluated = [
        ("Loki", servers.answer(loki.alerts) if loki else None),
        ("Prometheus", servers.answer(prometheus.alerts) if prometheus else None),
    ]
    held = servers.answer(alertmanager.alerts) if alertmanager else None
    silences = servers.answer(alertmanager.silences) if alertmanager and held else None
    return known_alerts([(name, found or []) for name, found in evaluated], held, silences or ())


def _print(console: Console, found: list[KnownAlert], *, has_asked_loki: bool) -> None:
    alive = [alert for alert in found if alert.name == PIPELINE_ALIVE and alert.state == "firing"]
    shown = [alert for alert in found if alert not in alive]
    for alert in shown:
        console.print(paragraph(alert), soft_wrap=True)
        console.print()
    firing = sum(alert.state == "firing" for alert in shown)
    counts = f"{firing} firing, {len(shown) - firing} pending" if shown else "nothing fires, nothing is pending"
    if alive:
        counts += f"   ({PIPELINE_ALIVE} fires, as it always should)"
    console.print(Text(counts, style="bold" if firing else ""))
    if has_asked_loki and not alive:
        console.print(
            Text(f"{PIPELINE_ALIVE} does not fire: log lines do not reach the rules. Next: logpipe doctor", style="red")
        )


def paragraph(alert: KnownAlert) -> Text:
    """An alert for people: what, since when, why, and where to look next."""
    style = SEVERITY_STYLES.get(alert.severity, "")
    is_quiet = bool(alert.silenced or alert.inhibited)
    text = Text.assemble(
        (f"{'●' if alert.state == 'firing' else '○'} {alert.state:8}", "dim" if is_quiet else style),
        (f" {one_line(alert.severity) or 'no severity':9} ", style),
        (one_line(alert.name), "bold"),
        (f"   for {span(time.time() - alert.since)}" if alert.since is not None else "", ""),
        (f"   value {number(alert.value)}" if alert.value is not None else "", ""),
    )
    if alert.summary:
        _line(text, alert.summary)
    if alert.labels:
        _line(text, " ".join(f"{name}={value}" for name, value in alert.labels.items()), "dim")
    for reason in alert.silenced:
        _line(text, f"silenced by {reason}", "cyan")
    if alert.inhibited:
        _line(text, f"not sent while {', '.join(alert.inhibited)} fires", "cyan")
    if alert.delivery.startswith("not "):
        _line(text, alert.delivery, "yellow")
    elif alert.delivery and not is_quiet:
        _line(text, f"sent to {alert.delivery}", "dim")
    for identifier in alert.correlation_ids:
        _line(text, f"logpipe trace {identifier}")
    if alert.runbook:
        _line(text, f"{alert.runbook}   logpipe explain {alert.name}", "dim")
    return text


def _line(text: Text, words: str, style: str = "") -> None:
    text.append(f"\n{_INDENT}{one_line(words)}", style)
