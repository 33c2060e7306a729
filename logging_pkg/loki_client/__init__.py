"""Loki's HTTP interface as typed Python.

In: LogQL, time ranges and log entries. Out: frozen results, or one of the errors below. Never: retries, caching or
buffering; what to do after a doubtful answer is the caller's decision, and each error says what is known.
"""

from logging_pkg.loki_client.client import LokiClient
from logging_pkg.loki_client.errors import (
    LokiAnswerError,
    LokiIncomplete,
    LokiRateLimited,
    LokiRejected,
    LokiServerError,
    LokiStatusError,
    LokiTooLarge,
    LokiUnanswered,
    LokiUnreachable,
)
from logging_pkg.loki_client.models import (
    Alert,
    Entry,
    Matrix,
    Rule,
    RuleGroup,
    Sample,
    Scalar,
    Series,
    Stream,
    Streams,
    Vector,
    VectorSample,
)

__all__ = [
    "Alert",
    "Entry",
    "LokiAnswerError",
    "LokiClient",
    "LokiIncomplete",
    "LokiRateLimited",
    "LokiRejected",
    "LokiServerError",
    "LokiStatusError",
    "LokiTooLarge",
    "LokiUnanswered",
    "LokiUnreachable",
    "Matrix",
    "Rule",
    "RuleGroup",
    "Sample",
    "Scalar",
    "Series",
    "Stream",
    "Streams",
    "Vector",
    "VectorSample",
]
