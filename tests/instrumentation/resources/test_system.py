"""Memory, files, disk and pressure: right where the system tells them, absent where it does not."""

from __future__ import annotations

import mmap
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from logging_pkg.instrumentation.resources import system


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause after another test's look at smaps_rollup."""
    monkeypatch.setattr(system, "_rollup_due", 0.0)
    monkeypatch.setattr(system, "_ROLLUP_PAUSE", 0)


MEMINFO = "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    250 kB\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_memory_of_the_machine_and_of_the_container(tmp_path: Path) -> None:
    """The container's limit where there is one below the machine's memory."""
    proc, mount = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "meminfo", MEMINFO)
    write(
        proc / "self/smaps_rollup",
        "00-ff ---p 00 00 0 [rollup]\nRss: 90 kB\nPrivate_Clean: 3 kB\nPrivate_Dirty: 4 kB\n",
    )
    assert system.present(system.memory_fields(proc, mount)) == {
        "uss_bytes": 7 * 1024,
        "memory_limit_bytes": 1000 * 1024,
        "memory_used_bytes": 750 * 1024,
        "memory_used_ratio": 0.75,
    }
    write(proc / "self/cgroup", "0::/\n")
    write(mount / "memory.max", f"{500 * 1024}\n")
    write(mount / "memory.current", f"{200 * 1024}\n")
    found = system.present(system.memory_fields(proc, mount))
    assert (found["memory_limit_bytes"], found["memory_used_ratio"]) == (500 * 1024, 0.4)
    write(mount / "memory.max", f"{5000 * 1024}\n")
    found = system.present(system.memory_fields(proc, mount))
    assert (found["memory_limit_bytes"], found["memory_used_ratio"]) == (1000 * 1024, 0.75)


def test_private_memory_grows_with_what_is_written() -> None:
    """The real files of this process: 32 MiB touched are 32 MiB more."""
    before = system.present(system.memory_fields())
    block = mmap.mmap(-1, 32 * 1024 * 1024)
    block.write(b"x" * len(block))
    after = system.present(system.memory_fields())
    block.close()
    grown = after["uss_bytes"] - before["uss_bytes"]
    assert 30 * 1024 * 1024 < grown < 40 * 1024 * 1024
    assert 0 < after["memory_used_ratio"] < 1


def test_private_memory_is_left_out_when_telling_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is followed by a pause of a thousand times its length; what is cheap is told meanwhile."""
    monkeypatch.setattr(system, "_ROLLUP_PAUSE", 1e9)
    assert "uss_bytes" in system.present(system.memory_fields())
    found = system.present(system.memory_fields())
    assert "uss_bytes" not in found
    assert found["memory_limit_bytes"] > 0


def test_open_files_are_a_share_of_the_soft_limit() -> None:
    """RLIMIT_NOFILE."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert system.present(system.file_fields(limit // 2)) == {
        "max_open_file_count": limit,
        "open_file_ratio": round(limit // 2 / limit, 6),
    }
    assert system.present(system.file_fields(None)) == {"max_open_file_count": limit}


def test_the_disk_is_that_of_the_directory(tmp_path: Path) -> None:
    """As statvfs has it for a process without privileges; a directory that is not there has none."""
    found, really = system.present(system.disk_fields(tmp_path)), os.statvfs(tmp_path)
    assert found["log_disk_size_bytes"] == really.f_blocks * really.f_frsize
    assert 0 < found["log_disk_free_bytes"] <= found["log_disk_size_bytes"]
    assert found["log_disk_free_ratio"] == round(found["log_disk_free_bytes"] / found["log_disk_size_bytes"], 6)
    assert system.present(system.disk_fields(tmp_path / "gone")) == {}


def test_pressure_is_the_share_of_the_last_ten_seconds(tmp_path: Path) -> None:
    """Of the own group where that tells it, else of the machine; what is not told is left out."""
    proc, mount = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "pressure/cpu", "some avg10=12.50 avg60=1.00 avg300=0.00 total=9\n")
    write(proc / "pressure/io", "some avg10=oops\n")
    assert system.present(system.pressure_fields(proc, mount)) == {"cpu_pressure_ratio": 0.125}
    write(proc / "self/cgroup", "0::/\n")
    write(
        mount / "cpu.pressure",
        "some avg10=1.00 avg60=1.00 avg300=0.00 total=9\nfull avg10=50.00 avg60=0 avg300=0 total=0\n",
    )
    write(mount / "memory.pressure", "some avg10=100.00 avg60=1.00 avg300=0.00 total=9\n")
    assert system.present(system.pressure_fields(proc, mount)) == {
        "cpu_pressure_ratio": 0.01,
        "memory_pressure_ratio": 1.0,
    }


def test_on_another_system_nothing_is_told(tmp_path: Path) -> None:
    """No /proc, no cgroups: no fields and no exception."""
    assert system.present(system.memory_fields(tmp_path, tmp_path)) == {}
    assert system.present(system.pressure_fields(tmp_path, tmp_path)) == {}


def test_fields_that_were_told_stay_when_the_next_fails() -> None:
    """A file may vanish half-way."""

    def fields() -> Iterator[tuple[str, int]]:
        yield "a", 1
        raise OSError

    assert system.present(fields()) == {"a": 1}
