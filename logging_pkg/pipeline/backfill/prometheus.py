"""The Prometheus that holds recorded series: raw samples out of it, and into it.

In: a metric name and a range; or samples. Out: every sample as stored, stale markers included, which no query shows.
Never: a proxy for a loopback address, or a retry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson
import yaml

from logging_pkg.exceptions import LogpipeError
from logging_pkg.http_session import Answer, NoAnswer, ask, http_session
from logging_pkg.pipeline.backfill import snappy, wire
from logging_pkg.pipeline.backfill.wire import LabelSet, Points
from logging_pkg.pipeline.logql.tokens import LogQLError, duration_ns
from logging_pkg.prometheus_client import PrometheusClient

_HEADERS: Final = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
#: Samples of one request; some 100 bytes each.
_BATCH: Final = 5_000


class PrometheusUnreachableError(LogpipeError):
    """Prometheus gave no answer, or something else listens at its address."""


class PrometheusError(LogpipeError):
    """Prometheus refused what it was asked or given."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What Prometheus takes.

    Attributes:
        oldest_ms: older samples are refused, ms since 1970.
        window: `storage.tsdb.out_of_order_time_window` as configured, `0s` where it is not.
    """

    oldest_ms: int
    window: str


class Prometheus:
    """Talks to the Prometheus at `url`.

    Args:
        url: scheme, host and port, for example http://127.0.0.1:9090.
        timeout_s: for connecting, and for the whole of an answer.

    `client` asks the same server in PromQL.

    Every method raises PrometheusUnreachableError or PrometheusError when the call does not succeed.
    """

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.client = PrometheusClient(self.url, timeout_s)
        self._timeout_s = timeout_s
        self._session = http_session(self.url)

    def limits(self) -> Limits:
        """How old a sample may be: the window before the newest sample of all series (tsdb/head_append.go)."""
        storage = self._configuration().get("storage") or {}
        window = str((storage.get("tsdb") or {}).get("out_of_order_time_window") or "0s")
        newest_ms = int(self._status("tsdb").get("headStats", {}).get("maxTime", 0))
        try:
            window_ms = duration_ns(window) // 1_000_000 if window != "0s" else 0
        except LogQLError as error:
            raise PrometheusError(f"{self.url}: out_of_order_time_window {window!r}: {error}") from None
        # An empty head says the least number there is.
        return Limits(max(0, newest_ms - window_ms), window)

    def read(self, name: str, start_ms: int, end_ms: int) -> dict[LabelSet, Points]:
        """Every raw sample of a metric name, both ends included."""
        body = snappy.encode(wire.read_request(name, start_ms, end_ms))
        answer = self._ask("POST", "/api/v1/read", body, {"X-Prometheus-Remote-Read-Version": "0.1.0"})
        try:
            found = wire.read_response(snappy.decode(answer.content))
        except ValueError as error:
            raise PrometheusUnreachableError(
                f"{self.url}/api/v1/read: {error}; expected the remote read of a Prometheus at this address"
            ) from None
        # Remote read answers with the external labels, which are not stored (storage/remote/read_handler.go).
        return {tuple(label for label in labels if label not in self._external): found[labels] for labels in found}

    def write(self, series: Mapping[LabelSet, Points]) -> None:
        """Store samples. Ones that are there with the same value are no error; others at their times are."""
        for batch in _batches(series):
            body = snappy.encode(wire.write_request(batch))
            try:
                self._ask("POST", "/api/v1/write", body, {"X-Prometheus-Remote-Write-Version": "0.1.0"})
            except PrometheusError as error:
                if "HTTP 404" in str(error):
                    raise PrometheusError(
                        f"{self.url} does not take samples; start Prometheus with --web.enable-remote-write-receiver"
                    ) from None
                raise

    @cached_property
    def _external(self) -> frozenset[tuple[str, str]]:
        labels = (self._configuration().get("global") or {}).get("external_labels") or {}
        return frozenset((str(name), str(value)) for name, value in labels.items())

    def _configuration(self) -> dict[str, Any]:
        return yaml.safe_load(self._status("config").get("yaml", "")) or {}

    def _status(self, what: str) -> dict[str, Any]:
        answer = self._ask("GET", f"/api/v1/status/{what}")
        try:
            data = orjson.loads(answer.content)["data"]
        except (ValueError, KeyError, TypeError):
            data = None
        if not isinstance(data, dict):
            raise PrometheusUnreachableError(
                f"{self.url}/api/v1/status/{what}: not an answer of Prometheus: {answer.text[:80]!r}; "
                "is this its address?"
            )
        return data

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        url = self.url + path
        sent = {**_HEADERS, **(headers or {})} if body is not None else None
        try:
            answer = ask(self._session, method, url, timeout_s=self._timeout_s, body=body, headers=sent)
        except NoAnswer as error:
            reason = " ".join(error.reason.split())[:200]
            raise PrometheusUnreachableError(
                f"{url}: no answer ({reason}); is Prometheus running there? `logpipe stack status` says"
            ) from None
        if answer.status >= 300:
            text = " ".join(answer.text.split())[:300]
            raise PrometheusError(f"{url}: HTTP {answer.status}: {text or 'no message'}")
        return answer


def _batches(series: Mapping[LabelSet, Points]) -> Iterator[dict[LabelSet, Points]]:
    batch: dict[LabelSet, Points] = {}
    count = 0
    for labels, points in series.items():
        for at in sorted(points):
            batch.setdefault(labels, {})[at] = points[at]
            count += 1
            if count == _BATCH:
                yield batch
                batch, count = {}, 0
    if batch:
        yield batch
