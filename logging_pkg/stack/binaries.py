"""Finds a program, or makes it.

In: a name of `tools.TOOLS`. Out: a path, its version, and where it was found. Order: LOGPIPE_<NAME>_BIN, PATH, the
user's cache, the pinned official release, a Go build. Never: a program with the same name but another purpose (its
--version has to name it), or one too old for the committed configuration.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from logging_pkg.exceptions import StackError, StackInputError
from logging_pkg.stack import releases
from logging_pkg.stack.gobuild import OnProgress, build, built_path
from logging_pkg.stack.tools import TOOLS, Tool, cache_directory, parse_version, version_text


@dataclass(frozen=True)
class Binary:
    """A program; `origin` says in words where it is from."""

    name: str
    path: Path
    version: str
    origin: str


def find_binary(
    name: str,
    *,
    environ: Mapping[str, str] = os.environ,
    on_progress: OnProgress | None = None,
    release_table: Path = releases.TABLE,
) -> Binary:
    """The program to use for `name`, built if need be (minutes, the first time; then cached).

    Raises:
        StackError: it cannot be had; the message says what was tried and what to do.
    """
    tool = TOOLS[name]
    cache = cache_directory(environ)
    if configured := environ.get(tool.variable):
        return _configured(tool, configured, environ)
    notes: list[str] = []
    if found := shutil.which(name, path=environ.get("PATH", "")):
        version, problem = _examine(tool, Path(found), environ)
        if problem is None:
            return Binary(name, Path(found), version, "PATH")
        notes.append(f"{found} is not used: {problem}")
    if tool.module is not None and (path := built_path(tool, tool.module, cache)).exists():
        return Binary(name, path, tool.pinned_version, "built from source")
    release = releases.pinned_release(name, release_table)
    if release is None:
        notes.append("no verified release pinned")
    elif (path := releases.release_path(release, cache)).exists():
        return Binary(name, path, release.version, "official release")
    else:
        try:
            return Binary(name, releases.download(release, cache), release.version, "official release")
        except StackError as error:
            notes.append(str(error))
    if tool.module is None:
        wanted = f" {version_text(tool.minimum)} or newer"
        raise StackError(
            f"{name}: no {name}{wanted} on PATH or in {tool.variable}; {'; '.join([*notes, tool.missing])}"
        )
    try:
        path = build(tool, tool.module, cache, environ, on_progress)
    except StackError as error:
        raise StackError(f"{error} (also tried: {'; '.join(notes)})") from None
    return Binary(name, path, tool.pinned_version, "built from source")


def _configured(tool: Tool, value: str, environ: Mapping[str, str]) -> Binary:
    path = Path(value)
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise StackInputError(f"{tool.variable}={value}: expected an executable file")
    version, problem = _examine(tool, path, environ)
    if problem is not None:
        raise StackInputError(f"{tool.variable}={value}: {problem}")
    return Binary(tool.name, path, version, tool.variable)


def _examine(tool: Tool, path: Path, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The version in words, and why the program cannot be used."""
    try:
        answer = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=dict(environ),
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"`--version` does not work: {error}"
    text = answer.stdout + answer.stderr
    if tool.name not in text.lower():
        return "", f"its --version does not say {tool.name!r}, so it is another program"
    # Only the first line: the next ones are Go's version and the build's date.
    version = parse_version(text.partition("\n")[0])
    if version and version < tool.minimum:
        return version_text(version), f"version {version_text(version)} is older than {version_text(tool.minimum)}"
    # A program built without a version stamp (as our own builds are) says none; it is taken as new enough.
    return version_text(version) or "unknown version", None
