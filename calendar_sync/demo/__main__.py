"""`python -m calendar_sync.demo`: run the demonstration; `… up`: start everything and keep it running.

In: options. Out: exit code 0 only if every part of the report is there and nothing was lost.
Never: a process left behind.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from calendar_sync.demo.programs import ACCOUNTS, PASSWORD, STAFF, Programs
from calendar_sync.demo.report import Reader, missing_alerts, print_report
from calendar_sync.demo.traffic import Scenario
from calendar_sync.fake_google.seed import demo_accounts
from logging_pkg.exceptions import LogpipeError, StackError
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.dashboards.live import RECORDED_WITHIN_S
from logging_pkg.stack import Stack, WebhookReceiver
from logging_pkg.stack.terminal import BuildDisplay

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / ".logpipe" / "demo"
#: Rules look back over finished seconds and ask trouble to last; within this time each expected alert has fired.
MAX_TRAFFIC_S = 330
#: What is waited beyond that for alerts that are pending.
ALERT_GRACE_S = 60
#: Within this time the slowest rule has seen some of the traffic.
MIN_TRAFFIC_S = RECORDED_WITHIN_S

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)


@app.callback(invoke_without_command=True)
def demo(context: typer.Context) -> None:
    """Drive real traffic through real servers until the alerts have been delivered, then report."""
    if context.invoked_subcommand is not None:
        return
    raise typer.Exit(run_guarded(_demo))


@app.command()
def up() -> None:
    """Start everything, print the addresses, and keep it running until Ctrl-C."""
    raise typer.Exit(run_guarded(_up))


def _demo(stack: Stack, programs: Programs, receiver: WebhookReceiver, started_ns: int) -> int:
    traffic_start_ns = time.time_ns()
    scenario = Scenario(programs, lambda step: console.print(f" · {step}"))
    scenario.start()
    _drive(stack, programs, receiver, scenario)
    scenario.stop()
    _await_alerts(receiver)
    with console.status(" stopping the application, shipping the rest"):
        programs.stop_application()
        programs.drain()
    with LokiClient(stack.loki_url) as loki:
        reader = Reader(loki, stack.prometheus_url, traffic_start_ns, time.time_ns())
        report = print_report(console, reader, receiver, programs.logs, started_ns)
    missing = [*report.missing, *(f"expected answers: {line}" for line in scenario.counter.unexpected[:5])]
    if missing:
        console.print()
        for what in missing:
            console.print(f" ✗ missing: {what}", style="red")
        return 1
    console.print()
    console.print(f" ✓ every part is there; logs of this run: {programs.logs}", style="green")
    return 0


def _drive(stack: Stack, programs: Programs, receiver: WebhookReceiver, scenario: Scenario) -> None:
    """Keep the traffic going until every expected alert was delivered, or the time is up."""
    begin = time.monotonic()
    columns = (TextColumn(" ▸ traffic"), BarColumn(28), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=MAX_TRAFFIC_S)
        while (elapsed := time.monotonic() - begin) < MAX_TRAFFIC_S:
            scenario.tick(elapsed)
            delivered = _delivered(receiver)
            counter = scenario.counter
            words = (
                f"{counter.requests:,} requests · {counter.syncs} syncs · alerts: {', '.join(sorted(delivered)) or '–'}"
            )
            progress.update(task, completed=elapsed, description=words)
            if not console.is_terminal and int(elapsed) % 30 == 0:
                console.print(f" ▸ traffic {elapsed:3.0f} s · {words}")
            trouble = programs.failed() or stack.failed()
            if trouble is not None:
                raise StackError(trouble)
            if elapsed > MIN_TRAFFIC_S and not missing_alerts(delivered) and scenario.worker_killed:
                break
            time.sleep(1)
    console.print(
        f" ✓ traffic: {scenario.counter.requests:,} requests, {scenario.counter.syncs} syncs started from pages"
    )


def _await_alerts(receiver: WebhookReceiver) -> None:
    """An alert may be on its way when the traffic ends: the rules go on looking at what was logged."""
    deadline = time.monotonic() + ALERT_GRACE_S
    with console.status(" waiting for the last alerts"):
        while time.monotonic() < deadline and missing_alerts(_delivered(receiver)):
            time.sleep(1)


def _delivered(receiver: WebhookReceiver) -> set[str]:
    """Names of the alerts that arrived firing."""
    alerts = (alert for delivery in receiver.deliveries for alert in delivery.alerts)
    return {alert["labels"]["alertname"] for alert in alerts if alert["status"] == "firing"}


def _up(stack: Stack, programs: Programs, receiver: WebhookReceiver, started_ns: int) -> int:
    del receiver, started_ns
    names = ", ".join(account.email.split("@")[0] for account in demo_accounts(ACCOUNTS))
    console.print(f"   calendar_sync   {programs.web_url}   users {names}; password {PASSWORD}")
    console.print(f"   console         {programs.web_url}/console/   user {STAFF}; password {PASSWORD}")
    console.print(f"   admin           {programs.web_url}/admin/   the same user")
    for name in stack.servers:
        console.print(f"   {name:15} {stack.url(name)}")
    console.print(f"   logs            {programs.logs}")
    console.print("   Ctrl-C stops everything")
    while True:
        trouble = programs.failed() or stack.failed()
        if trouble is not None:
            raise StackError(trouble)
        time.sleep(0.5)


def run_guarded(run: Callable[[Stack, Programs, WebhookReceiver, int], int]) -> int:
    """Start everything, run, and stop everything, whatever happens; errors in one line.

    Args:
        run: given the servers, the programs, what receives the alerts, and the time of the start, ns; the exit code.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    started_ns = time.time_ns()
    try:
        with (
            WebhookReceiver() as receiver,
            BuildDisplay() as display,
            Stack(
                run_directory=DIRECTORY / "stack",
                rules_directory=ROOT / "loki" / "rules",
                prometheus_rules_directory=ROOT / "loki" / "prometheus_rules",
                webhook_url=receiver.url,
                deadmansswitch_url=receiver.deadmansswitch_url,
                on_progress=display,
            ) as stack,
        ):
            for name in stack.servers:
                binary = stack.binaries[name]
                console.print(f" ✓ {name:13} {binary.version:10.10} {binary.origin:18} {stack.url(name)}")
            programs = Programs(DIRECTORY, stack.loki_url, _console_addresses(stack))
            try:
                programs.start()
                console.print(f" ✓ calendar_sync on {programs.web_url}, fake Google Calendar on {programs.google_url}")
                return run(stack, programs, receiver, started_ns)
            finally:
                programs.stop()
    except LogpipeError as error:
        console.print(f"demo: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130


def _console_addresses(stack: Stack) -> dict[str, str]:
    """Where the console finds the servers of this run."""
    variables = {"prometheus": "PROMETHEUS_URL", "alertmanager": "ALERTMANAGER_URL", "grafana": "EXPLORE_URL"}
    return {f"LOGPIPE_{key}": stack.url(name) for name, key in variables.items() if name in stack.servers}


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
