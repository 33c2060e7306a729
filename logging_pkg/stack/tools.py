"""The programs this package knows: where each comes from and which version is pinned.

In: the go.mod files in toolchain/. Out: one Tool per program. Never: a version written a second time; go.mod holds it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TOOLCHAIN = Path(__file__).parent / "toolchain"


@dataclass(frozen=True)
class Module:
    """A Go module whose only purpose is to pin what is built: toolchain/<name>/go.mod and go.sum."""

    name: str
    root: Path = TOOLCHAIN

    @property
    def directory(self) -> Path:
        """Where go.mod and go.sum are."""
        return self.root / self.name

    @cached_property
    def key(self) -> str:
        """Names the build: equal inputs on an equal platform give an equal key."""
        digest = hashlib.sha256()
        for file in ("go.mod", "go.sum"):
            digest.update((self.directory / file).read_bytes())
        return f"{self.name}-{digest.hexdigest()[:16]}-{platform_name()}"

    @cached_property
    def go_version(self) -> tuple[int, ...]:
        """The oldest Go that can build it, from go.mod's `go` line."""
        return _numbers(self._search(r"^go (\S+)$"))

    def version_of(self, path: str) -> str:
        """The required version of a module path."""
        return self._search(rf"^\s*{re.escape(path)} v(\S+)")

    def _search(self, pattern: str) -> str:
        found = re.search(pattern, (self.directory / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.directory / 'go.mod'}: expected a line matching {pattern}")
        return found[1]


@dataclass(frozen=True)
class Tool:
    """A program.

    `minimum` is the oldest version that is used when found; `module`, `package` and `version_path` say how to build it,
    for the programs that are Go modules; `missing` says, for a program that cannot be built, what to do without it.
    """

    name: str
    minimum: tuple[int, ...] = ()
    module: Module | None = None
    package: str = ""
    version_path: str = ""
    missing: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that names its binary."""
        return f"LOGPIPE_{self.name.upper()}_BIN"

    @property
    def pinned_version(self) -> str:
        """The version that is built; empty for a program that cannot be.

        A pseudo-version (0.312.1-0.20260612131846-…, a commit before 0.312.1) is cut at its first hyphen.
        """
        return self.module.version_of(self.version_path).partition("-")[0] if self.module else ""


_LOKI = Module("loki")
_ALERTMANAGER = Module("alertmanager")
_LOKI_PATH = "github.com/grafana/loki/v3"
_PROMETHEUS_PATH = "github.com/prometheus/prometheus"
_ALERTMANAGER_PATH = "github.com/prometheus/alertmanager"

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        # The minor version that loki/loki.yaml was tried with; a key that an older one lacks stops it at the start.
        Tool("loki", (3, 7), _LOKI, f"{_LOKI_PATH}/cmd/loki", _LOKI_PATH),
        Tool("lokitool", (3, 7), _LOKI, f"{_LOKI_PATH}/cmd/lokitool", _LOKI_PATH),
        Tool("logcli", (3, 7), _LOKI, f"{_LOKI_PATH}/cmd/logcli", _LOKI_PATH),
        # out_of_order_time_window came with 2.39.
        Tool("prometheus", (2, 39), _LOKI, f"{_PROMETHEUS_PATH}/cmd/prometheus", _PROMETHEUS_PATH),
        Tool("promtool", (2, 39), _LOKI, f"{_PROMETHEUS_PATH}/cmd/promtool", _PROMETHEUS_PATH),
        # `matchers` in routes came with 0.22.
        Tool("alertmanager", (0, 22), _ALERTMANAGER, f"{_ALERTMANAGER_PATH}/cmd/alertmanager", _ALERTMANAGER_PATH),
        # vector.toml uses keys that came with 0.57.
        Tool("vector", (0, 57), missing="the embedded shipper (`logpipe ship`) ships the logs instead"),
        Tool("grafana", (11,), missing="compose.yaml runs it where there are containers"),
    )
}


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where built and downloaded programs are kept for all projects of a user."""
    if configured := environ.get("LOGPIPE_CACHE_DIR"):
        return Path(configured)
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "logpipe"


def platform_name() -> str:
    """The machine in Go's words, for example linux-amd64."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def parse_version(text: str) -> tuple[int, ...]:
    """The first dotted number in a program's --version output; empty when there is none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return _numbers(found[0]) if found else ()


def version_text(version: tuple[int, ...]) -> str:
    """(1, 26, 5) as 1.26.5."""
    return ".".join(str(part) for part in version)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
