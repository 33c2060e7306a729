"""A full disk, for real: counted, reported on stderr, told by the heartbeat, and later lines stand on their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from tests.writer.support import program

ROOT = Path(__file__).resolve().parents[2]


def run(body: str, directory: Path) -> tuple[dict[str, Any], str]:
    """Run a program; what it prints as JSON, and its stderr."""
    environment = {**os.environ, "LOGPIPE_SINK": "file", "LOGPIPE_DIRECTORY": str(directory), "LOGPIPE_STRICT": "0"}
    answer = subprocess.run(
        [sys.executable, "-c", program(body)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(answer.stdout), answer.stderr


# A size limit on files works like a disk that fills up in the middle of a line, and needs no root.
FULL = """
import json, resource
from logging_pkg.instrumentation.process import sample
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
emit("before")
size = os.stat(get_writer().sink.path).st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
for _ in range(3):
    emit("lost")
full = {"failed": get_writer().failed, "sample": sample(1.0), "size": os.stat(get_writer().sink.path).st_size - size}
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
emit("after")
emit("after")
print(json.dumps(full))
"""


def test_a_disk_that_fills_up_within_a_line(tmp_path: Path) -> None:
    """The torn line and those after it are counted; the first one written later starts on a line of its own."""
    full, stderr = run(FULL, tmp_path)
    assert full["failed"] == 3
    assert full["size"] == 100, "the line was to be torn"
    assert full["sample"]["failed_count"] == 3
    assert full["sample"]["written_count"] == 1
    lines = next(tmp_path.glob("*.ndjson")).read_bytes().splitlines()
    assert [_message(line) for line in lines] == ["before", None, "after", "after"]
    assert [orjson.loads(lines[number])["seq"] for number in (0, 2, 3)] == [1, 5, 6]
    assert stderr.count("logging_pkg: cannot write events to") == 1
    assert "only 100 of" in stderr
    assert "1 lost so far" in stderr


def test_a_device_without_any_room(tmp_path: Path) -> None:
    """ENOSPC on every write: the program goes on, each seq is used, and the directory is used again when there is room."""
    body = """
    import json
    path = get_writer().sink.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/full")
    emit(); emit()
    counted = {"failed": get_writer().failed, "last_seq": get_writer().last_seq}
    path.unlink()
    emit("after")
    print(json.dumps(counted))
    """
    counted, stderr = run(body, tmp_path / "logs")
    assert counted == {"failed": 2, "last_seq": 2}
    assert "No space left on device" in stderr
    (line,) = next((tmp_path / "logs").glob("*.ndjson")).read_bytes().splitlines()
    assert orjson.loads(line)["seq"] == 3


def test_a_newline_that_still_fitted_is_not_written_twice(tmp_path: Path) -> None:
    """The disk has room for one byte after a torn line: the repair is begun there, and no empty line appears."""
    body = FULL.replace('emit("lost")', 'emit("lost"); resource.setrlimit(resource.RLIMIT_FSIZE, (size + 101, hard))')
    full, _ = run(body, tmp_path)
    assert full["size"] == 101
    lines = next(tmp_path.glob("*.ndjson")).read_bytes().splitlines()
    assert [_message(line) for line in lines] == ["before", None, "after", "after"]


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file stands where the directory should be: counted, said once, not raised."""
    (tmp_path / "logs").write_text("a file")
    body = """
    import json
    for _ in range(5): emit()
    print(json.dumps({"failed": get_writer().failed}))
    """
    counted, stderr = run(body, tmp_path / "logs")
    assert counted == {"failed": 5}
    assert stderr.count("\n") == 1
    assert "File exists" in stderr


def _message(line: bytes) -> str | None:
    try:
        message: str = orjson.loads(line)["message"]
    except orjson.JSONDecodeError:
        return None
    return message
