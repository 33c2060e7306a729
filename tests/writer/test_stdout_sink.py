"""The stdout sink: several processes, one pipe, no torn line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from logging_pkg.schemas.conventions import MAX_STDOUT_LINE_BYTES
from tests.writer.support import assert_whole, by_instance, program

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "LOGPIPE_SINK": "stdout", "LOGPIPE_STRICT": "0", "LOGPIPE_SERVICE_NAME": "tests"}


def test_four_processes_writing_to_one_pipe_tear_nothing() -> None:
    """Events of 10 KB from four processes at once: each line whole, each at most 4,096 bytes, none lost."""
    body = """
    for number in range(400):
        emit("m" * 10_000 if number % 2 else "é" * 3_000)
    """
    reader, writer = os.pipe()
    processes = [
        subprocess.Popen([sys.executable, "-c", program(body)], cwd=ROOT, env=ENVIRONMENT, stdout=writer)
        for _ in range(4)
    ]
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        lines = pipe.read().split(b"\n")
    assert [process.wait(60) for process in processes] == [0] * 4
    assert lines.pop() == b""
    assert len(lines) == 1600
    assert max(map(len, lines)) < MAX_STDOUT_LINE_BYTES
    instances = by_instance([orjson.loads(line) for line in lines])
    assert len(instances) == 4
    for events in instances.values():
        assert_whole(events)
        assert all(event["shortened_fields"] == ["message"] for event in events)


def test_a_closed_stdout_is_counted_and_raises_nothing() -> None:
    """A daemon without a stdout starts, emits, and tells how many lines were lost."""
    body = """
    os.close(1)
    emit()
    emit()
    print(get_writer().failed, file=sys.stderr)
    """
    answer = subprocess.run(
        [sys.executable, "-c", program(body)], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    complaint, count = answer.stderr.strip().splitlines()
    assert complaint.startswith("logging_pkg: cannot write events to stdout: Bad file descriptor; 1 lost so far.")
    assert count == "2"
    assert answer.returncode == 0


def test_a_reader_that_went_away_is_counted_and_raises_nothing() -> None:
    """EPIPE reaches nobody but the counter."""
    body = """
    sys.stdin.readline()
    for _ in range(3):
        emit()
    print(get_writer().failed, get_writer().last_seq, file=sys.stderr)
    """
    with subprocess.Popen(
        [sys.executable, "-c", program(body)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write("go\n")
        process.stdin.close()
        assert process.stderr.read().strip().splitlines()[-1] == "3 3"
        assert process.wait(60) == 0
