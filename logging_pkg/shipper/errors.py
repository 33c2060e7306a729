"""What can stop the embedded shipper.

In: nothing. Out: the errors `logpipe ship` reports. Never: an error that loses a line; each leaves files and
checkpoint as they were.
"""

from __future__ import annotations

from pathlib import Path

from logging_pkg.exceptions import LogpipeError


class ShipperError(LogpipeError):
    """The shipper cannot go on; the message says why and what to do. Nothing is lost: start it again."""


class StateError(ShipperError):
    """A file that the shipper keeps its own state in cannot be read or written (a full disk, missing rights)."""

    def __init__(self, what: str, path: Path, error: OSError | str) -> None:
        reason = error if isinstance(error, str) else error.strerror or str(error)
        super().__init__(
            f"{path}: cannot write the {what}: {reason}. Shipping waits, nothing is lost: "
            "make room or give the shipper the right to write there"
        )


class AlreadyRunningError(ShipperError):
    """Another shipper holds the lock: two on one directory would store every event twice."""


class UndeliveredError(ShipperError):
    """`--drain` ran out of time with events still unshipped."""
