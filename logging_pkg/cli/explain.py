"""`logpipe explain`: one alert, from its rule to the lines behind it and what to do.

In: an alert's name, rule files, runbooks, and the servers where they are known. Out: text, or JSON; exit code 1 while
it fires as critical, 2 where there is no such alert, 3 when a server does not answer. Never: a server needed for what
is in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from logging_pkg.analysis.alerts import KnownAlert
from logging_pkg.cli.alerts import SEVERITY_STYLES, UNANSWERED, alerts_now, paragraph
from logging_pkg.cli.escaping import one_line
from logging_pkg.cli.loki import LokiUrl
from logging_pkg.cli.markdown import print_page
from logging_pkg.cli.options import AsJson, ShowQuery
from logging_pkg.cli.output import say_json, terminal
from logging_pkg.cli.search import event_line
from logging_pkg.cli.servers import AlertmanagerUrl, PrometheusUrl, open_servers
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.loki_client import Entry, VectorSample
from logging_pkg.pipeline.alert_story import AlertRule, alert_rules, lines_behind, values_now
from logging_pkg.pipeline.event_lines import event_of_line
from logging_pkg.pipeline.rules_test.values import duration_text

_VALUES: Final = 8


def _names() -> list[str]:
    return sorted({found.rule.name for found in alert_rules()})


@dataclass(frozen=True, slots=True)
class _Live:
    """What the servers say; None for what nobody was asked."""

    alerts: Sequence[KnownAlert] | None
    values: Sequence[VectorSample] | None
    lines: tuple[str, int, Sequence[Entry]] | None


def explain(
    name: Annotated[str, typer.Argument(metavar="ALERT", help="The alert's name.", autocompletion=_names)],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100, help="Log lines shown.")] = 5,
    config: Annotated[
        Path | None, typer.Option("--config", help="Directory of loki.yaml, rules/ and prometheus_rules/.")
    ] = None,
    loki_url: LokiUrl = None,
    prometheus_url: PrometheusUrl = None,
    alertmanager_url: AlertmanagerUrl = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Tell of an alert: rule, values now, lines behind it, runbook; exit 1 while it fires as critical."""
    rules = alert_rules(config)
    found = next((rule for rule in rules if rule.rule.name == name), None)
    if found is None:
        raise wrong_usage(_no_such_alert(name, [rule.rule.name for rule in rules]))
    with open_servers(loki_url, prometheus_url, alertmanager_url) as servers:
        is_asked = len(servers.unknown) < 3
        live = _Live(None, None, None)
        if is_asked:
            alerts = [alert for alert in alerts_now(servers) if alert.name == name]
            values = servers.answer(lambda: values_now(found, servers.loki, servers.prometheus))
            loki = servers.loki
            behind = servers.answer(lambda: lines_behind(found, alerts, loki, lines)) if loki is not None else None
            live = _Live(alerts, values, behind)
            servers.tell()
    if as_json:
        say_json(_document(found, live))
    else:
        _print(terminal(), found, live, show_query=show_query)
        if not is_asked:
            typer.echo("logpipe: the servers were not asked: start `logpipe stack up`, or give --loki-url", err=True)
    if any(alert.is_breach for alert in live.alerts or ()):
        raise typer.Exit(1)
    if servers.problems:
        raise typer.Exit(UNANSWERED)


def _no_such_alert(name: str, known: list[str]) -> str:
    by_lower = {one.lower(): one for one in known}
    near = [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
    near += [one for one in known if name.lower() in one.lower() and one not in near]
    hint = f"did you mean {', '.join(near[:4])}?" if near else f"there are {', '.join(known) or 'none'}"
    return f"explain {name[:60]}: no rule has this name; {hint}"


def _print(console: Console, found: AlertRule, live: _Live, *, show_query: bool) -> None:
    rule = found.rule
    severity = rule.labels.get("severity", "")
    head = Text.assemble((rule.name, "bold"), "  ", (severity, SEVERITY_STYLES.get(severity, "")))
    head.append(f"   {rule.file}:{rule.line}   evaluated by {found.server}", "dim")
    console.print(head, soft_wrap=True)
    limit = f"fires when {found.limit.op} {found.limit.value:,g}" if found.limit else "fires while there is a value"
    held = f", held for {duration_text(rule.for_ns)}" if rule.for_ns else ""
    console.print(f"  {limit}{held}\n")
    for line in rule.expr.splitlines():
        console.print(Text(f"  {line}", style="cyan"), soft_wrap=True)
    console.print()
    if live.alerts is not None:
        _print_live(console, found, live, show_query=show_query)
    runbook = found.runbook()
    if runbook is None:
        console.print(Text(f"no runbook: {rule.annotations.get('runbook_url') or 'the rule names none'}", style="dim"))
    else:
        print_page(console, runbook)


def _print_live(console: Console, found: AlertRule, live: _Live, *, show_query: bool) -> None:
    console.print(Text("Now", style="bold"))
    for alert in live.alerts or ():
        console.print(paragraph(alert), soft_wrap=True)
    if not live.alerts:
        console.print("  neither firing nor pending")
    if live.values and found.has_more_conditions:
        # One of several comparisons: say of what the value is.
        console.print(Text(f"  {found.value_query}", style="dim"), soft_wrap=True)
    for sample in (live.values or ())[:_VALUES]:
        labels = " ".join(f"{key}={value}" for key, value in sorted(sample.labels.items()) if key != "__name__")
        console.print(
            Text.assemble("  value ", (f"{sample.value:,.6g}", "bold"), f"  {one_line(labels)}"), soft_wrap=True
        )
    if live.values is not None:
        left = len(live.values) - _VALUES
        console.print(f"  and {left} more" if left > 0 else "" if live.values else "  no value: nothing to compare\n")
    if show_query:
        console.print(Text(found.value_query, style="cyan"), soft_wrap=True)
    if live.lines is None:
        return
    query, seconds, entries = live.lines
    console.print(
        Text("Lines behind it", style="bold").append(f", of the last {duration_text(seconds * 10**9)}", "dim")
    )
    if show_query:
        console.print(Text(query, style="cyan"), soft_wrap=True)
    events = [event_of_line(entry.line) for entry in entries]
    for entry, event in zip(entries, events, strict=True):
        console.print(event_line(event) if event is not None else Text(one_line(entry.line)), soft_wrap=True)
    correlations = dict.fromkeys(str(event["correlation_id"]) for event in events if event is not None)
    for identifier in list(correlations)[:3]:
        console.print(f"  logpipe trace {identifier}")
    console.print("" if entries else "  none\n")


def _document(found: AlertRule, live: _Live) -> dict[str, Any]:
    rule = found.rule
    return {
        "name": rule.name,
        "file": rule.file,
        "line": rule.line,
        "server": found.server,
        "severity": rule.labels.get("severity"),
        "expr": rule.expr,
        "limit": asdict(found.limit) if found.limit else None,
        "for_s": rule.for_ns / 1e9,
        "runbook": found.runbook(),
        "alerts": None if live.alerts is None else [asdict(alert) for alert in live.alerts],
        "value_query": found.value_query,
        "values": None
        if live.values is None
        else [{"labels": dict(sample.labels), "value": sample.value} for sample in live.values],
        "lines_query": live.lines[0] if live.lines else (found.lines_query or (None,))[0],
        "lines": None if live.lines is None else [event_of_line(entry.line) or entry.line for entry in live.lines[2]],
    }
