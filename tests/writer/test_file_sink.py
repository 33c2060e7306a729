"""The file sink: names, rotation by rename, and what happens when its file goes away."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from logging_pkg.writer import FileSink, Writer, sinks
from tests.writer.support import MESSAGE, assert_whole, file_writer, read_events


def emit(writer: Writer, count: int = 1, **fields: Any) -> None:
    for _ in range(count):
        writer.emit("log.message_recorded", {**MESSAGE, **fields})


@pytest.fixture
def checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink looks at its file before each line, not once a second."""
    monkeypatch.setattr(sinks, "_CHECK_INTERVAL_S", -1.0)


def test_the_file_is_named_after_service_and_instance(tmp_path: Path) -> None:
    """`<service_name>-<instance_id>.ndjson`, readable by owner and group only, in a directory made for it."""
    writer = file_writer(tmp_path / "new" / "logs")
    emit(writer)
    (path,) = (tmp_path / "new" / "logs").iterdir()
    assert path.name == f"tests-{writer.instance_id}.ndjson"
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_nothing_is_made_before_the_first_event(tmp_path: Path) -> None:
    """A process that says nothing leaves nothing."""
    file_writer(tmp_path / "logs").close()
    assert not (tmp_path / "logs").exists()


def test_rotation_renames_and_loses_nothing(tmp_path: Path) -> None:
    """Files stay under the limit, are numbered from 1, oldest first, begin with lines of their own, and hold all."""
    writer = file_writer(tmp_path, file_max_bytes=70_000)
    emit(writer, 1000)
    stem = f"tests-{writer.instance_id}"
    count = len(list(tmp_path.glob("*.ndjson"))) - 1
    assert count >= 4
    names = [f"{stem}.{number}.ndjson" for number in range(1, count + 1)] + [f"{stem}.ndjson"]
    assert {path.name for path in tmp_path.glob("*.ndjson")} == set(names)
    assert all((tmp_path / name).stat().st_size <= 70_000 for name in names)
    lines = [line for name in names for line in (tmp_path / name).read_bytes().splitlines()]
    assert [orjson.loads(line)["seq"] for line in lines] == list(range(1, 1001))
    assert len({(tmp_path / name).read_bytes().split(b"\n")[0] for name in names}) == len(names)


def test_a_line_longer_than_the_limit_has_a_file_to_itself(tmp_path: Path) -> None:
    """A file that is empty is not rotated."""
    writer = file_writer(tmp_path, file_max_bytes=65_536)
    emit(writer, 3, message="m" * 65_000)
    assert writer.failed == 0
    assert sorted(event["seq"] for event in read_events(tmp_path)) == [1, 2, 3]


def test_a_closed_writer_opens_its_file_again(tmp_path: Path) -> None:
    """`close` releases; a later event appends."""
    writer = file_writer(tmp_path)
    emit(writer)
    writer.close()
    emit(writer)
    assert_whole(read_events(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_descriptor_closed_behind_its_back_costs_one_counted_line(tmp_path: Path) -> None:
    """Daemonising code closes every descriptor: the next line but one is in the file again."""
    writer = file_writer(tmp_path)
    emit(writer)
    assert isinstance(writer.sink, FileSink)
    assert writer.sink._descriptor is not None
    os.close(writer.sink._descriptor)
    emit(writer, 3)
    assert writer.failed == 1
    assert [event["seq"] for event in read_events(tmp_path)] == [1, 3, 4]


@pytest.mark.usefixtures("checked_at_once")
def test_a_descriptor_that_became_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """The number is reused by another file: no event gets into it, and it stays open."""
    writer = file_writer(tmp_path / "logs")
    emit(writer)
    assert isinstance(writer.sink, FileSink)
    number = writer.sink._descriptor
    assert number is not None
    os.close(number)
    with (tmp_path / "theirs").open("wb") as theirs:
        assert theirs.fileno() == number
        emit(writer, 2)
        theirs.write(b"mine")
    assert (tmp_path / "theirs").read_bytes() == b"mine"
    assert [event["seq"] for event in read_events(tmp_path / "logs")] == [1, 2, 3]


@pytest.mark.usefixtures("checked_at_once")
def test_a_deleted_directory_is_made_again(tmp_path: Path) -> None:
    """Events after the deletion are in a new file."""
    writer = file_writer(tmp_path / "logs")
    emit(writer)
    shutil.rmtree(tmp_path / "logs")
    emit(writer, 2)
    assert [event["seq"] for event in read_events(tmp_path / "logs")] == [2, 3]
    assert writer.failed == 0


def test_a_file_deleted_before_its_rotation_stops_nothing(tmp_path: Path) -> None:
    """There is nothing to rename then; a new file takes the next lines."""
    writer = file_writer(tmp_path, file_max_bytes=65_536)
    emit(writer, message="m" * 50_000)
    for path in tmp_path.iterdir():
        path.unlink()
    emit(writer, 2, message="m" * 50_000)
    assert writer.failed == 0
    assert sorted(event["seq"] for event in read_events(tmp_path)) == [2, 3]


def test_a_rename_that_fails_keeps_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file past its limit loses nothing; the rotation is made up for later."""
    writer = file_writer(tmp_path, file_max_bytes=65_536)
    emit(writer, message="m" * 50_000)
    with monkeypatch.context() as patch:
        patch.setattr(sinks.os, "rename", _denied)
        emit(writer, message="m" * 50_000)
    emit(writer)
    assert writer.failed == 0
    assert sorted(path.name.count(".") for path in tmp_path.iterdir()) == [1, 2]
    assert sorted(event["seq"] for event in read_events(tmp_path)) == [1, 2, 3]


def _denied(*_: object) -> None:
    raise PermissionError(13, "Permission denied")
