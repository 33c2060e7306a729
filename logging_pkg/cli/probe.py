"""`logpipe probe`: health checks from outside, as events.

In: addresses, an interval, LOGPIPE_* variables, signals. Out: `health.check_finished` lines where the shipper finds
them; with --once sentences and an exit code. Never: how a check is made, or an address's query in a line.
"""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from logging_pkg.conf import Settings, configure
from logging_pkg.context import current_headers, new_correlation
from logging_pkg.pipeline.health_check import Check, read_checks, run_check
from logging_pkg.schemas import load_registry
from logging_pkg.writer import Writer, set_writer

SERVICE_NAME = "logpipe-probe"


def probe(
    addresses: Annotated[
        list[str], typer.Argument(metavar="[NAME=]URL…", help="What to ask; a name is a label, by default the host.")
    ],
    interval_s: Annotated[
        float,
        typer.Option(
            "--interval",
            min=1,
            max=60,
            help="Seconds between two checks. At most 60: HealthCheckFailed wants two within two minutes.",
        ),
    ] = 30.0,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=60, help="Seconds a whole answer may take.")
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Check once, say what came, exit 1 unless all are up.")] = False,
    directory: Annotated[
        Path | None, typer.Option(help="Where the event files go. Default: LOGPIPE_DIRECTORY, else .logpipe/logs.")
    ] = None,
    service_name: Annotated[
        str, typer.Option(help="Who looks; give each place its own. A label of the events.")
    ] = SERVICE_NAME,
) -> None:
    """Ask health pages from outside, again and again, until SIGTERM or Ctrl-C; each answer is a health.check_finished.

    Run it on another machine than the service, or at least outside its process, with a shipper beside it.
    """
    checks = read_checks(addresses)
    settings = Settings.from_environ()
    settings = replace(
        settings,
        service_name=service_name,
        directory=directory or settings.directory,
        strict=False,
    ).checked()
    configure(settings)
    writer = set_writer(Writer(settings, load_registry(settings.schema_directories)))
    stopping = threading.Event()
    with ThreadPoolExecutor(len(checks), thread_name_prefix="probe") as pool:
        try:
            if once:
                results = list(pool.map(lambda check: _check(writer, check, timeout_s, None), checks))
                for found in results:
                    typer.echo(_sentence(found))
                if not all(found["is_up"] for found in results):
                    raise typer.Exit(1)
                return
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
            loops = [pool.submit(_repeat, writer, check, timeout_s, interval_s, stopping) for check in checks]
            while not stopping.wait(0.5):
                for loop in loops:
                    if loop.done():
                        loop.result()  # it ends by an error only: a prober that no longer looks must not live on
        finally:
            stopping.set()
            pool.shutdown()
            writer.close()


def _repeat(writer: Writer, check: Check, timeout_s: float, interval_s: float, stopping: threading.Event) -> None:
    """One check after the other, `interval_s` from start to start; a slow answer does not move the next."""
    due = time.monotonic()
    while not stopping.is_set():
        _check(writer, check, min(timeout_s, interval_s), interval_s)
        due = max(due + interval_s, time.monotonic())
        stopping.wait(due - time.monotonic())


def _check(writer: Writer, check: Check, timeout_s: float, interval_s: float | None) -> dict[str, Any]:
    # Each look is a cause of its own. A service that trusts this network logs its answer under the same ID.
    with new_correlation():
        fields = run_check(check, timeout_s, interval_s, current_headers())
        writer.emit("health.check_finished", fields, "info" if fields["is_up"] else "error")
    return fields


def _sentence(found: dict[str, Any]) -> str:
    words = [f"{found['check']}: {found['outcome'].replace('_', ' ')}"]
    if found["status_code"] is not None:
        words.append(f"status {found['status_code']}")
    words.append(f"{found['duration_ms']:.0f} ms")
    if found["tls_expires_in_days"] is not None:
        words.append(f"certificate expires in {found['tls_expires_in_days']:.0f} days")
    if found["error_type"] is not None:
        words.append(found["error_type"])
    return ", ".join(words)
