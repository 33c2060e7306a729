"""From files to Loki: every event once, through crashes, rotation and hours of lateness."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.shipper import AlreadyRunningError, ShipperError, UndeliveredError
from logging_pkg.shipper.state import JOURNAL_NAME
from tests.shipper import fault_proxy
from tests.shipper.fault_proxy import FaultProxy
from tests.shipper.support import (
    EventFile,
    assert_each_stored_once,
    dead_letters,
    drain,
    eventually,
    new_service,
    shipping,
    start_command,
    stored,
)

if TYPE_CHECKING:
    from logging_pkg.stack import Stack


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def proxy(loki_server: Stack) -> Iterator[FaultProxy]:
    with FaultProxy(loki_server.loki_url) as running:
        yield running


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> str:
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    return err


@pytest.mark.parametrize("fault", [fault_proxy.HOLD_BEFORE, fault_proxy.HOLD_AFTER])
def test_killed_between_push_and_checkpoint(fault: str, proxy: FaultProxy, directory: Path, loki: LokiClient) -> None:
    """Killed (-9) while a push is under way: the next shipper asks Loki what of the journalled batch it has."""
    file = EventFile(directory, new_service())
    file.write(500)
    proxy.faults.append(fault)
    process = start_command(directory, proxy.url)
    assert proxy.held.wait(20)
    end(process)
    proxy.release.set()
    file.write(100)
    again = start_command(directory, proxy.url, "--drain", "--timeout", "60")
    _, err = again.communicate(timeout=90)
    assert again.returncode == 0, err
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert not dead_letters(directory)


def test_killed_again_and_again_while_catching_up(proxy: FaultProxy, directory: Path, loki: LokiClient) -> None:
    """Killed (-9) at arbitrary moments of a backlog loses nothing and repeats nothing."""
    files = [EventFile(directory, new_service()) for _ in range(2)]
    for file in files:
        file.write(2000)
        file.rotate()
        file.write(2000)
    for wanted in (3, 7, 12, 18):
        process = start_command(directory, proxy.url, "--batch-bytes", "65536")
        eventually(lambda wanted=wanted: len(proxy.pushes) >= wanted, "pushes")
        end(process)
    process = start_command(directory, proxy.url, "--drain", "--timeout", "60")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    for file in files:
        assert_each_stored_once(loki, file.service, file.event_ids)


def test_drain_stores_its_own_last_report_too(loki_server: Stack, directory: Path, loki: LokiClient) -> None:
    """After exit 0 everything written is stored: lines in files equal events in Loki, the shipper's own included."""
    file = EventFile(directory, new_service())
    file.write(50)
    process = start_command(directory, loki_server.loki_url, "--drain")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    lines = [orjson.loads(line) for path in directory.glob("*.ndjson") for line in path.read_bytes().split(b"\n")[:-1]]
    own = {line["event_id"] for line in lines if line["service_name"] == "logpipe-shipper"}
    _, ids = stored(loki, "logpipe-shipper")
    assert own
    assert own <= set(ids)
    assert all(ids[event_id] == 1 for event_id in own)
    report = next(line for line in lines if line["event_id"] in own)
    assert report["pushed_count"] == 50
    assert {"instance_id": file.instance_id, "last_seq": 50} in report["instances"]


def test_sigterm_ends_it_after_the_batch_at_hand(loki_server: Stack, directory: Path, loki: LokiClient) -> None:
    """SIGTERM: exit 0, checkpoint written, nothing in doubt."""
    file = EventFile(directory, new_service())
    file.write(50)
    process = start_command(directory, loki_server.loki_url)
    eventually(lambda: stored(loki, file.service)[0] == 50, "50 events stored")
    eventually((directory / ".shipped.json").exists, "checkpoint")
    assert end(process, signal.SIGTERM) == ""
    assert process.returncode == 0
    files = orjson.loads((directory / ".shipped.json").read_bytes())
    assert files["version"] == 1
    assert files["files"][f"{file.instance_id}-1"] == file.path.stat().st_size


def test_sigterm_ends_it_while_loki_is_down(directory: Path) -> None:
    """It does not wait for a Loki that is not there; the events stay in their files."""
    file = EventFile(directory, new_service())
    file.write(5)
    process = start_command(directory, "http://127.0.0.1:9")
    assert process.stderr is not None
    assert "nothing was sent" in process.stderr.readline()
    end(process, signal.SIGTERM)
    assert process.returncode == 0
    assert not (directory / ".shipped.json").exists()


def test_drain_gives_up_after_its_timeout(directory: Path) -> None:
    """Exit 1 and a sentence that says how much is left."""
    EventFile(directory, new_service()).write(5)
    process = start_command(directory, "http://127.0.0.1:9", "--drain", "--timeout", "1")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "bytes were not shipped in time" in err
    with shipping(directory, "http://127.0.0.1:9") as (shipper, _), pytest.raises(UndeliveredError):
        shipper.drain(0.3)


def test_rotation_and_new_files_while_shipping(loki_server: Stack, directory: Path, loki: LokiClient) -> None:
    """Files renamed and created while they are read, by a writer that does not wait."""
    service = new_service()
    files = [EventFile(directory, service) for _ in range(3)]
    with shipping(directory, loki_server.loki_url) as (shipper, _):
        thread = threading.Thread(target=shipper.run)
        thread.start()
        try:
            for round_number in range(12):
                for file in files[: 1 + round_number // 4]:
                    file.write(50)
                    if round_number % 3 == 2:
                        file.rotate()
            expected = {event_id for file in files for event_id in file.event_ids}
            eventually(lambda: stored(loki, service)[0] >= len(expected), "all stored")
        finally:
            shipper.stop()
            thread.join(20)
    assert_each_stored_once(loki, service, expected)


def test_a_file_deleted_while_it_is_read_is_shipped_to_its_end(
    proxy: FaultProxy, directory: Path, loki: LokiClient
) -> None:
    """An open file outlives its name: deleting it right after the last write loses nothing while Loki answers."""
    file = EventFile(directory, new_service())
    other = EventFile(directory, file.service)
    other.write(10)
    with shipping(directory, proxy.url, batch_bytes=300_000) as (shipper, _):
        shipper._tail.scan()
        file.write(1500)
        shipper._tail.scan()
        file.path.unlink()
        assert shipper.drain(30)
    assert_each_stored_once(loki, file.service, file.event_ids | other.event_ids)


def test_a_deleted_file_is_let_go_while_loki_is_down(directory: Path) -> None:
    """Deleting a file has to free the disk, so a file that cannot be shipped now is not held open."""
    file = EventFile(directory, new_service())
    file.write(10)
    with shipping(directory, "http://127.0.0.1:9") as (shipper, _):
        shipper._tail.scan()
        held = shipper._tail.files[0]
        file.path.unlink()
        shipper._tail.scan()
        assert held.is_open
        shipper._wait_for_loki(0)
        assert not held.is_open
        assert shipper._tail.unshipped_bytes == 0


def test_bad_lines_go_to_the_dead_letter_and_nothing_else_is_lost(
    loki_server: Stack, directory: Path, loki: LokiClient
) -> None:
    """Malformed, torn, unknown, mistimed, mis-encoded and oversize lines among good ones; each with reason and place."""
    file = EventFile(directory, new_service())
    file.write(3)
    bad = {
        b"Traceback (most recent call last):": "not_a_json_object",
        b"": "not_a_json_object",
        file.line(event="web.no_such_event"): "unknown_event",
        file.line(timestamp="yesterday"): "bad_timestamp",
        file.line(service_name="Web"): "bad_label",
        file.line().replace(b"say", b"s\xffy"): "not_utf8",
        file.line(note="x" * 70_000): "oversize_line",
        b"z" * 1_000_000: "oversize_line",
    }
    unshippable = {f"{file.instance_id}-{number}" for number in range(4, 9)}
    for line in bad:
        file.write_raw(line + b"\n")
        file.write(2)
    file.write_raw(file.line()[:-20])
    unshippable.add(f"{file.instance_id}-{file.seq}")
    collected = drain(directory, loki_server.loki_url, batch_bytes=400_000)
    assert_each_stored_once(loki, file.service, file.event_ids - unshippable)
    letters = dead_letters(directory)
    assert [letter["reason"] for letter in letters] == [*bad.values(), "not_a_json_object"]
    data = file.path.read_bytes()
    for letter, line in zip(letters, bad, strict=False):
        assert data[letter["offset"] :].startswith(line)
        assert letter["length"] == len(line)
    assert letters[-1]["offset"] + letters[-1]["length"] == len(data)
    assert "line_base64" in letters[5]
    assert collected.total("dead_letter_count") == len(letters)
    assert collected.total("read_count") == len(file.event_ids) + 3


def test_one_of_two_shippers_stays_stopped_for_six_hours_of_log_time(
    loki_server: Stack, tmp_path: Path, loki: LokiClient
) -> None:
    """Two hosts write to the same streams; one's shipper comes back 6 h late and is taken in full, once."""
    service = new_service()
    begin = datetime.now(UTC) - timedelta(hours=7)
    going_on = EventFile(tmp_path / "a" / "logs", service, start=begin, step=timedelta(seconds=7))
    stopped = EventFile(tmp_path / "b" / "logs", service, start=begin, step=timedelta(seconds=7))
    for file in (going_on, stopped):
        file.write(200)
        drain(file.directory, loki_server.loki_url)
    going_on.write(3000)  # up to now, almost 6 h later
    drain(going_on.directory, loki_server.loki_url)
    stopped.write(400)
    with FaultProxy(loki_server.loki_url) as proxy:
        proxy.faults.append(fault_proxy.CUT_AFTER)
        drain(stopped.directory, proxy.url)
    assert not dead_letters(stopped.directory)
    assert_each_stored_once(loki, service, going_on.event_ids | stopped.event_ids, begin - timedelta(minutes=1))


def test_a_backlog_is_shipped_oldest_first_across_files(proxy: FaultProxy, directory: Path, loki: LokiClient) -> None:
    """A file that is 20 h behind goes before what is written now: our own order never makes entries too old."""
    service = new_service()
    fresh = EventFile(directory, service)
    fresh.write(100)
    old = EventFile(directory, service, start=datetime.now(UTC) - timedelta(hours=20))
    old.write(100)
    drain(directory, proxy.url, batch_bytes=65_536)
    assert not dead_letters(directory)
    assert_each_stored_once(loki, service, fresh.event_ids | old.event_ids, datetime.now(UTC) - timedelta(hours=21))


def test_a_second_shipper_on_a_directory_is_refused(loki_server: Stack, directory: Path) -> None:
    """Two would store every event twice; the error names the other one's process."""
    with (
        shipping(directory, loki_server.loki_url),
        pytest.raises(AlreadyRunningError, match="another shipper"),
        shipping(directory, loki_server.loki_url),
    ):
        pass
    process = None
    with shipping(directory, loki_server.loki_url):
        process = start_command(directory, loki_server.loki_url)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "two would store every event twice" in err


def test_a_broken_checkpoint_stops_it(loki_server: Stack, directory: Path) -> None:
    """Starting from nothing would store everything again, so a person has to decide."""
    directory.mkdir()
    (directory / ".shipped.json").write_text('{"version": 2')
    with (
        pytest.raises(ShipperError, match="delete it to ship every file from its beginning"),
        shipping(directory, loki_server.loki_url),
    ):
        pass


def test_a_full_disk_for_the_dead_letter(loki_server: Stack, directory: Path, loki: LokiClient) -> None:
    """No room for a dead letter: it says so, waits, moves no offset; with room again everything is there, once."""
    file = EventFile(directory, new_service())
    file.write(20)
    file.write_raw(b"".join(b"garbage %03d " % number + b"x" * 1000 + b"\n" for number in range(50)))
    file.write(20)
    limited = start_command(
        directory,
        loki_server.loki_url,
        "--drain",
        "--timeout",
        "3",
        file_size_limit=20_000,
    )
    _, err = limited.communicate(timeout=60)
    assert limited.returncode == 1
    assert "cannot write the dead letter" in err
    assert "nothing is lost" in err
    assert not dead_letters(directory)
    assert not (directory / ".shipped.json").exists()
    drain(directory, loki_server.loki_url)
    assert_each_stored_once(loki, file.service, file.event_ids)
    assert [letter["line"][:11] for letter in dead_letters(directory)] == [
        f"garbage {number:03d}" for number in range(50)
    ]


def test_a_full_disk_for_the_journal(loki_server: Stack, directory: Path, loki: LokiClient) -> None:
    """A batch whose bounds cannot be recorded is not sent."""
    file = EventFile(directory, new_service())
    file.write(20)
    limited = start_command(
        directory,
        loki_server.loki_url,
        "--drain",
        "--timeout",
        "2",
        file_size_limit=30,
    )
    _, err = limited.communicate(timeout=60)
    assert limited.returncode == 1
    assert "cannot write the journal" in err
    assert stored(loki, file.service)[0] == 0
    drain(directory, loki_server.loki_url)
    assert_each_stored_once(loki, file.service, file.event_ids)


def test_a_checkpoint_that_cannot_be_written_makes_nothing_twice(
    loki_server: Stack, directory: Path, loki: LokiClient
) -> None:
    """The push is done and the checkpoint is not: the journal has the next shipper read back instead of sending."""
    file = EventFile(directory, new_service())
    file.write(20)
    blocker = directory / ".shipped.json.tmp"
    blocker.mkdir()
    with shipping(directory, loki_server.loki_url) as (shipper, collected):
        with pytest.raises(UndeliveredError):
            shipper.drain(0.5)
        assert "cannot write the checkpoint" in collected.notices[0]
    blocker.rmdir()
    assert stored(loki, file.service)[0] == 20
    collected = drain(directory, loki_server.loki_url)
    assert collected.total("already_stored_count") == 20
    assert_each_stored_once(loki, file.service, file.event_ids)


def test_dead_letters_are_not_written_again_after_a_crash(
    loki_server: Stack, directory: Path, loki: LokiClient
) -> None:
    """What the journalled batch had dead-lettered before the crash stays dead-lettered once."""
    file = EventFile(directory, new_service())
    file.write(5)
    file.write_raw(b"garbage\n")
    file.write(5)
    drain(directory, loki_server.loki_url)
    journal = (directory / JOURNAL_NAME).read_bytes()
    (directory / ".shipped.json").unlink()
    (directory / JOURNAL_NAME).write_bytes(journal + b'\n{"batch":[["torn')
    collected = drain(directory, loki_server.loki_url)
    assert len(dead_letters(directory)) == 1
    assert collected.total("already_stored_count") == 10
    assert_each_stored_once(loki, file.service, file.event_ids)


def test_a_journalled_file_that_is_gone_is_told(loki_server: Stack, directory: Path) -> None:
    """There is nothing to send any more; the operator learns which bytes may be missing."""
    directory.mkdir()
    (directory / JOURNAL_NAME).write_bytes(orjson.dumps({"batch": [["f" * 32 + "-1", 0, 100]]}) + b"\n")
    collected = drain(directory, loki_server.loki_url)
    assert "bytes 0 to 100" in collected.notices[0]


def test_status_is_reported_while_loki_is_down(directory: Path) -> None:
    """Lag and backlog grow in the reports; they reach Loki when it is back."""
    file = EventFile(directory, new_service())
    file.write(10)
    with (
        shipping(directory, "http://127.0.0.1:9", status_interval_s=0.1) as (shipper, collected),
        pytest.raises(UndeliveredError),
    ):
        shipper.drain(1.0)
    report = collected.reports[-1]
    assert report["backlog_bytes"] == file.path.stat().st_size
    assert 290 < report["lag_s"] < 400
    assert collected.total("push_error_count") > 1
    assert collected.total("pushed_count") == 0
