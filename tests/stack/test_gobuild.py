"""Building a server from its pinned module: with the real Go where there is one, with a stand-in for what has to go wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from logging_pkg.exceptions import StackError
from logging_pkg.stack import gobuild
from logging_pkg.stack.gobuild import BuildProgress, built_path
from logging_pkg.stack.process import identity
from logging_pkg.stack.terminal import BuildDisplay
from logging_pkg.stack.tools import TOOLS, Module, Tool

from .conftest import eventually, processes_of

# What the runner asks of Go: its version, the list of packages, the build. The build waits for a file when there is one to wait for.
FAKE_GO = """
case "$1" in
  env) echo go1.99.0 ;;
  list) echo 'go: downloading example.com/x v1.0.0'; echo a; echo b ;;
  build)
    echo build >> "$MARKS/builds"
    echo a >&2
    while [ "$1" != -o ]; do shift; done
    echo half > "$2"
    echo $$ > "$MARKS/pid"
    while [ -e "$MARKS/wait" ]; do sleep 0.05; done
    echo b >&2
    printf 'whole' > "$2" ;;
esac
"""


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """A program of three lines in a module that is replaced by a local directory, so that no network is needed."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "go.mod").write_text("module example.com/tiny\n\ngo 1.21\n")
    (source / "main.go").write_text('package main\n\nfunc main() { println("tiny") }\n')
    module = tmp_path / "modules" / "tiny"
    module.mkdir(parents=True)
    (module / "go.mod").write_text(
        f"module stack/tiny\n\ngo 1.21\n\nrequire example.com/tiny v0.1.2\n\nreplace example.com/tiny v0.1.2 => {source}\n"
    )
    (module / "go.sum").touch()
    return Tool("tiny", (), Module("tiny", tmp_path / "modules"), "example.com/tiny", "example.com/tiny")


@pytest.fixture
def fake_go(program: Callable[[str, str], Path], tmp_path: Path) -> dict[str, str]:
    """An environment whose `go` is the stand-in."""
    marks = tmp_path / "marks"
    marks.mkdir()
    return {"PATH": f"{program('go', FAKE_GO).parent}:/usr/bin:/bin", "MARKS": str(marks)}


def build(tool: Tool, cache: Path, environ: dict[str, str], on_progress=None) -> Path:
    assert tool.module is not None
    return gobuild.build(tool, tool.module, cache, environ, on_progress)


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_real_go_builds_into_the_cache_with_progress(tool: Tool, tmp_path: Path) -> None:
    """The program runs, progress ends with "done", and the second time nothing is built."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    seen: list[BuildProgress] = []
    path = build(tool, tmp_path / "cache", dict(os.environ), seen.append)
    assert subprocess.run([path], capture_output=True, text=True).stderr == "tiny\n"
    assert seen[-1].phase == "done"
    assert {progress.phase for progress in seen} >= {"downloading", "compiling", "done"}
    seen.clear()
    assert build(tool, tmp_path / "cache", {}, seen.append) == path
    assert seen == []


def test_real_compile_error_is_one_line_with_the_log(tool: Tool, tmp_path: Path) -> None:
    """The last line of the compiler, and the file with all of them; nothing is left in the cache."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    (tmp_path / "source" / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    cache = tmp_path / "cache"
    with pytest.raises(StackError, match=r"tiny: the build failed .*undefined: undefined; log: ") as caught:
        build(tool, cache, dict(os.environ))
    assert "\n" not in str(caught.value)
    log = Path(str(caught.value).rpartition("log: ")[2])
    assert "undefined: undefined" in log.read_text()
    assert files(cache) == ["build-tiny.log", "build.lock"]


def test_phases_and_counts_are_reported(tool: Tool, tmp_path: Path, fake_go: dict[str, str]) -> None:
    """Modules while downloading, packages of a total while compiling."""
    seen: list[BuildProgress] = []
    path = build(tool, tmp_path / "cache", fake_go, seen.append)
    assert path.read_text() == "whole"
    assert [(p.phase, p.done, p.total) for p in seen] == [
        ("downloading", 1, 0),
        ("downloading", 1, 0),
        ("downloading", 1, 0),
        ("compiling", 0, 2),
        ("compiling", 1, 2),
        ("compiling", 2, 2),
        ("done", 2, 2),
    ]


def test_too_old_go_is_one_clear_line(tool: Tool, tmp_path: Path, program: Callable[[str, str], Path]) -> None:
    """Its version and the one needed; it is not told to download a newer one by itself."""
    go = program("go", '[ "$GOTOOLCHAIN" = local ] && echo go1.20.14')
    with pytest.raises(StackError, match=rf"{go} is go1\.20\.14; Go 1\.21 or newer builds it"):
        build(tool, tmp_path / "cache", {"PATH": str(go.parent)})


def test_interrupted_build_leaves_nothing_half_made(tool: Tool, tmp_path: Path, fake_go: dict[str, str]) -> None:
    """Ctrl-C ends the compiler as well; the next build starts afresh."""
    (tmp_path / "marks" / "wait").touch()
    cache = tmp_path / "cache"

    def interrupt(progress: BuildProgress) -> None:
        if progress.phase == "compiling" and progress.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tool, cache, fake_go, interrupt)
    eventually(lambda: not processes_of(cache / "build"))
    assert files(cache) == ["build-tiny.log", "build.lock"]
    (tmp_path / "marks" / "wait").unlink()
    assert build(tool, cache, fake_go).read_text() == "whole"


SCRIPT = """
import os, sys
from pathlib import Path
from logging_pkg.stack import gobuild
from logging_pkg.stack.tools import Module, Tool
root = Path(sys.argv[1])
tool = Tool("tiny", (), Module("tiny", root / "modules"), "example.com/tiny", "example.com/tiny")
seen = []
gobuild.build(tool, tool.module, root / "cache", dict(os.environ), lambda progress: seen.append(progress.phase))
print(*dict.fromkeys(seen))
"""


def builder(root: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(root)], env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_killed_build_leaves_no_compiler_and_no_program(tool: Tool, tmp_path: Path, fake_go: dict[str, str]) -> None:
    """Kill -9 in the middle: Go is ended by the kernel, and the next build clears what is left."""
    (tmp_path / "marks" / "wait").touch()
    first = builder(tmp_path, fake_go)
    try:
        eventually((tmp_path / "marks" / "pid").exists)
        pid = int(eventually((tmp_path / "marks" / "pid").read_text))
    finally:
        first.kill()
        first.communicate()
    eventually(lambda: identity(pid) is None)
    assert not built_path(tool, tool.module, tmp_path / "cache").exists()
    (tmp_path / "marks" / "wait").unlink()
    assert build(tool, tmp_path / "cache", fake_go).read_text() == "whole"
    assert not (tmp_path / "cache" / "build").exists()


def test_second_builder_waits_and_builds_nothing(tool: Tool, tmp_path: Path, fake_go: dict[str, str]) -> None:
    """Two programs that need the same server build it once."""
    (tmp_path / "marks" / "wait").touch()
    first = builder(tmp_path, fake_go)
    eventually((tmp_path / "marks" / "pid").exists)
    phases: list[str] = []

    def release(progress: BuildProgress) -> None:
        phases.append(progress.phase)
        (tmp_path / "marks" / "wait").unlink(missing_ok=True)

    path = build(tool, tmp_path / "cache", fake_go, release)
    output, _ = first.communicate(timeout=20)
    assert path.read_text() == "whole"
    assert set(phases) == {"waiting"}
    assert output == "downloading compiling done\n"
    assert (tmp_path / "marks" / "builds").read_text() == "build\n"


def test_changed_module_file_is_another_build(tool: Tool, tmp_path: Path) -> None:
    """The name in the cache is made from go.mod and go.sum."""
    assert tool.module is not None
    other = Module("tiny", tmp_path / "modules")
    before = tool.module.key
    assert other.key == before
    (tmp_path / "modules" / "tiny" / "go.sum").write_text("changed")
    assert Module("tiny", tmp_path / "modules").key != before


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.module])
def test_pinned_version_is_read_from_go_mod(name: str) -> None:
    """Every program that can be built has a version in its module file, and the module a Go version."""
    tool = TOOLS[name]
    assert tool.module is not None
    assert tool.pinned_version[0].isdigit()
    assert tool.module.go_version >= (1, 26)


def test_module_file_without_the_line_is_an_error(tmp_path: Path) -> None:
    """A go.mod that was edited by mistake is named."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "go.mod").write_text("module x\n")
    with pytest.raises(ValueError, match=r"go\.mod: expected a line"):
        _ = Module("x", tmp_path).go_version


PROGRESS = [
    BuildProgress("loki", "waiting", 0, 0, 0.1),
    BuildProgress("loki", "downloading", 7, 0, 1),
    BuildProgress("loki", "compiling", 0, 2149, 30),
    BuildProgress("loki", "compiling", 1200, 2149, 60),
    BuildProgress("loki", "done", 2149, 2149, 302),
]


def test_progress_in_a_log_is_a_line_per_phase(tmp_path: Path) -> None:
    """Without a terminal there are no control characters."""
    with (tmp_path / "out").open("w") as file, BuildDisplay(Console(file=file, width=200)) as display:
        for progress in PROGRESS:
            display(progress)
    assert (tmp_path / "out").read_text().splitlines() == [
        "loki: waiting for another build to end (0 s)",
        "loki: downloading Go modules 7 (1 s)",
        "loki: building from source, packages compiled 0 of at most 2,149 (30 s)",
        " ✓ loki 3.7.6  built from source  5:02  (cached for next time)",
    ]


def test_progress_on_a_terminal_is_one_line_that_changes(tmp_path: Path) -> None:
    """Counts while it works, one line of result at the end."""
    with (
        (tmp_path / "out").open("w") as file,
        BuildDisplay(Console(file=file, force_terminal=True, width=200)) as display,
    ):
        for progress in PROGRESS:
            display(progress)
            display._progress.refresh()
    text = (tmp_path / "out").read_text()
    assert "1,200 / 2,149" in text
    assert "\x1b[" in text
    assert "✓ loki 3.7.6  built from source  5:02" in text
