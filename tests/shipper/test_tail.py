"""Following files: identity, rotation, whole lines only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logging_pkg.shipper.tail import SEGMENT_BYTES, Tail
from tests.shipper.support import EventFile, eventually


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Tail]:
    running = Tail(tmp_path, {}, torn_after_s=0.1)
    yield running
    running.close()


def read_all(tail: Tail) -> list[bytes]:
    tail.scan()
    lines = []
    while (segment := tail.next_segment()) is not None:
        lines += segment.lines
        tail.mark_shipped(segment.file_id, segment.end)
    return lines


def reopened(tail: Tail, directory: Path) -> Tail:
    """The tail of a shipper that starts with this one's checkpoint."""
    tail.close()
    return Tail(directory, tail.shipped, torn_after_s=0.1)


def test_a_directory_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    """The application may start later than the shipper."""
    tail = Tail(tmp_path / "later", {})
    assert read_all(tail) == []
    EventFile(tmp_path / "later", "web").write(2)
    assert len(read_all(tail)) == 2
    tail.close()


def test_a_renamed_file_is_the_same_file(tail: Tail, tmp_path: Path) -> None:
    """Rotation neither repeats nor loses a line, while running and across a restart."""
    file = EventFile(tmp_path, "web")
    file.write(3)
    assert len(read_all(tail)) == 3
    file.write(2)
    file.rotate()
    file.write(4)
    assert len(read_all(tail)) == 6
    file.rotate()
    again = reopened(tail, tmp_path)
    assert read_all(again) == []
    file.write(1)
    assert len(read_all(again)) == 1
    again.close()


def test_a_file_without_a_whole_first_line_waits(tail: Tail, tmp_path: Path) -> None:
    """Its identity is not known before, and a living writer will complete it."""
    file = EventFile(tmp_path, "web")
    line = file.line()
    with file.path.open("ab") as writing:
        fcntl.flock(writing, fcntl.LOCK_SH)
        writing.write(line[:50])
        writing.flush()
        assert read_all(tail) == []
        os.utime(file.path, (0, 0))
        assert read_all(tail) == []
        writing.write(line[50:] + b"\n")
    assert read_all(tail) == [line]


def test_an_unfinished_last_line_is_given_up_when_its_writer_is_gone(tail: Tail, tmp_path: Path) -> None:
    """While the writer holds its lock it may still come; afterwards it is a torn line."""
    file = EventFile(tmp_path, "web")
    file.write(1)
    with file.path.open("ab") as writing:
        fcntl.flock(writing, fcntl.LOCK_SH)
        writing.write(b'{"half')
        writing.flush()
        assert len(read_all(tail)) == 1
        os.utime(file.path, (0, 0))
        tail._next_recheck = 0
        assert read_all(tail) == []
        assert not tail.has_torn_ends()
    assert tail.has_torn_ends()
    lines: list[bytes] = []
    eventually(lambda: bool(lines.extend(read_all(tail)) or lines), "the torn line")
    assert lines == [b'{"half']
    file.write_raw(b"\n")
    file.write(1)
    assert len(read_all(tail)) == 2  # what was missing of the torn line, and the next one


def test_lines_of_any_length_keep_their_offsets(tail: Tail, tmp_path: Path) -> None:
    """A line longer than a segment comes cut, with its true bounds; its neighbours come whole."""
    file = EventFile(tmp_path, "web")
    file.write(1)
    file.write_raw(b"y" * (3 * SEGMENT_BYTES) + b"\n")
    file.write(1)
    tail.scan()
    segments = []
    while (segment := tail.next_segment()) is not None:
        segments.append(segment)
    assert [len(segment.lines) for segment in segments] == [1, 1, 1]
    assert segments[1].end - segments[1].start == 3 * SEGMENT_BYTES + 1
    assert segments[1].lines[0] == b"y" * len(segments[1].lines[0])
    assert segments[-1].end == file.path.stat().st_size
    assert [a.end for a in segments[:-1]] == [b.start for b in segments[1:]]


def test_many_segments_of_one_file_cover_it_without_a_gap(tail: Tail, tmp_path: Path) -> None:
    """Segments end at line ends."""
    file = EventFile(tmp_path, "web")
    file.write(1000)
    assert file.path.stat().st_size > 2 * SEGMENT_BYTES
    assert b"\n".join(read_all(tail)) + b"\n" == file.path.read_bytes()


def test_a_copy_of_a_file_is_not_shipped_again(tail: Tail, tmp_path: Path) -> None:
    """The same first line is the same file: `cp` beside it repeats nothing, and takes over when the original goes."""
    file = EventFile(tmp_path, "web")
    file.write(3)
    assert len(read_all(tail)) == 3
    copy = tmp_path / "copy.ndjson"
    copy.write_bytes(file.path.read_bytes())
    assert read_all(tail) == []
    assert not tail.has_torn_ends()
    file.path.unlink()
    with copy.open("ab") as more:
        more.write(file.line() + b"\n")
    tail._next_recheck = 0
    assert len(read_all(tail)) == 1


def test_an_inode_used_again_is_another_file(tail: Tail, tmp_path: Path) -> None:
    """Only the first line tells: a new file in place of a closed one starts from its own beginning."""
    file = EventFile(tmp_path, "web")
    file.write(3)
    assert len(read_all(tail)) == 3
    tail.close()
    other = EventFile(tmp_path, "web")
    data = b"".join(other.line() + b"\n" for _ in range(5))
    with file.path.open("r+b") as same_inode:
        same_inode.truncate(0)
        same_inode.write(data)
    assert len(read_all(tail)) == 5


def test_a_file_cut_short_goes_on_from_its_end(tail: Tail, tmp_path: Path) -> None:
    """What is left was shipped before; what is written from now on is new."""
    file = EventFile(tmp_path, "web")
    file.write(5)
    assert len(read_all(tail)) == 5
    first = file.path.read_bytes().split(b"\n")[0] + b"\n"
    os.truncate(file.path, len(first))
    assert read_all(tail) == []
    file.write(2)
    assert len(read_all(tail)) == 2


def test_files_that_begin_with_the_same_garbage_are_told_apart(tail: Tail, tmp_path: Path) -> None:
    """Without an event_id in the first line the inode is part of the identity."""
    for name in ("a.ndjson", "b.ndjson"):
        (tmp_path / name).write_bytes(b"garbage\n{}\n")
    assert len(read_all(tail)) == 4
    again = reopened(tail, tmp_path)
    assert read_all(again) == []
    again.close()


def test_other_files_are_left_alone(tail: Tail, tmp_path: Path) -> None:
    """Checkpoints, locks, compressed and hidden files are no event files."""
    for name in (".shipped.json", "a.ndjson.gz", "a.log", ".hidden.ndjson", ".shipper.journal"):
        (tmp_path / name).write_bytes(b"{}\n")
    (tmp_path / "directory.ndjson").mkdir()
    os.mkfifo(tmp_path / "pipe.ndjson")
    assert read_all(tail) == []


def test_the_oldest_events_come_first(tail: Tail, tmp_path: Path) -> None:
    """Among files, the one whose next events are oldest is read next, whatever its name."""
    from datetime import timedelta

    fresh = EventFile(tmp_path, "a")
    fresh.write(2)
    old = EventFile(tmp_path, "b", start=fresh.start - timedelta(hours=9))
    old.write(2)
    tail.scan()
    first = tail.next_segment()
    assert first is not None
    assert first.name.startswith("b-")
    assert tail.oldest_unshipped_ns() == int((old.start + old.step).timestamp() * 1e6) * 1000


def test_offsets_of_files_that_are_gone_are_kept_for_a_while(tail: Tail, tmp_path: Path) -> None:
    """A listing may miss a file in the middle of a rename: coming back, it is not shipped again. But not for ever."""
    file = EventFile(tmp_path, "web")
    file.write(2)
    assert len(read_all(tail)) == 2
    hidden = file.path.rename(tmp_path / "elsewhere")
    assert read_all(tail) == []
    hidden.rename(file.path)
    assert read_all(tail) == []
    for _ in range(300):
        other = EventFile(tmp_path, "web")
        other.write(1)
        assert len(read_all(tail)) == 1
        other.path.unlink()
        tail.scan()
    assert len(tail.shipped) < 250
    assert f"{file.instance_id}-1" in tail.shipped


def test_with_many_files_few_are_open(tail: Tail, tmp_path: Path) -> None:
    """A directory full of old files does not exhaust the descriptors."""
    for _ in range(400):
        file = EventFile(tmp_path, "web")
        file.write(1)
        os.utime(file.path, (0, 0))
    assert len(read_all(tail)) == 400
    tail.scan()
    assert sum(file.is_open for file in tail.files) <= 200
