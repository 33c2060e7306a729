"""The servers behind the logs, as child processes on loopback.

In: the configuration files in loki/, and binaries of Loki, Prometheus and Alertmanager (found, or built from the pinned
Go modules), of Vector and Grafana (where found). Out: running servers with known addresses. Never: a process left
behind, a port other than the chosen one, or an address other than 127.0.0.1.
"""

from typing import TYPE_CHECKING

from logging_pkg.exceptions import StackError
from logging_pkg.lazy_names import imported_when_used

if TYPE_CHECKING:
    from logging_pkg.stack.binaries import Binary, find_binary
    from logging_pkg.stack.enricher import AlertEnricher
    from logging_pkg.stack.runner import Stack
    from logging_pkg.stack.servers import SERVERS
    from logging_pkg.stack.webhook import DeadMansSwitch, Delivery, WebhookReceiver

__all__ = [
    "SERVERS",
    "AlertEnricher",
    "Binary",
    "DeadMansSwitch",
    "Delivery",
    "Stack",
    "StackError",
    "WebhookReceiver",
    "find_binary",
]

if not TYPE_CHECKING:
    __getattr__ = imported_when_used(
        __name__,
        {
            "SERVERS": "servers",
            "AlertEnricher": "enricher",
            "Binary": "binaries",
            "DeadMansSwitch": "webhook",
            "Delivery": "webhook",
            "Stack": "runner",
            "WebhookReceiver": "webhook",
            "find_binary": "binaries",
        },
    )
