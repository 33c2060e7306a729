"""Prometheus and Alertmanager as typed Python: questions only.

In: PromQL, times. Out: frozen results in loki_client's types, or one of the errors below. Never: a retry, a cache, a
write (a gap is filled by pipeline.backfill).
"""

from logging_pkg.prometheus_client.client import AlertmanagerClient, PrometheusClient
from logging_pkg.prometheus_client.errors import ServerError, ServerUnanswered, ServerUnreachable

__all__ = ["AlertmanagerClient", "PrometheusClient", "ServerError", "ServerUnanswered", "ServerUnreachable"]
