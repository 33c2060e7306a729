"""Finding a program: the order of places, and one clear line when it cannot be had."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from logging_pkg.exceptions import StackError
from logging_pkg.stack import find_binary, releases
from logging_pkg.stack.gobuild import built_path
from logging_pkg.stack.tools import TOOLS, cache_directory, parse_version, platform_name

Program = Callable[[str, str], Path]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def archive_server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory and the address it is served under."""
    directory = tmp_path / "www"
    directory.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield directory, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def table(tmp_path: Path, **entry: str) -> Path:
    path = tmp_path / "releases.toml"
    path.write_text(f"[vector.{platform_name()}]\n" + "".join(f'{key} = "{value}"\n' for key, value in entry.items()))
    return path


def test_configured_binary_comes_first(program: Program, bare_environ: dict[str, str]) -> None:
    """LOGPIPE_<NAME>_BIN before PATH."""
    chosen = program("my-loki", "echo loki, version 3.9.1")
    on_path = program("loki", "echo loki, version 3.7.6")
    found = find_binary("loki", environ={**bare_environ, "PATH": str(on_path.parent), "LOGPIPE_LOKI_BIN": str(chosen)})
    assert (found.path, found.version, found.origin) == (chosen, "3.9.1", "LOGPIPE_LOKI_BIN")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("echo ls 9.4", "does not say 'loki', so it is another program"),
        ("echo loki, version 2.9.0", "version 2.9.0 is older than 3.7"),
    ],
)
def test_configured_binary_that_cannot_be_used_is_an_error(
    program: Program, bare_environ: dict[str, str], body: str, problem: str
) -> None:
    """What the user named is not silently replaced by something else."""
    chosen = program("loki", body)
    with pytest.raises(StackError, match=f"LOGPIPE_LOKI_BIN={chosen}: .*{problem}"):
        find_binary("loki", environ={**bare_environ, "LOGPIPE_LOKI_BIN": str(chosen)})


@pytest.mark.parametrize("value", ["/no/such/file", "/"])
def test_configured_path_that_is_no_program_is_an_error(bare_environ: dict[str, str], value: str) -> None:
    """Missing, and a directory."""
    with pytest.raises(StackError, match="expected an executable file"):
        find_binary("loki", environ={**bare_environ, "LOGPIPE_LOKI_BIN": value})


def test_program_that_does_not_start_is_an_error(tmp_path: Path, bare_environ: dict[str, str]) -> None:
    """A file for another machine."""
    path = tmp_path / "loki"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o755)
    with pytest.raises(StackError, match="`--version` does not work"):
        find_binary("loki", environ={**bare_environ, "LOGPIPE_LOKI_BIN": str(path)})


def test_program_on_path_comes_before_the_cache(program: Program, bare_environ: dict[str, str]) -> None:
    """The version a program prints on its first line counts, not Go's below it."""
    on_path = program("loki", "echo 'loki, version 3.7.6 (branch: x)'; echo '  go version: go1.26.8'")
    found = find_binary("loki", environ={**bare_environ, "PATH": str(on_path.parent)})
    assert (found.path, found.version, found.origin) == (on_path, "3.7.6", "PATH")


def test_program_without_a_version_is_used(program: Program, bare_environ: dict[str, str]) -> None:
    """A build without a version stamp says none, as our own builds do."""
    on_path = program("loki", "echo 'loki, version  (branch: , revision: unknown)'")
    assert find_binary("loki", environ={**bare_environ, "PATH": str(on_path.parent)}).version == "unknown version"


def test_unsuitable_program_on_path_is_passed_over_and_named(program: Program, bare_environ: dict[str, str]) -> None:
    """Another program called vector, or one too old, is said in the reason why there is none."""
    old = program("vector", "echo vector 0.54.0")
    with pytest.raises(StackError, match=r"no vector 0\.57 or newer .*0\.54\.0 is older than 0\.57.*embedded shipper"):
        find_binary("vector", environ={**bare_environ, "PATH": str(old.parent)})


def test_cached_build_is_used_without_go(bare_environ: dict[str, str]) -> None:
    """Once built, a program needs neither Go nor a network."""
    tool = TOOLS["loki"]
    assert tool.module is not None
    path = built_path(tool, tool.module, cache_directory(bare_environ))
    path.parent.mkdir(parents=True)
    path.touch()
    found = find_binary("loki", environ=bare_environ)
    assert (found.path, found.version, found.origin) == (path, "3.7.6", "built from source")


def test_missing_go_is_one_clear_line(bare_environ: dict[str, str]) -> None:
    """It names the program, the Go version needed, and the other ways."""
    with pytest.raises(StackError) as caught:
        find_binary("loki", environ=bare_environ)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("loki: not found", "Go 1.26.5 or newer", "LOGPIPE_LOKI_BIN", "no verified release pinned"):
        assert part in message


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_pinned_release_is_downloaded_once(
    tmp_path: Path, archive_server: tuple[Path, str], bare_environ: dict[str, str], kind: str
) -> None:
    """Checked, unpacked, made executable, and found in the cache the next time without a server."""
    directory, url = archive_server
    content = b"#!/bin/sh\necho vector 0.57.0\n"
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as zipped:
            zipped.writestr("bin/vector", content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
            info = tarfile.TarInfo("bin/vector")
            info.size = len(content)
            tarred.addfile(info, io.BytesIO(content))
    file = directory / f"vector.{kind}"
    file.write_bytes(buffer.getvalue())
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    pinned = table(tmp_path, version="0.57.0", url=f"{url}/vector.{kind}", sha256=sha256, member="bin/vector")
    found = find_binary("vector", environ=bare_environ, release_table=pinned)
    assert (found.version, found.origin, found.path.read_bytes()) == ("0.57.0", "official release", content)
    assert found.path.stat().st_mode & 0o100
    file.unlink()
    assert find_binary("vector", environ=bare_environ, release_table=pinned) == found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sha256": "0" * 64}, "has sha256 .*, expected 0000"),
        ({"member": "other"}, "expected 'other' in the archive"),
        ({"url": "http://127.0.0.1:1/vector.zip"}, "cannot download http://127.0.0.1:1/vector.zip"),
    ],
)
def test_release_that_is_not_as_pinned_is_not_used(
    tmp_path: Path, archive_server: tuple[Path, str], bare_environ: dict[str, str], change: dict[str, str], problem: str
) -> None:
    """Another checksum, another content, and offline: each is said, and nothing is left in the cache."""
    directory, url = archive_server
    with zipfile.ZipFile(directory / "vector.zip", "w") as zipped:
        zipped.writestr("vector", "x")
    sha256 = hashlib.sha256((directory / "vector.zip").read_bytes()).hexdigest()
    entry = {"version": "0.57.0", "url": f"{url}/vector.zip", "sha256": sha256, "member": "vector", **change}
    with pytest.raises(StackError, match=problem):
        find_binary("vector", environ=bare_environ, release_table=table(tmp_path, **entry))
    assert [path for path in cache_directory(bare_environ).rglob("*") if path.is_file()] == []


def test_misspelt_key_in_the_release_table_is_named(tmp_path: Path, bare_environ: dict[str, str]) -> None:
    """The table is checked where it is read."""
    with pytest.raises(StackError, match=rf"releases\.toml: \[vector\.{platform_name()}\]: .*sha265"):
        find_binary(
            "vector", environ=bare_environ, release_table=table(tmp_path, version="1", url="x", sha265="y", member="z")
        )


def test_committed_release_table_can_be_read() -> None:
    """It may be empty; what is in it has every key."""
    for name in TOOLS:
        releases.pinned_release(name)


@pytest.mark.parametrize(
    ("text", "version"), [("vector 0.57.0 (x86_64)", (0, 57, 0)), ("go1.26.8", (1, 26, 8)), ("none", ())]
)
def test_version_is_the_first_dotted_number(text: str, version: tuple[int, ...]) -> None:
    """In whatever words a program wraps it."""
    assert parse_version(text) == version


def test_cache_directory_follows_the_environment() -> None:
    """LOGPIPE_CACHE_DIR, then XDG_CACHE_HOME, then the home directory."""
    assert cache_directory({"LOGPIPE_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_directory({"XDG_CACHE_HOME": "/b"}) == Path("/b/logpipe")
    assert cache_directory({}) == Path.home() / ".cache" / "logpipe"
