"""Whatever happens to a push, each event is stored once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from logging_pkg.loki_client import LokiClient
from tests.shipper import fault_proxy
from tests.shipper.fault_proxy import FaultProxy
from tests.shipper.support import (
    FAST,
    EventFile,
    assert_each_stored_once,
    dead_letters,
    drain,
    new_service,
    shipping,
    stored,
)

if TYPE_CHECKING:
    from logging_pkg.stack import Stack


@pytest.fixture
def proxy(loki_server: Stack) -> Iterator[FaultProxy]:
    with FaultProxy(loki_server.loki_url) as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.mark.parametrize(
    "fault",
    [
        fault_proxy.CUT_BEFORE,
        fault_proxy.CUT_AFTER,
        fault_proxy.FAIL_BEFORE,
        fault_proxy.FAIL_AFTER,
        fault_proxy.RATE_LIMIT,
        fault_proxy.RATE_LIMIT_AFTER,
    ],
)
def test_a_doubtful_answer_is_settled_by_reading_back(
    fault: str, proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """After no answer, 5xx or 429 the shipper asks what is stored, and sends only the rest, twice in a row too."""
    file = EventFile(directory, new_service())
    file.write(300)
    proxy.faults.extend([fault, fault])
    collected = drain(directory, proxy.url)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert collected.total("push_error_count") == 2
    assert collected.total("read_back_count") >= 1
    assert collected.total("already_stored_count") == (300 if "stored" in fault else 0)
    assert collected.total("pushed_count") == 300
    assert not dead_letters(directory)
    assert "not shipping" in collected.notices[0]


def test_a_request_that_loki_carries_out_after_the_timeout_is_not_sent_again(
    proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """The settle delay outlasts a request that is still under way when the client gives up."""
    from logging_pkg.shipper import RetryPolicy

    file = EventFile(directory, new_service())
    file.write(200)
    proxy.faults.extend([fault_proxy.LATE, fault_proxy.LATE])
    collected = drain(directory, proxy.url, timeout_s=0.5, retry=RetryPolicy(first_delay_s=0.05, settle_s=2.5))
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert collected.total("already_stored_count") == 200


def test_a_part_of_the_push_that_is_stored_is_not_sent_again(
    proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """A push that was cut in the middle of its streams: the stored half stays, the other half follows."""
    file = EventFile(directory, new_service())
    file.write(100)
    with shipping(directory, proxy.url) as (shipper, _):
        assert shipper.drain(30)
    (directory / ".shipped.json").unlink()
    file.write(50)
    proxy.faults.append(fault_proxy.CUT_BEFORE)
    collected = drain(directory, proxy.url)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert collected.total("already_stored_count") == 100


def test_loki_down_then_up(proxy: FaultProxy, loki_server: Stack, directory: Path, loki: LokiClient) -> None:
    """While nothing listens, the shipper tries again and keeps nothing in memory; then it catches up."""
    file = EventFile(directory, new_service())
    file.write(100)
    good, proxy.upstream = proxy.upstream, "http://127.0.0.1:9"
    with shipping(directory, proxy.url) as (shipper, collected):
        proxy_was_asked = len(proxy.pushes)
        original = shipper._delivery._pause
        waits: list[float] = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 8:
                proxy.upstream = good
            original(seconds)

        shipper._delivery._pause = pause
        assert shipper.drain(30)
        assert len(proxy.pushes) > proxy_was_asked
        assert waits[1] < waits[4] <= 0.2
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert collected.notices[-1] == "shipping again"


def test_no_connection_leaves_no_doubt(directory: Path, loki_server: Stack, loki: LokiClient) -> None:
    """Where nothing was sent, nothing is read back."""
    file = EventFile(directory, new_service())
    file.write(10)
    with shipping(directory, "http://127.0.0.1:9") as (shipper, collected):
        waits: list[float] = []
        original = shipper._delivery._pause

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                shipper._delivery._client.url = loki_server.loki_url
            original(seconds)

        shipper._delivery._pause = pause
        assert shipper.drain(30)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert collected.total("read_back_count") == 0
    assert collected.total("push_error_count") == 3


def test_entries_too_far_behind_are_dead_lettered_and_the_rest_of_the_batch_is_stored(
    loki_server: Stack, directory: Path, tmp_path: Path, loki: LokiClient
) -> None:
    """Loki's own 400: entries more than max_chunk_age / 2 behind their stream's newest are refused one by one."""
    service = new_service()
    ahead = EventFile(tmp_path / "ahead", service)
    ahead.write(3)
    drain(tmp_path / "ahead", loki_server.loki_url)
    old = EventFile(directory, service, start=datetime.now(UTC) - timedelta(hours=20))
    old.write(40)
    fresh = EventFile(directory, service)
    fresh.write(25)
    # No flush: it would have Loki forget the newest timestamp of the stream, and take some of the old entries after all.
    collected = drain(directory, loki_server.loki_url, retry=replace(FAST, flush_older_than_s=48 * 3600.0))
    since = datetime.now(UTC) - timedelta(hours=24)
    assert_each_stored_once(loki, service, ahead.event_ids | fresh.event_ids, since)
    letters = dead_letters(directory)
    assert {letter["reason"] for letter in letters} == {"refused_by_loki"}
    assert all("entry too far behind" in letter["detail"] for letter in letters)
    assert [letter["line"].encode() for letter in letters] == old.path.read_bytes().split(b"\n")[:-1]
    assert collected.total("dead_letter_count") == 40
    # Two for each of the two streams, not forty: the whole, and what of it was not stored.
    assert collected.total("push_error_count") == 4


def test_one_poison_line_is_found_by_halving(proxy: FaultProxy, directory: Path, loki: LokiClient) -> None:
    """A 400 that says nothing about single entries is narrowed down until the line is alone."""

    def refuse(streams: list[dict[str, Any]]) -> tuple[int, str] | None:
        is_poisoned = any("poison" in line for stream in streams for _, line, _ in stream["values"])
        return (400, "error parsing labels") if is_poisoned else None

    file = EventFile(directory, new_service())
    file.write(20)
    file.write(1, note="poison")
    poison = f"{file.instance_id}-{file.seq}"
    file.write(40)
    proxy.rule = refuse
    collected = drain(directory, proxy.url)
    assert_each_stored_once(loki, file.service, file.event_ids - {poison})
    (letter,) = dead_letters(directory)
    assert letter["detail"] == "error parsing labels"
    assert '"note":"poison"' in letter["line"]
    data = (directory / letter["file"]).read_bytes()
    assert data[letter["offset"] :].startswith(letter["line"].encode() + b"\n")
    assert collected.total("pushed_count") == 60


@pytest.mark.parametrize("status", [413, 500])
def test_a_push_over_a_size_limit_is_halved(status: int, proxy: FaultProxy, directory: Path, loki: LokiClient) -> None:
    """Above its limit Loki answers 413, or 500 for ever (gRPC); both mean: less at once."""

    def limit(streams: list[dict[str, Any]]) -> tuple[int, str] | None:
        size = sum(len(line) for stream in streams for _, line, _ in stream["values"])
        message = (
            "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (4700000 vs. 4194304)"
        )
        return (status, message) if size > 40_000 else None

    file = EventFile(directory, new_service())
    file.write(100)
    proxy.rule = limit
    drain(directory, proxy.url)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert not dead_letters(directory)
    assert len(proxy.pushes) > 3


def test_a_batch_that_grows_past_3_mib_as_json_is_sent_in_parts(
    proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """Quotes double when a line becomes a JSON string; the limit is on what is sent."""
    file = EventFile(directory, new_service())
    file.write(60, note='"' * 20_000)
    sizes: list[int] = []

    def record(streams: list[dict[str, Any]]) -> None:
        import orjson

        sizes.append(len(orjson.dumps({"streams": streams})))

    proxy.rule = record
    drain(directory, proxy.url, batch_bytes=2_300_000)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert len(sizes) > 1
    assert max(sizes) < 3 * 1024 * 1024


@pytest.mark.parametrize("status", [260, 401, 404])
def test_a_wrong_address_or_credential_dead_letters_nothing(
    status: int, proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """401, 404, or 260 (ingestion blocked) say nothing about the lines: they wait until somebody has mended it."""
    file = EventFile(directory, new_service())
    file.write(10)
    answers = [(status, "no org id")] * 3
    proxy.rule = lambda _: answers.pop() if answers else None
    collected = drain(directory, proxy.url)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert not dead_letters(directory)
    assert str(status) in collected.notices[0]


def test_events_days_old_are_found_again_after_a_doubtful_answer(
    proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """Reading back flushes first where entries are too old to be found in the ingester."""
    start = datetime.now(UTC) - timedelta(days=7)
    file = EventFile(directory, new_service(), start=start, step=timedelta(seconds=90))
    file.write(150)
    proxy.faults.extend([fault_proxy.CUT_AFTER, fault_proxy.CUT_AFTER])
    collected = drain(directory, proxy.url)
    loki.flush()
    assert collected.total("already_stored_count") == 150
    counted, ids = stored(loki, file.service, start - timedelta(hours=1))
    assert counted == 150
    assert set(ids) == file.event_ids
