"""`logpipe search`, `tail` and `top` as typed: from Loki, files and stdin, what they print, how they end.

In: lines in a real Loki and in a file. Out: assertions on outputs and exit codes. Never: a command in this process.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.stack.ports import free_ports
from tests.cli.command import LOGPIPE, logpipe
from tests.pipeline.events import line, push

_SECOND = 1_000_000_000


def request(service: str, time_ns: int, **fields: Any) -> dict[str, Any]:
    usual = {
        "method": "GET",
        "route": "/a/",
        "path": "/a/",
        "status_code": 200,
        "response_time_ms": 38.2,
        "is_error": 0,
    }
    return line("http.request_finished", service, time_ns, **{**usual, "user_id": None, "query_count": 4, **fields})


@pytest.fixture
def stored(tmp_path: Path, loki: LokiClient) -> tuple[str, Path, LokiClient]:
    """A service with four requests and a query finding, in a file and in Loki."""
    now_ns = time.time_ns() - 30 * _SECOND
    service = f"search-cli-{now_ns}"
    lines = [
        request(
            service, now_ns + number * 1_000_000, response_time_ms=100.0 * (number + 1), status_code=200 + 100 * number
        )
        for number in range(4)
    ]
    finding = {"fingerprint": 'SELECT "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k" FROM "t" WHERE "id" = ?'}
    finding |= {"count": 50, "caller": "views.py:8", "route": "/a/"}
    lines.append(line("db.n_plus_one_detected", service, now_ns + 9_000_000, **finding))
    push(loki, lines)
    file = tmp_path / "events.ndjson"
    file.write_text("".join(f"{json.dumps(item)}\n" for item in lines))
    return service, file, loki


def test_search_prints_the_same_of_loki_a_file_and_stdin(stored: tuple[str, Path, LokiClient]) -> None:
    """One line per event, the newest last and at most as many as asked for; NDJSON that can be searched again."""
    service, file, loki = stored
    asked = ["search", "response_time_ms>=200", "--service", service, "-n", "2"]
    found = logpipe(*asked, "--loki-url", loki.url)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert [text.split(" ", 3)[3][:20] for text in lines] == ["GET /a/  400  300 ms", "GET /a/  500  400 ms"]
    assert logpipe(*asked, "-f", file).stdout == found.stdout
    assert logpipe(*asked, "-f", "-", stdin=file.read_bytes()).stdout == found.stdout
    as_json = logpipe(*asked, "-f", file, "--json").stdout
    assert [json.loads(text)["status_code"] for text in as_json.splitlines()] == [400, 500]
    assert logpipe(*asked, "--loki-url", loki.url, "--json").stdout == as_json
    assert logpipe("search", "status_code=500", "-f", "-", stdin=as_json).stdout.count("\n") == 1


def test_a_search_in_files_goes_as_far_back_as_it_is_told(stored: tuple[str, Path, LokiClient], tmp_path: Path) -> None:
    """`--since` counts from the newest line; without it all of them are looked through. Each line has its day and zone."""
    _, file, _ = stored
    hour_old = request(
        "search-cli-old", parse_timestamp(json.loads(file.read_text().splitlines()[0])["timestamp"]) - 3600 * _SECOND
    )
    both = tmp_path / "both.ndjson"
    both.write_text(f"{json.dumps(hour_old)}\n{file.read_text()}")
    everything, newest = (
        logpipe("search", "-f", both, *since).stdout.splitlines() for since in ((), ("--since", "5m"))
    )
    assert (len(everything), len(newest)) == (6, 5)
    assert everything[1:] == newest
    assert everything[0].startswith(f"{hour_old['timestamp'][:23]}Z search-cli-old")


def test_a_finding_is_told_in_a_line(stored: tuple[str, Path, LokiClient]) -> None:
    """Which statement, how often, from where; not the list of its columns."""
    _, file, _ = stored
    (told,) = logpipe("search", "-e", "db.*", "-f", file).stdout.splitlines()
    assert told.endswith("db.n_plus_one_detected  50 × SELECT … FROM t WHERE id = ? at views.py:8")


def test_the_query_can_be_seen(stored: tuple[str, Path, LokiClient]) -> None:
    """To go on with in Explore."""
    _, file, _ = stored
    shown = logpipe("search", "route=/a/", "--show-query", "-e", "http.request_finished", "-f", file).stdout
    assert shown.splitlines()[0] == '{event=~"http\\\\.request_finished"} | json route="route" | route="/a/"'


def test_top_ranks(stored: tuple[str, Path, LokiClient]) -> None:
    """A table for people, the same numbers as JSON, from Loki and from a file."""
    service, file, loki = stored
    for what, rows in (("routes", 1), ("queries", 1), ("errors", 0), ("users", 1), ("api", 0)):
        asked = ["top", what, "--service", service, "--json"]
        found = json.loads(logpipe(*asked, "--loki-url", loki.url).stdout)
        assert sum(len(table["rows"]) for table in found) == rows
        assert json.loads(logpipe(*asked, "-f", file).stdout) == found
    shown = logpipe("top", "routes", "-f", file).stdout
    row = next(text for text in shown.splitlines() if text.startswith(" /a/"))
    assert row.split() == ["/a/", "4", "250", "ms", "385", "ms", "397", "ms", "4", "0.0", "%"]
    assert "N+1 queries" in logpipe("top", "queries", "-f", file).stdout
    assert "quantile_over_time(0.95, {" in logpipe("top", "routes", "-f", file, "--show-query").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("top", "rutes"), 2, "top rutes: expected one of routes, queries, api, users, errors"),
        (("top", "routes", "--since", "soon"), 2, "--since soon: expected a duration such as 30m, 1h or 2d"),
        (("search", "respnse_time_ms>1", "-f", "-"), 2, 'respnse_time_ms is no field of any event (did you mean "resp'),
        (("search", "route"), 2, "'route' is no condition: expected field=value"),
        (("search", "-f", "no-such-file.ndjson"), 2, "no-such-file.ndjson: No such file or directory"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], code: int, message: str) -> None:
    """What was typed, what is expected, and exit code 2 for the command line."""
    done = logpipe(*arguments, "--loki-url", "http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"logpipe: {message}")
    assert done.stderr.count("\n") == 1


def test_a_loki_that_does_not_answer_is_exit_code_3() -> None:
    """Told from an answer that something is wrong, which is 1."""
    (port,) = free_ports(1)
    for arguments in (("search",), ("top", "routes"), ("trace", "01a213b98c977fb1"), ("tail",)):
        done = logpipe(*arguments, "--loki-url", f"http://127.0.0.1:{port}")
        assert done.returncode == 3, done.stderr
        assert f"http://127.0.0.1:{port}" in done.stderr
        assert done.stderr.count("\n") == 1


@dataclass
class Tail:
    """Running `logpipe tail --json`; what it shows comes as it is shown."""

    process: subprocess.Popen[str]
    shown: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    def read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.shown.put(json.loads(text))

    def until(self, is_last: Callable[[dict[str, Any]], bool], feed: Callable[[], None]) -> list[dict[str, Any]]:
        """What is shown up to an event; `feed` writes some, again and again: the command may not be reading yet."""
        events: list[dict[str, Any]] = []
        deadline = time.monotonic() + 60
        while not events or not is_last(events[-1]):
            assert time.monotonic() < deadline, events
            try:
                events.append(self.shown.get(timeout=0.5))
            except queue.Empty:
                feed()
        return events


@pytest.fixture
def start_tail() -> Iterator[Callable[..., Tail]]:
    """Starts the command; ends it at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> Tail:
        environ = {**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        line = [*LOGPIPE, "tail", "--json", *map(str, arguments)]
        tail = Tail(subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environ))
        started.append(tail.process)
        threading.Thread(target=tail.read, daemon=True).start()
        return tail

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=20)
        assert process.stdout is not None
        process.stdout.close()


def test_tail_shows_what_is_appended_to_files(start_tail: Callable[..., Tail], tmp_path: Path) -> None:
    """Of the files there and of new ones, whole lines only, those asked for, none of what was there before."""
    first, second = tmp_path / "a.ndjson", tmp_path / "b.ndjson"
    first.write_text(json.dumps(request("app", time.time_ns(), status_code=504)) + "\n")
    tail = start_tail("status_code>=500", "-f", tmp_path)

    def append() -> None:
        with first.open("a") as file:
            for code in (200, 500):
                file.write(json.dumps(request("app", time.time_ns(), status_code=code)) + "\n")

    assert {event["status_code"] for event in tail.until(lambda _: True, append)} == {500}
    torn = json.dumps(request("app", time.time_ns(), status_code=503)) + "\n"
    second.write_text(torn[:50])
    time.sleep(0.6)
    with second.open("a") as file:
        file.write(torn[50:])
    rest = tail.until(lambda event: bool(event["status_code"] == 503), append)
    assert {event["status_code"] for event in rest} <= {500, 503}


def test_tail_shows_what_arrives_in_loki(start_tail: Callable[..., Tail], loki: LokiClient) -> None:
    """Each once, also what arrives behind younger ones."""
    service = f"tail-{time.time_ns()}"
    tail = start_tail("--service", service, "--loki-url", loki.url)
    events = tail.until(lambda _: True, lambda: push(loki, [request(service, time.time_ns())]))
    late = request(service, parse_timestamp(events[0]["timestamp"]) + 1000)
    last = request(service, time.time_ns(), path="/last/")
    push(loki, [late, last])
    events += tail.until(lambda event: bool(event["path"] == "/last/"), lambda: None)
    ids = [event["event_id"] for event in events]
    assert len(ids) == len(set(ids))
    assert {late["event_id"], last["event_id"]} <= set(ids)


def test_tail_begins_as_far_back_as_it_is_told(
    start_tail: Callable[..., Tail], loki: LokiClient, tmp_path: Path
) -> None:
    """In Loki and in files, each event once, then what comes."""
    service, now_ns = f"tail-since-{time.time_ns()}", time.time_ns()
    old, young = (request(service, now_ns - age * _SECOND, path=f"/{age}/") for age in (900, 300))
    file = tmp_path / "a.ndjson"
    file.write_text("".join(f"{json.dumps(item)}\n" for item in (old, young)))
    push(loki, [old, young])

    def append() -> None:
        new = request(service, time.time_ns(), path="/new/")
        push(loki, [new])
        with file.open("a") as stream:
            stream.write(json.dumps(new) + "\n")

    for source in (("--loki-url", loki.url), ("-f", tmp_path)):
        tail = start_tail("--service", service, "--since", "10m", *source)
        events = tail.until(lambda event: bool(event["path"] == "/new/"), append)
        assert [event["path"] for event in events if event["path"] != "/new/"] == ["/300/"]
