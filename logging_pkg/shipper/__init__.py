"""The embedded shipper: event files to Loki, each event once.

In: the files of one directory. Out: pushes, a dead letter, its own status as events.
Never: Django, structlog, a thread.
"""

from logging_pkg.shipper.checks import LineChecker, Shippable
from logging_pkg.shipper.delivery import RetryPolicy
from logging_pkg.shipper.errors import AlreadyRunningError, ShipperError, StateError, UndeliveredError
from logging_pkg.shipper.shipper import Shipper, ShipperOptions

__all__ = [
    "AlreadyRunningError",
    "LineChecker",
    "RetryPolicy",
    "Shippable",
    "Shipper",
    "ShipperError",
    "ShipperOptions",
    "StateError",
    "UndeliveredError",
]
