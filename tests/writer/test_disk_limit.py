"""The directory's limit: shipped files first, unshipped ones last and counted, living processes' never."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest

from logging_pkg.writer.disk_limit import enforce
from tests.writer.support import MESSAGE, REGISTRY, file_writer, read_events

KEEP_NOTHING = 0


def write_file(directory: Path, name: str, *, age: int, first: int = 1, count: int = 10) -> tuple[Path, str]:
    """A finished event file and the event_id of its first line. The greater `age`, the older."""
    instance = f"{age:032x}"
    lines = [
        orjson.dumps({"event_id": f"{instance}-{seq}", "seq": seq, "instance_id": instance, "message": "m" * 100})
        for seq in range(first, first + count)
    ]
    path = directory / f"{name}.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    os.utime(path, ns=(10**18 - age, 10**18 - age))
    return path, f"{instance}-{first}"


def ship(directory: Path, **offsets: Any) -> None:
    (directory / ".shipped.json").write_text(json.dumps({"version": 1, "files": offsets}))


def names(directory: Path) -> set[str]:
    return {path.stem for path in directory.glob("*.ndjson")}


def test_within_the_limit_nothing_is_touched(tmp_path: Path) -> None:
    """Equal to the limit is within it."""
    path, _ = write_file(tmp_path, "a", age=1)
    assert enforce(tmp_path, path.stat().st_size) == []
    assert names(tmp_path) == {"a"}


def test_shipped_files_go_first_then_the_oldest(tmp_path: Path) -> None:
    """Of an old unshipped and a young shipped file the shipped one goes; then the oldest unshipped."""
    old, _ = write_file(tmp_path, "old", age=3)
    write_file(tmp_path, "middle", age=2)
    young, event_id = write_file(tmp_path, "young", age=1)
    size = old.stat().st_size
    ship(tmp_path, **{event_id: young.stat().st_size})
    (first,) = enforce(tmp_path, 2 * size)
    assert (first["file"], first["lost_event_count"], first["lost_first_seq"]) == ("young.ndjson", 0, None)
    (second,) = enforce(tmp_path, size)
    assert (second["file"], second["lost_event_count"]) == ("old.ndjson", 10)
    assert names(tmp_path) == {"middle"}


def test_mocks_of_an_application_are_neither_called_nor_believed(tmp_path: Path) -> None:
    """A file may be full while its tests count calls of `open`, and hand out what they like."""
    _, event_id = write_file(tmp_path, "a", age=1)
    ship(tmp_path, **{event_id: 10_000})
    with patch("builtins.open") as builtin, patch("pathlib.Path.open") as method:
        (fields,) = enforce(tmp_path, KEEP_NOTHING)
    assert builtin.mock_calls == method.mock_calls == []
    assert (fields["first_seq"], fields["last_seq"], fields["lost_event_count"]) == (1, 10, 0)


def test_what_is_lost_is_told_with_its_bounds(tmp_path: Path) -> None:
    """A file shipped to the end of its 4th line loses lines 5 to 10."""
    path, event_id = write_file(tmp_path, "a", age=7, first=101)
    offset = sum(len(line) + 1 for line in path.read_bytes().splitlines()[:4])
    ship(tmp_path, **{event_id: offset})
    (fields,) = enforce(tmp_path, KEEP_NOTHING)
    assert fields == {
        "file": "a.ndjson",
        "file_instance_id": f"{7:032x}",
        "first_seq": 101,
        "last_seq": 110,
        "size_bytes": fields["size_bytes"],
        "lost_event_count": 6,
        "lost_first_seq": 105,
        "lost_last_seq": 110,
        "directory_limit_bytes": KEEP_NOTHING,
    }
    assert fields["size_bytes"] > 1000


def test_a_torn_last_line_is_counted_and_the_one_before_tells_the_bound(tmp_path: Path) -> None:
    """What a crash left half-written is lost as well."""
    path, _ = write_file(tmp_path, "a", age=1)
    with path.open("ab") as file:
        file.write(b'{"event_id":"torn","seq":11')
    (fields,) = enforce(tmp_path, KEEP_NOTHING)
    assert (fields["lost_event_count"], fields["last_seq"]) == (11, 10)


def test_a_file_a_living_process_writes_stays(tmp_path: Path) -> None:
    """Locked is alive; when the lock is gone the file may go."""
    path, _ = write_file(tmp_path, "alive", age=9)
    write_file(tmp_path, "dead", age=1)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert [fields["file"] for fields in enforce(tmp_path, KEEP_NOTHING)] == ["dead.ndjson"]
    assert [fields["file"] for fields in enforce(tmp_path, KEEP_NOTHING)] == ["alive.ndjson"]


def test_two_writers_in_one_directory_never_delete_each_others_live_file(tmp_path: Path) -> None:
    """With a limit both are over, each keeps what it is writing."""
    limits = {"file_max_bytes": 65_536, "directory_max_bytes": 65_536}
    writers = [file_writer(tmp_path, **limits) for _ in range(2)]
    for _ in range(300):
        for writer in writers:
            writer.emit("log.message_recorded", {**MESSAGE, "message": "m" * 1000})
    for writer in writers:
        assert (tmp_path / f"tests-{writer.instance_id}.ndjson").exists()
        assert writer.failed == 0


def test_every_seq_is_on_disk_or_in_a_deleted_events_bounds(tmp_path: Path) -> None:
    """Stored lines and the bounds in `logging.file_deleted` together have no hole: what is lost can be counted."""
    writer = file_writer(tmp_path, file_max_bytes=65_536, directory_max_bytes=200_000)
    deleted: dict[int, dict[str, Any]] = {}
    for _ in range(1500):
        writer.emit("log.message_recorded", {**MESSAGE, "message": "m" * 400})
        if writer.last_seq % 50 == 0:
            deleted |= {e["seq"]: e for e in read_events(tmp_path) if e["event"] == "logging.file_deleted"}
    events = read_events(tmp_path)
    deleted |= {e["seq"]: e for e in events if e["event"] == "logging.file_deleted"}
    assert len(deleted) > 5
    assert sum(path.stat().st_size for path in tmp_path.glob("*.ndjson")) <= 200_000 + 65_536
    lost = {
        seq
        for event in deleted.values()
        for seq in range(event["lost_first_seq"], event["lost_last_seq"] + 1)
        if event["file_instance_id"] == writer.instance_id
    }
    assert lost | {event["seq"] for event in events} == set(range(1, writer.last_seq + 1))
    assert sum(event["lost_event_count"] for event in deleted.values()) == len(lost)
    assert [problem for event in deleted.values() for problem in REGISTRY.problems(event)] == []


@pytest.mark.parametrize("content", ["", "[]", "null", '{"files": 5}', '{"files": {"x": "many"}}', "\xff"])
def test_an_unreadable_checkpoint_means_unshipped(tmp_path: Path, content: str) -> None:
    """Whatever stands in .shipped.json, nothing is raised and nothing is taken for shipped."""
    write_file(tmp_path, "a", age=1)
    (tmp_path / ".shipped.json").write_text(content, encoding="latin-1")
    (fields,) = enforce(tmp_path, KEEP_NOTHING)
    assert fields["lost_event_count"] == 10


@pytest.mark.parametrize("content", [b"", b"\n", b"not json\n", b'{"seq": "x", "instance_id": 5}\n', b"\xff" * 70_000])
def test_a_foreign_file_is_described_as_far_as_it_goes(tmp_path: Path, content: bytes) -> None:
    """The description is a valid event even of a file that holds no events."""
    (tmp_path / "foreign.ndjson").write_bytes(content)
    write_file(tmp_path, "own", age=1)
    for fields in enforce(tmp_path, KEEP_NOTHING):
        assert REGISTRY.events["logging.file_deleted"].accepts(fields)


def test_other_files_are_none_of_its_business(tmp_path: Path) -> None:
    """Only `*.ndjson` is counted and deleted."""
    (tmp_path / "notes.txt").write_bytes(b"x" * 100_000)
    write_file(tmp_path, "a", age=1)
    enforce(tmp_path, KEEP_NOTHING)
    assert (tmp_path / "notes.txt").exists()
    assert names(tmp_path) == set()


def test_one_process_cleans_at_a_time(tmp_path: Path) -> None:
    """While another holds the lock, nothing is deleted."""
    write_file(tmp_path, "a", age=1)
    with (tmp_path / ".limit.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert enforce(tmp_path, KEEP_NOTHING) == []
    assert len(enforce(tmp_path, KEEP_NOTHING)) == 1
