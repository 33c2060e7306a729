"""The servers behind the logs, as child processes on loopback.

In: the configuration files in loki/, and binaries of Loki, Prometheus and Alertmanager (found, or built from the pinned
Go modules), of Vector and Grafana (where found). Out: running servers with known addresses. Never: a process left
behind, a port other than the chosen one, or an address other than 127.0.0.1.
"""

from logging_pkg.exceptions import StackError
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
