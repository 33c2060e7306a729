"""Gives alerts, on their way from the ruler to Alertmanager, the correlation IDs of lines behind them.

In: POST /api/v2/alerts as a ruler sends it. Out: the same alerts to Alertmanager, those whose lines are found with the
annotation `correlation_ids`. Never: an alert withheld for its IDs, or anything but the standard library, because
compose.yaml runs this file alone: `python enricher.py --loki … --alertmanager …`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

#: How many IDs an alert carries: each is one `logpipe trace`, and nobody reads a fourth.
MAX_IDS = 3
ANNOTATION = "correlation_ids"
PATH = "/api/v2/alerts"
#: What Loki may take over the lines of all alerts of one message; below Alertmanager's shortest group_wait (5 s).
BUDGET_S = 2.0
_FORWARD_TIMEOUT_S = 5.0
_LINES = 200
_REMEMBERED = 10_000
_MAX_BODY_BYTES = 16 * 1024 * 1024
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SINCE = re.compile(r"now-(\d+)([smhd])")
#: Proxies of the environment are for the outside world.
_open = build_opener(ProxyHandler({})).open

Alert = dict[str, Any]


class AlertEnricher:
    """Stands beside the direct way from ruler to Alertmanager, never in it: the ruler sends to both.

    Alertmanager keeps the younger of two messages about one alert. This one comes later by the time Loki takes to find
    the lines, and well before the first notification, which waits until group_wait after the alert began to fire.

    Args:
        loki_url: where the lines are.
        alertmanager_url: where alerts go.
        port: 0 lets the system choose; see `url`.
        host: the address to listen on.
        tenant: X-Scope-OrgID, for a Loki with several tenants.
        on_problem: told in a sentence why an alert got no IDs, or was not taken.
    """

    def __init__(
        self,
        loki_url: str,
        alertmanager_url: str,
        port: int = 0,
        host: str = "127.0.0.1",
        tenant: str | None = None,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self._loki_url, self._alertmanager_url = loki_url.rstrip("/"), alertmanager_url.rstrip("/")
        self._wanted, self._tenant, self._on_problem = (host, port), tenant, on_problem
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="enricher")
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address for `ruler.alertmanager_url`."""
        if self._server is None:
            raise RuntimeError("the enricher is not started")
        return f"http://{self._wanted[0]}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = ThreadingHTTPServer(self._wanted, self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="enricher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._thread = None
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def enrich(self, alerts: list[Alert]) -> None:
        """Add what is found within BUDGET_S to the alerts; what is found later is there when they are repeated."""
        keys = [json.dumps([alert.get("labels"), alert.get("startsAt")], sort_keys=True) for alert in alerts]
        looks = [
            self._pool.submit(self._look, key, alert)
            for key, alert in zip(keys, alerts, strict=True)
            if key not in self._known and not _is_over(alert)
        ]
        wait(looks, BUDGET_S)
        for key, alert in zip(keys, alerts, strict=True):
            if ids := self._known.get(key):
                alert["annotations"] = {**(alert.get("annotations") or {}), ANNOTATION: ids}

    def _look(self, key: str, alert: Alert) -> None:
        """Find an alert's lines once: its later messages have the same IDs."""
        found = query_of(alert)
        if found is None:
            return
        name = (alert.get("labels") or {}).get("alertname")
        try:
            ids = self._correlation_ids(*found)
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            self._say(f"{name}: no lines from Loki: {error}")
            return
        if ids:
            with self._lock:
                self._known[key] = " ".join(ids)
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)

    def _correlation_ids(self, query: str, seconds: int) -> list[str]:
        now_ns = time.time_ns()
        asked = {"query": query, "start": now_ns - seconds * 10**9, "end": now_ns, "limit": _LINES}
        request = Request(f"{self._loki_url}/loki/api/v1/query_range?{urlencode(asked)}")
        if self._tenant:
            request.add_header("X-Scope-OrgID", self._tenant)
        with _open(request, timeout=2 * BUDGET_S) as answer:
            streams = json.load(answer)["data"]["result"]
        newest_first = sorted(_identified(streams), reverse=True)
        return list(dict.fromkeys(identifier for _time, identifier in newest_first))[:MAX_IDS]

    def _forward(self, body: bytes) -> int:
        request = Request(self._alertmanager_url + PATH, body, {"Content-Type": "application/json"})
        try:
            with _open(request, timeout=_FORWARD_TIMEOUT_S) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                self._say(f"Alertmanager answers {error.code}: {error.read(300)!r}")
            return error.code
        except (URLError, OSError, HTTPException) as error:
            self._say(f"Alertmanager at {self._alertmanager_url} cannot be reached: {error}")
            return 502

    def _say(self, problem: str) -> None:
        if self._on_problem is not None:
            self._on_problem(problem)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        enrich, forward = self.enrich, self._forward

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if self.path != PATH or length > _MAX_BODY_BYTES:
                    self.send_error(404 if self.path != PATH else 413)
                    return
                body = self.rfile.read(length)
                try:
                    alerts = json.loads(body)
                    enrich(alerts)
                    body = json.dumps(alerts).encode()
                except (ValueError, TypeError, AttributeError):
                    pass  # not for us to judge: Alertmanager answers what it thinks of it
                self.send_response(forward(body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the terminal belongs to the program that started this."""

        return Handler


def query_of(alert: Alert) -> tuple[str, int] | None:
    """The LogQL in an alert's `logs_url` (a link to Grafana's Explore) and its range in seconds; None without one."""
    link = (alert.get("annotations") or {}).get("logs_url", "")
    try:
        panes = json.loads(parse_qs(urlsplit(link).query)["panes"][0])
        for pane in panes.values():
            since = _SINCE.fullmatch(pane["range"]["from"])
            if pane["datasource"] == "loki" and since is not None:
                return str(pane["queries"][0]["expr"]), int(since[1]) * _UNITS_S[since[2]]
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        pass
    return None


def _identified(streams: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Time and correlation ID of each line, from its metadata, else from its JSON."""
    for stream in streams:
        of_stream = stream["stream"].get("correlation_id")
        for time_ns, line, *_ in stream["values"]:
            identifier = of_stream
            if identifier is None and line.startswith("{"):
                identifier = json.loads(line).get("correlation_id")
            if isinstance(identifier, str) and re.fullmatch(r"[0-9a-f]{32}", identifier):
                yield int(time_ns), identifier


def _is_over(alert: Alert) -> bool:
    """Whether the message says that it has ended: no lines belong to it any more."""
    try:
        return datetime.fromisoformat(alert["endsAt"]).timestamp() <= time.time()
    except (KeyError, TypeError, ValueError):
        return False


def main() -> None:
    """Enrich until interrupted."""
    parser = argparse.ArgumentParser(description="Add correlation IDs to alerts on their way to Alertmanager.")
    parser.add_argument("--loki", default="http://127.0.0.1:3100")
    parser.add_argument("--alertmanager", default="http://127.0.0.1:9093")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9095)
    parser.add_argument("--tenant")
    options = parser.parse_args()

    def show(problem: str) -> None:
        sys.stderr.write(f"enricher: {problem}\n")

    with AlertEnricher(options.loki, options.alertmanager, options.port, options.host, options.tenant, on_problem=show):
        threading.Event().wait()


if __name__ == "__main__":
    main()
