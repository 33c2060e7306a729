"""One connection pool to one Loki.

In: entries to push; LogQL and time ranges. Out: typed results or the errors of `errors`. Never: a retry (a repeated
push may be counted twice), a redirect followed (a redirected push loses its body), or a proxy for a loopback address.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import orjson
import requests

from logging_pkg.exceptions import LokiError
from logging_pkg.http_session import Answer, AnswerTooLarge, NoAnswer, NoConnection, ask, http_session
from logging_pkg.loki_client.errors import (
    LokiAnswerError,
    LokiTooLarge,
    LokiUnanswered,
    LokiUnreachable,
    status_error,
)
from logging_pkg.loki_client.models import (
    Alert,
    Matrix,
    RuleGroup,
    Scalar,
    Stream,
    Streams,
    Vector,
    parse_alert,
    parse_group,
    parse_matrix,
    parse_scalar,
    parse_streams,
    parse_vector,
    push_document,
)
from logging_pkg.loki_client.paging import Direction, Row, Source, group, read_pages

T = TypeVar("T")

# Loki's default max_entries_limit_per_query; asking for more is answered 400.
PAGE_ENTRIES = 5000


class LokiClient:
    """Talks to the Loki at `url`. Not safe to share between threads that push at once: give each its own.

    Args:
        url: scheme, host and port, for example http://127.0.0.1:3100.
        tenant: the X-Scope-OrgID header, for a Loki with auth_enabled.
        timeout_s: for connecting, and for the whole of an answer.
        session: an own one, with authentication or certificates, made by `http_session`: with any other `timeout_s` is
            for each wait for the next bytes, and an answer that drips may take for ever.
        page_entries: entries asked for at once; at most the server's max_entries_limit_per_query.

    Every method raises a subclass of LokiError when the call does not succeed.
    """

    def __init__(
        self,
        url: str,
        tenant: str | None = None,
        timeout_s: float = 30.0,
        session: requests.Session | None = None,
        page_entries: int = PAGE_ENTRIES,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self.page_entries = page_entries
        self._session = session or http_session(self.url)
        self._headers = {"X-Scope-OrgID": tenant} if tenant else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def ready(self) -> bool:
        """Whether Loki says that it takes pushes and queries; False also when there is no answer."""
        try:
            self.check_ready()
        except LokiError:
            return False
        return True

    def check_ready(self) -> None:
        """Return when Loki says that it takes pushes and queries; else the error says why not."""
        self._request("GET", "/ready")

    def push(self, streams: Sequence[Stream], *, gzip: bool = True) -> None:
        """Store entries. Returning means all of them are in Loki's write-ahead log.

        Each stream goes into a request of its own, in the order given: of a request with several streams, Loki 3.7
        reports the refusal of the last one only, and answers 204 although entries of the others were dropped
        (pkg/ingester/instance.go, Push). When one is refused, the streams before it are stored and those after it are
        not sent.

        Keep a stream's entries under 3 MiB decoded: past gRPC's message size Loki answers 500 at every try.

        Raises:
            ValueError: a line, label or metadata value is not valid Unicode (a lone surrogate); nothing was sent then.
        """
        try:
            bodies = [orjson.dumps(push_document([stream])) for stream in streams if stream.entries]
        except TypeError as error:
            raise ValueError(
                f"entries that cannot be written as JSON: {error}; expected str without lone surrogates"
            ) from None
        headers = {"Content-Type": "application/json"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
            bodies = [_gzip(body) for body in bodies]
        for body in bodies:
            self.push_encoded(body, headers)

    def push_encoded(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a push body that is already encoded as its `headers` say (Content-Type, Content-Encoding).

        Put one stream into it: see `push`.
        """
        answer = self._request("POST", "/loki/api/v1/push", body=body, headers=headers)
        # Also 2xx: a Loki whose ingestion is blocked answers 260 and stores nothing, and another server may answer 200.
        if answer.status != requests.codes.no_content:
            raise LokiAnswerError(answer.url, f"HTTP {answer.status}, expected 204", answer.text)

    def query(self, expr: str, time_ns: int | None = None) -> Vector | Scalar:
        """Evaluate a metric query at one instant, by default now. Loki refuses log queries here with 400."""
        params: dict[str, str] = {"query": expr}
        if time_ns is not None:
            params["time"] = str(time_ns)
        return self._get("/loki/api/v1/query", params, _instant_result)

    def query_range(
        self,
        expr: str,
        start_ns: int,
        end_ns: int,
        step_s: float | None = None,
        limit: int | None = None,
        direction: Direction = "forward",
    ) -> Streams | Matrix:
        """Run a query over [start_ns, end_ns).

        A log query returns *every* entry of the range, or the first `limit` in the given direction. A metric query is
        evaluated every `step_s` seconds, by default in a step that Loki derives from the range; Loki allows 11,000
        points per series.

        Raises:
            LokiIncomplete: a stream has more entries with one timestamp than one query may return.
        """
        matrix: Matrix | None = None

        def fetch(page_expr: str, page_start_ns: int, page_end_ns: int, page_limit: int) -> Streams:
            nonlocal matrix
            answer = self._range_page(page_expr, page_start_ns, page_end_ns, step_s, page_limit, direction)
            if isinstance(answer, Matrix):
                matrix = answer
                return Streams(())
            return answer

        if limit is not None and limit <= self.page_entries:
            streams = fetch(expr, start_ns, end_ns, limit)
            return streams if matrix is None else matrix
        rows: list[Row] = []
        source = Source(fetch, self.series)
        for page in read_pages(source, expr, start_ns, end_ns, direction, self.page_entries):
            rows.extend(page)
            if limit is not None and len(rows) >= limit:
                break
        return group(rows[:limit]) if matrix is None else matrix

    def labels(self, start_ns: int | None = None, end_ns: int | None = None) -> list[str]:
        """Label names seen in the range, by default the last 6 hours (Loki's default)."""
        return self._get("/loki/api/v1/labels", _between(start_ns, end_ns), _strings)

    def label_values(self, name: str, start_ns: int | None = None, end_ns: int | None = None) -> list[str]:
        """Values of one label seen in the range, by default the last 6 hours."""
        return self._get(f"/loki/api/v1/label/{quote(name, safe='')}/values", _between(start_ns, end_ns), _strings)

    def series(self, match: str, start_ns: int | None = None, end_ns: int | None = None) -> list[dict[str, str]]:
        """Label sets of the streams that match a selector in the range, by default the last 6 hours."""
        return self._get("/loki/api/v1/series", {"match[]": match, **_between(start_ns, end_ns)}, _label_sets)

    def format_query(self, expr: str) -> str:
        """A query as Loki writes it. Loki parses it and reads no line; what it cannot parse it refuses with 400."""
        return self._get("/loki/api/v1/format_query", {"query": expr}, str)

    def try_query(self, expr: str) -> None:
        """Have Loki build a log query's pipeline, over the last nanosecond: bad templates and JSON paths,
        which parse, are refused with 400.

        Without the flag that keeps labels apart: with it Loki 3.7 answers 200 where no line is in the range.
        """
        now_ns = time.time_ns()
        params = {"query": expr, "limit": "1", **_between(now_ns - 1, now_ns)}
        self._request("GET", "/loki/api/v1/query_range", params=params)

    def rules(self) -> list[RuleGroup]:
        """Every rule group the ruler has loaded, with the health of each rule."""
        return self._get("/prometheus/api/v1/rules", {}, lambda data: [parse_group(item) for item in data["groups"]])

    def alerts(self) -> list[Alert]:
        """The alerts that are pending or firing now."""
        return self._get("/prometheus/api/v1/alerts", {}, lambda data: [parse_alert(item) for item in data["alerts"]])

    def configuration(self) -> str:
        """Loki's own configuration in force, as YAML."""
        return self._request("GET", "/config").text

    def flush(self) -> None:
        """Have the ingester write its chunks to the store; entries far in the past are not queryable before that."""
        self._request("POST", "/flush")

    def _range_page(
        self, expr: str, start_ns: int, end_ns: int, step_s: float | None, limit: int, direction: Direction
    ) -> Streams | Matrix:
        params = {"query": expr, "limit": str(limit), "direction": direction, **_between(start_ns, end_ns)}
        if step_s is not None:
            params["step"] = repr(float(step_s))
        return self._get("/loki/api/v1/query_range", params, _range_result)

    def _get(self, path: str, params: Mapping[str, str], parse: Callable[[Any], T]) -> T:
        # The flag has Loki keep structured metadata and parsed labels apart from the stream's labels.
        answer = self._request(
            "GET", path, params=params, headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        )
        try:
            document = orjson.loads(answer.content)
            # The ruler's answers and most others carry "data"; labels and series leave it out when there is nothing.
            return parse(document.get("data"))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise LokiAnswerError(answer.url, f"{type(error).__name__}: {error}", answer.text) from None

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        try:
            answer = ask(
                self._session,
                method,
                self.url + path,
                timeout_s=self.timeout_s,
                params=params,
                body=body,
                headers={**self._headers, **(headers or {})},
            )
        except NoConnection as error:
            raise LokiUnreachable(error.url, error.reason) from error
        except AnswerTooLarge as error:
            raise LokiTooLarge(error.url, requests.codes.ok, error.reason) from error
        except NoAnswer as error:
            raise LokiUnanswered(error.url, error.reason) from error
        if answer.status >= 300:
            raise status_error(answer.url, answer.status, answer.text)
        return answer


def _gzip(body: bytes) -> bytes:
    # Level 1: the lines of a stream repeat each other so much that higher levels save little for their CPU.
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(body) + compressor.flush()


def _between(start_ns: int | None, end_ns: int | None) -> dict[str, str]:
    bounds = {"start": start_ns, "end": end_ns}
    return {name: str(value) for name, value in bounds.items() if value is not None}


def _strings(data: list[str] | None) -> list[str]:
    return list(data or ())


def _label_sets(data: list[dict[str, str]] | None) -> list[dict[str, str]]:
    return list(data or ())


def _instant_result(data: Mapping[str, Any]) -> Vector | Scalar:
    if data["resultType"] == "vector":
        return parse_vector(data["result"])
    if data["resultType"] == "scalar":
        return parse_scalar(data["result"])
    raise ValueError(f"expected a vector or a scalar, got {data['resultType']!r}")


def _range_result(data: Mapping[str, Any]) -> Streams | Matrix:
    if data["resultType"] == "streams":
        return parse_streams(data["result"])
    if data["resultType"] == "matrix":
        return parse_matrix(data["result"])
    raise ValueError(f"expected streams or a matrix, got {data['resultType']!r}")
