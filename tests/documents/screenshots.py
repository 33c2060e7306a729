"""`python -m tests.documents.screenshots`: take the pictures that the documents show, of a demonstration that runs.

In: nothing. Out: `docs/screenshots`: the console in Chromium as PNG, the terminal as SVG. Never: a picture of made-up data,
a secret (the demonstration has none).
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
from rich.console import Console
from rich.text import Text

from calendar_sync.demo.__main__ import run_guarded
from calendar_sync.demo.programs import Programs
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.stack import Stack, WebhookReceiver
from tests.browser import CHROMEDRIVER, CHROMIUM, Browser, chromium, ready
from tests.demonstration import TRAFFIC_S, drive, sign_in

DIRECTORY = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
#: File name: page of the console, width, height, colour scheme.
PAGES = {
    "overview": ("overview/", 1360, 1000, "light"),
    "overview-phone": ("overview/", 390, 844, "light"),
    "alerts": ("alerts/", 1360, 1000, "dark"),
}
#: The sync with most attempts of the last minutes makes the waterfall.
_BUSIEST = '{event="sync.run_finished"} | json api_call_count="api_call_count" | api_call_count > 3'
#: File name: what is typed.
COMMANDS = {
    "top-routes": "top routes --since 10m",
}


def main() -> int:
    """Take all of them; the exit code."""
    if not (CHROMIUM and CHROMEDRIVER):
        print("no chromium and chromedriver (Debian's packages of these names)", file=sys.stderr)
        return 1
    DIRECTORY.mkdir(exist_ok=True)
    return run_guarded(_take)


def _take(stack: Stack, programs: Programs, _receiver: WebhookReceiver, _started_ns: int) -> int:
    scenario = drive(programs)
    with LokiClient(stack.loki_url) as loki:
        found = loki.query_range(_BUSIEST, time.time_ns() - TRAFFIC_S * 10**9, time.time_ns(), limit=1)
        assert isinstance(found, Streams)
        assert found.entries, "no sync made four API calls"
        correlation_id = orjson.loads(found.entries[0].line)["correlation_id"]
    with chromium() as browser:
        _photograph_console(browser, programs.web_url, correlation_id)
    for name, arguments in COMMANDS.items():
        _photograph_terminal(name, arguments, stack)
    scenario.stop()
    return 0


def _photograph_console(browser: Browser, web_url: str, correlation_id: str) -> None:
    sign_in(browser, web_url)
    pages = {**PAGES, "trace": (f"trace/{correlation_id}/", 1360, 1000, "light")}
    for name, (page, width, height, scheme) in pages.items():
        browser.size(width, height)
        browser.scheme(scheme)
        browser.open(f"{web_url}/console/{page}")
        ready(browser, 60)
        time.sleep(1)  # charts are drawn after the numbers
        browser.screenshot(DIRECTORY / f"{name}.png", whole=False)
        print(f" ✓ {name}.png")


def _photograph_terminal(name: str, arguments: str, stack: Stack) -> None:
    environ = {**os.environ, "COLUMNS": "128", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "logging_pkg.cli", *arguments.split(), "--loki-url", stack.loki_url]
    # Exit code 1 is a verdict (a quota nearly used up), and the picture shows it.
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    if done.returncode not in {0, 1}:
        raise SystemExit(f"logpipe {arguments}: exit code {done.returncode}: {done.stderr}")
    terminal = Console(width=128, record=True, file=io.StringIO())
    terminal.print(Text.from_markup(f"[bold]$[/] logpipe {arguments}"))
    terminal.print(Text.from_ansi(done.stdout), soft_wrap=True)
    terminal.save_svg(str(DIRECTORY / f"{name}.svg"), title="logpipe")
    print(f" ✓ {name}.svg")


if __name__ == "__main__":
    raise SystemExit(main())
