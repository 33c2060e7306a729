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
from calendar_sync.fake_google.quota import QuotaLimits
from calendar_sync.fake_google.seed import SeedOptions
from calendar_sync.fake_google.server import FakeGoogleServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit status: 0, or 1 when the port cannot be had."""
    options = _parser().parse_args(arguments)
    application = FakeGoogle(
        SeedOptions(options.accounts, options.first_year, options.last_year),
        QuotaLimits(
            options.project_quota or None,
            options.user_quota or None,
            options.quota_status,
        ),
    )
    application.faults.set_latency(options.latency_ms)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m calendar_sync.fake_google", description="A Google Calendar v3 server."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8010, help="0 takes a free port (default: %(default)s)")
    parser.add_argument("--port-file", type=Path, help="file to write the port to once connections are accepted")
    parser.add_argument("--accounts", type=int, default=3, help="accounts, five calendars each (default: %(default)s)")
    parser.add_argument("--first-year", type=int, default=2001, help="first year of holidays (default: %(default)s)")
    parser.add_argument("--last-year", type=int, default=2035, help="last year of holidays (default: %(default)s)")
    parser.add_argument("--user-quota", type=int, default=600, help="requests/min/user, 0: no limit (%(default)s)")
    parser.add_argument("--project-quota", type=int, default=10_000, help="requests/min, 0: no limit (%(default)s)")
    parser.add_argument("--quota-status", type=int, choices=(403, 429), default=403, help="of an excess (%(default)s)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="what every request waits (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
