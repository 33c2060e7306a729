"""Checkpoint, journal, lock and dead letter survive what they are for."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from logging_pkg.shipper.dead_letter import DeadLetter, DeadLetterFile
from logging_pkg.shipper.errors import AlreadyRunningError, StateError
from logging_pkg.shipper.state import JOURNAL_NAME, Bounds, Checkpoint, DirectoryLock, Journal


def letter(offset: int, line: bytes = b"garbage", file_id: str = "a-1") -> DeadLetter:
    return DeadLetter("not_a_json_object", file_id, "a.ndjson", offset, line, len(line))


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """In the form that the file sink reads, too."""
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load() == {}
    checkpoint.save({"a-1": 5, "b-1": 0})
    assert checkpoint.load() == {"a-1": 5, "b-1": 0}
    assert orjson.loads((tmp_path / ".shipped.json").read_bytes()) == {"version": 1, "files": {"a-1": 5, "b-1": 0}}
    assert [path.name for path in tmp_path.iterdir()] == [".shipped.json"]


def test_the_journal_gives_back_its_last_whole_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Across restarts, torn records and its own renewal when it has grown."""
    monkeypatch.setattr("logging_pkg.shipper.state._JOURNAL_MAX_BYTES", 5000)
    with Journal(tmp_path) as journal:
        assert journal.last() == []
        for number in range(200):
            journal.record([Bounds("a" * 32 + "-1", number, number + 1), Bounds("b-1", 0, number)])
        assert (tmp_path / JOURNAL_NAME).stat().st_size < 5000 + 200
        assert journal.last() == [Bounds("a" * 32 + "-1", 199, 200), Bounds("b-1", 0, 199)]
    with (tmp_path / JOURNAL_NAME).open("ab") as torn:
        torn.write(b'{"batch":[["c-1",0')
    with Journal(tmp_path) as journal:
        assert journal.last()[1] == Bounds("b-1", 0, 199)
        journal.record([Bounds("d-1", 1, 2)])
        assert journal.last() == [Bounds("d-1", 1, 2)]


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The error names the file, what it was to hold, and what to do."""
    (tmp_path / "logs").write_text("a file, not a directory")
    with pytest.raises(StateError, match="cannot write the lock"):
        DirectoryLock(tmp_path / "logs")
    with pytest.raises(StateError, match=r"journal.*make room"):
        Journal(tmp_path / "missing").record([Bounds("a-1", 0, 1)])
    with pytest.raises(StateError, match="cannot write the dead letter"):
        DeadLetterFile(tmp_path / "logs").append([letter(0)])


def test_the_lock_is_free_again_after_release(tmp_path: Path) -> None:
    """One holder at a time."""
    lock = DirectoryLock(tmp_path)
    with pytest.raises(AlreadyRunningError):
        DirectoryLock(tmp_path)
    lock.release()
    DirectoryLock(tmp_path).release()


def test_dead_letters_say_where_a_line_was_and_hold_its_bytes(tmp_path: Path) -> None:
    """Text as text, anything else as base64."""
    letters = DeadLetterFile(tmp_path)
    letters.append([letter(3, "é".encode()), letter(9, b"\xff")])
    first, second = (orjson.loads(line) for line in letters.path.read_bytes().splitlines())
    assert (first["line"], first["offset"], first["file"], first["reason"]) == ("é", 3, "a.ndjson", "not_a_json_object")
    assert second["line_base64"] == "/w=="
    assert "line" not in second


def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    """Files are rotated by size and the oldest goes; what is recorded is found in all of them."""
    letters = DeadLetterFile(tmp_path, max_bytes=2000, keep=2)
    for number in range(60):
        letters.append([letter(number, b"x" * 100)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dead-letter.1.ndjson",
        "dead-letter.2.ndjson",
        "dead-letter.ndjson",
    ]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    recorded = letters.recorded(["a-1", "b-1"])
    assert ("a-1", 59) in recorded
    assert ("a-1", 0) not in recorded
    assert not letters.recorded(["b-1"])


def test_a_letter_after_a_torn_one_starts_a_line_of_its_own(tmp_path: Path) -> None:
    """A crash in the middle of a letter spoils that one only."""
    letters = DeadLetterFile(tmp_path)
    letters.path.write_bytes(b'{"reason":"to')
    letters.append([letter(7)])
    assert letters.recorded(["a-1"]) == {("a-1", 7)}
