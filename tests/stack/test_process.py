"""Child processes: told apart by identity, ended with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from logging_pkg.stack import launch
from logging_pkg.stack.ports import free_ports, is_free
from logging_pkg.stack.process import Child, end_process, identity, is_running

from .conftest import eventually

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)


def test_identity_belongs_to_one_process() -> None:
    """Stable while it lives, None when it has ended."""
    own = identity(os.getpid())
    assert own is not None
    assert identity(os.getpid()) == own
    process = subprocess.Popen(["sleep", "600"])
    other = identity(process.pid)
    assert other is not None
    assert other != own or process.pid != os.getpid()
    process.kill()
    eventually(lambda: identity(process.pid) is None)  # a zombie until it is waited for
    process.wait()
    assert identity(process.pid) is None


def test_process_with_another_identity_gets_no_signal() -> None:
    """A pid that was used again belongs to somebody else."""
    process = subprocess.Popen(["sleep", "600"])
    try:
        assert not end_process(process.pid, "another boot/1")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_process_that_ignores_sigterm_is_killed() -> None:
    """After the deadline, SIGKILL."""
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    own = identity(process.pid)
    assert own is not None
    threading.Thread(target=process.wait, daemon=True).start()
    assert end_process(process.pid, own, deadline_s=0.1)
    assert not is_running(process.pid, own)
    process.stdout.close()


def test_child_writes_its_log_and_tells_how_it_ended(tmp_path: Path) -> None:
    """Exit code, the last lines of this run only, and a line found by its text."""
    child = Child("x", ["/bin/sh", "-c", "echo one; echo two >&2; exit 3"], tmp_path / "log", directory=tmp_path)
    (tmp_path / "log").write_text("from an earlier run\n")
    assert (child.pid, child.exit_code) == (None, None)
    child.start()
    eventually(lambda: child.exit_code is not None)
    assert (child.exit_code, child.tail(5), child.pid) == (3, "one | two", None)
    assert child.last_line("one") == "one"
    assert child.last_line("three") is None
    child.stop()


def test_child_that_ignores_sigterm_is_killed_by_stop(tmp_path: Path) -> None:
    """stop() returns only when the process has ended."""
    child = Child("x", [sys.executable, "-c", STUBBORN], tmp_path / "log", directory=tmp_path)
    child.start()
    eventually(lambda: "ready" in child.tail())
    child.stop(deadline_s=0.1)
    assert child.exit_code == -signal.SIGKILL


def test_child_is_started_from_the_main_thread_only(tmp_path: Path) -> None:
    """On Linux it would end with the thread."""
    caught: list[BaseException] = []

    def start() -> None:
        try:
            Child("x", ["/bin/true"], tmp_path / "log", directory=tmp_path).start()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_launched_program_is_not_started_when_the_parent_has_ended() -> None:
    """The gap between the fork and the request for the signal is closed."""
    answer = subprocess.run(
        [sys.executable, "-I", "-S", launch.__file__, "1", "9", "/bin/echo", "started"], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "the starting process 1 has ended" in answer.stderr


def test_free_ports_are_distinct_and_free() -> None:
    """As many as asked for."""
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)
