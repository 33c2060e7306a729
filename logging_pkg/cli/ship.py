"""`logpipe ship`: the embedded shipper. `logpipe vector-config`: the generated part of vector.toml.

In: options, LOGPIPE_* variables, signals. Out: sentences on stderr, exit codes. Never: shipping logic.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.exit_codes import WRONG_INPUT
from logging_pkg.cli.loki import checked_url, stack_url
from logging_pkg.cli.output import say
from logging_pkg.conf import Settings, configure
from logging_pkg.loki_client import LokiClient
from logging_pkg.schemas import load_registry
from logging_pkg.shipper import RetryPolicy, Shipper, ShipperError, ShipperOptions
from logging_pkg.shipper.vector_config import render_declared_events
from logging_pkg.writer import Writer, set_writer

SERVICE_NAME = "logpipe-shipper"
#: Loki's own default port.
DEFAULT_LOKI_URL = "http://127.0.0.1:3100"


def ship(
    loki_url: Annotated[
        str | None,
        typer.Option(
            "--loki-url",
            envvar="LOGPIPE_LOKI_URL",
            help="Scheme, host and port of Loki. Default: that of `logpipe stack`, else http://127.0.0.1:3100.",
        ),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Where the event files are. Default: LOGPIPE_DIRECTORY, else .logpipe/logs.")
    ] = None,
    state_directory: Annotated[
        Path | None, typer.Option(help="Where the dead letter goes. Default: `shipper` beside the event directory.")
    ] = None,
    drain: Annotated[
        bool, typer.Option("--drain", "--once", help="Ship what there is, exit 0 when all of it is stored.")
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0, help="With --drain: exit 1 after this many seconds; 0 waits for ever.")
    ] = 0.0,
    tenant: Annotated[str | None, typer.Option(help="X-Scope-OrgID, for a Loki with several tenants.")] = None,
    batch_bytes: Annotated[int, typer.Option(min=65_536, max=1_500_000, help="Bytes of lines in one push.")] = 1024
    * 1024,
    linger_s: Annotated[float, typer.Option("--linger", min=0, help="Longest wait, s, for a batch to fill.")] = 1.0,
    poll_s: Annotated[float, typer.Option("--poll", min=0.01, help="Seconds between two looks for new lines.")] = 0.2,
    status_interval_s: Annotated[
        float, typer.Option("--status-interval", min=0.1, help="Seconds between two shipper.status_reported.")
    ] = 10.0,
    settle_s: Annotated[
        float,
        typer.Option(
            "--settle",
            min=0,
            help="Seconds between a push that was not answered and reading back what of it is stored; longer than "
            "Loki's ingester_client.remote_timeout.",
        ),
    ] = RetryPolicy().settle_s,
    request_timeout_s: Annotated[
        float, typer.Option("--request-timeout", min=0.1, help="Seconds to wait for an answer of Loki.")
    ] = 30.0,
    torn_after_s: Annotated[
        float,
        typer.Option(
            "--torn-after", min=0, help="Seconds after which the unfinished last line of a dead writer is given up."
        ),
    ] = 5.0,
) -> None:
    """Ship the event files of a directory to Loki, each event once, until SIGTERM or Ctrl-C.

    What cannot be shipped goes to dead-letter.ndjson in the state directory, with the reason. Start it again after any
    crash: it asks Loki what of its last batch is stored and sends the rest.
    """
    loki_url = checked_url(loki_url or stack_url() or DEFAULT_LOKI_URL)
    settings = Settings.from_environ()
    directory = directory or settings.directory
    # A failing report of its own must not stop it, so it is never strict; its service name is fixed.
    settings = replace(settings, service_name=SERVICE_NAME, sink="file", directory=directory, strict=False)
    configure(settings)
    registry = load_registry(settings.schema_directories)
    writer = set_writer(Writer(settings, registry))
    options = ShipperOptions(
        directory=directory,
        state_directory=state_directory or directory.parent / "shipper",
        batch_bytes=batch_bytes,
        linger_s=linger_s,
        poll_s=poll_s,
        status_interval_s=status_interval_s,
        torn_after_s=torn_after_s,
        retry=RetryPolicy(settle_s=settle_s, refusal_settle_s=min(settle_s, RetryPolicy().refusal_settle_s)),
    )
    try:
        with (
            LokiClient(loki_url, tenant=tenant, timeout_s=request_timeout_s) as client,
            Shipper(options, client, registry.events, writer.emit, _say) as shipper,
        ):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: shipper.stop())
            if drain:
                is_done = shipper.drain(timeout_s or None)
            else:
                shipper.run()
                is_done = True
    except ShipperError as error:
        _say(str(error))
        raise typer.Exit(1) from None
    finally:
        writer.close()
    if not is_done:
        raise typer.Exit(1)


def vector_config(
    path: Annotated[Path, typer.Argument(help="The file to renew.")] = Path("vector.toml"),
    check: Annotated[
        bool, typer.Option("--check", help="Only say, by exit code 1, whether it is out of date.")
    ] = False,
) -> None:
    """Renew the list of declared events in vector.toml from the schemas."""
    registry = load_registry(Settings.from_environ().schema_directories)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _say(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
        raise typer.Exit(WRONG_INPUT) from None
    renewed = render_declared_events(registry, text)
    if renewed == text:
        return
    if check:
        _say(f"{path}: the list of declared events is out of date; run `logpipe vector-config {path}`")
        raise typer.Exit(1)
    path.write_text(renewed, encoding="utf-8")


def _say(text: str) -> None:
    say(f"logpipe ship: {text}", err=True)
