"""Limits of a container, from files laid out as the kernel does (cgroup v2, and v1 where that is mounted)."""

from __future__ import annotations

from pathlib import Path

import pytest

from logging_pkg.instrumentation.resources.cgroup import cpu_limit_cores, memory_limit, pressure_directory


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path / "proc"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_v2_the_tightest_limit_above_the_process_counts(proc: Path, mount: Path) -> None:
    """A limit of an ancestor holds for the process as well; file pages that can be dropped at once are not used."""
    write(proc / "self/cgroup", "0::/pods/web\n")
    write(mount / "pods/web/memory.max", "4000\n")
    write(mount / "pods/web/memory.current", "900\n")
    write(mount / "pods/memory.max", "1000\n")
    write(mount / "pods/memory.current", "950\n")
    write(mount / "pods/memory.stat", "anon 600\ninactive_file 150\n")
    write(mount / "pods/web/cpu.max", "150000 100000\n")
    write(mount / "pods/cpu.max", "max 100000\n")
    write(mount / "pods/web/cpu.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n")
    found = memory_limit(proc, mount)
    assert found is not None
    assert (found.limit_bytes, found.used_bytes) == (1000, 800)
    assert cpu_limit_cores(proc, mount) == 1.5
    assert pressure_directory(proc, mount) == mount / "pods/web"


def test_v2_in_a_container_whose_path_is_the_hosts(proc: Path, mount: Path) -> None:
    """What is mounted at the top is its own group then."""
    write(proc / "self/cgroup", "0::/system.slice/docker-1234.scope\n")
    write(mount / "memory.max", "1000\n")
    write(mount / "memory.current", "10\n")
    write(mount / "cpu.max", "50000 100000\n")
    found = memory_limit(proc, mount)
    assert found is not None
    assert (found.limit_bytes, found.used_bytes) == (1000, 10)
    assert cpu_limit_cores(proc, mount) == 0.5


def test_v1(proc: Path, mount: Path) -> None:
    """Controllers have a tree each; several may share one."""
    write(proc / "self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n")
    write(mount / "memory/a/b/memory.limit_in_bytes", "9223372036854771712\n")
    write(mount / "memory/a/b/memory.usage_in_bytes", "500\n")
    write(mount / "memory/a/memory.limit_in_bytes", "2000\n")
    write(mount / "memory/a/memory.usage_in_bytes", "600\n")
    write(mount / "memory/a/memory.stat", "total_inactive_file 100\n")
    write(mount / "cpu/a/cpu.cfs_quota_us", "200000\n")
    write(mount / "cpu/a/cpu.cfs_period_us", "100000\n")
    found = memory_limit(proc, mount)
    assert found is not None
    assert (found.limit_bytes, found.used_bytes) == (2000, 500)
    assert cpu_limit_cores(proc, mount) == 2.0
    assert pressure_directory(proc, mount) is None


@pytest.mark.parametrize(
    "text", ["", "nonsense\n", "0::/../../etc\n", "0::/a\n", "4:memory:/a\n5:cpu:/a\n", ":\n", "\u00e9\n"]
)
def test_what_cannot_be_read_is_not_known(proc: Path, mount: Path, text: str) -> None:
    """Neither an exception nor a made-up number, whatever the files hold."""
    write(proc / "self/cgroup", text)
    for name in ("memory.max", "memory.current", "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        write(mount / "a" / name, "max -1 x\n")
    write(mount / "memory/a/memory.limit_in_bytes", "-1\n")
    write(mount / "cpu/a/cpu.cfs_quota_us", "-1\n")
    write(mount / "cpu/a/cpu.cfs_period_us", "100000\n")
    assert memory_limit(proc, mount) is None
    assert cpu_limit_cores(proc, mount) is None
    assert pressure_directory(proc, mount) is None


def test_without_cgroups_nothing_is_known(tmp_path: Path) -> None:
    """Another system, or /proc that is hidden."""
    assert memory_limit(tmp_path, tmp_path) is None
    assert cpu_limit_cores(tmp_path, tmp_path) is None
