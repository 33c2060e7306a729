"""`python -m calendar_sync.fake_google`: run the server alone.

In: command-line options.
Out: a server in the foreground until SIGINT or SIGTERM; its port in `--port-file`, written when it accepts connections.
Never: Django.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.fault_rates import FaultRates
from calendar_sync.fake_google.faults import Faults
from calendar_sync.fake_google.grants import LIFETIME_S
from calendar_sync.fake_google.quota import QuotaLimits
from calendar_sync.fake_google.seed import SeedOptions
from calendar_sync.fake_google.server import FakeGoogleServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit status: 0, or 1 when the port cannot be had."""
    options = parser().parse_args(arguments)
    application = FakeGoogle(
        SeedOptions(options.accounts, options.first_year, options.last_year),
        QuotaLimits(
            options.project_quota or None,
            options.user_quota or None,
            options.quota_status,
            options.day_quota or None,
            options.window_s,
            options.batch_limit or None,
        ),
        token_lifetime_s=options.token_lifetime_s,
    )
    application.faults.set_latency(options.latency_ms)
    application.faults.set_rates(FaultRates(options.fault_rates, options.fault_seed))
    try:
        server = FakeGoogleServer(application, options.host, options.port)
    except OSError as error:
        print(
            f"fake_google: cannot listen on {options.host}:{options.port}: {error.strerror}; try --port 0",
            file=sys.stderr,
        )
        return 1
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with server:
        if options.port_file is not None:
            # Renamed into place: whoever waits for the file never reads half of it.
            draft = options.port_file.with_name(options.port_file.name + ".tmp")
            draft.write_text(f"{server.port}\n")
            os.replace(draft, options.port_file)
        print(f"fake Google Calendar on {server.url}", flush=True)
        stop.wait()
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="python -m calendar_sync.fake_google", description="A Google Calendar v3 server."
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=int, default=8010, help="0 takes a free port (default: %(default)s)")
    made.add_argument("--port-file", type=Path, help="file to write the port to once connections are accepted")
    made.add_argument("--accounts", type=int, default=3, help="accounts, five calendars each (default: %(default)s)")
    made.add_argument("--first-year", type=int, default=2001, help="first year of holidays (default: %(default)s)")
    made.add_argument("--last-year", type=int, default=2035, help="last year of holidays (default: %(default)s)")
    made.add_argument("--user-quota", type=int, default=600, help="requests/min/user, 0: no limit (%(default)s)")
    made.add_argument("--project-quota", type=int, default=10_000, help="requests/min, 0: no limit (%(default)s)")
    made.add_argument(
        "--day-quota", type=int, default=1_000_000, help="requests/Pacific day, 0: no limit (%(default)s)"
    )
    made.add_argument("--window-s", type=_seconds, default=60.0, help="length of the quota's minute (%(default)s)")
    made.add_argument("--batch-limit", type=int, default=50, help="requests in a batch, 0: no limit (%(default)s)")
    made.add_argument("--quota-status", type=int, choices=(403, 429), default=403, help="of an excess (%(default)s)")
    made.add_argument("--latency-ms", type=float, default=0.0, help="what every request waits (default: %(default)s)")
    made.add_argument("--token-lifetime-s", type=_seconds, default=LIFETIME_S, help="of access tokens (%(default)s)")
    made.add_argument("--fault-rates", type=_rates, default={}, help="e.g. serverError=0.02,drop=0.01 (default: none)")
    made.add_argument("--fault-seed", type=int, default=0, help="which requests these are (default: %(default)s)")
    return made


def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: expected more than 0 seconds")
    return value


def _rates(text: str) -> dict[str, float]:
    """`kind=rate,kind=rate` as a dictionary of rates that can be in force together."""
    try:
        rates = {kind: float(rate) for kind, _, rate in (pair.partition("=") for pair in text.split(",") if pair)}
        Faults().set_rates(FaultRates(rates))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}; expected KIND=RATE,KIND=RATE") from error
    return rates


if __name__ == "__main__":
    sys.exit(main())
