"""The state file: which servers run, where, and as which processes.

In: facts of a running stack. Out: `state.json` in the run directory, written as a whole or not at all. Never: trust in
a pid alone; each comes with the process's identity, because pids are used again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from logging_pkg.exceptions import StackError

FILE_NAME = "state.json"
VERSION = 1


@dataclass(frozen=True)
class ServerState:
    """One server: `url` is None for a server without an address of its own."""

    pid: int
    identity: str
    url: str | None
    ready_url: str | None
    version: str
    binary: str
    log: str


@dataclass(frozen=True)
class State:
    """A stack: `phase` is "starting" or "ready"; `instead` says for a server that was not found what does its work."""

    pid: int
    identity: str
    phase: str
    webhook_url: str | None
    servers: dict[str, ServerState] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)


def write_state(directory: Path, state: State) -> None:
    """Replace the state file."""
    temporary = directory / f"{FILE_NAME}.{os.getpid()}.tmp"
    temporary.write_text(json.dumps({"version": VERSION, **asdict(state)}, indent=2) + "\n", encoding="utf-8")
    temporary.replace(directory / FILE_NAME)


def read_state(directory: Path) -> State | None:
    """The recorded state; None when no stack was started in this directory, or it was stopped.

    Raises:
        StackError: the file is not a state file of this version.
    """
    path = directory / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("version") != VERSION:
            raise ValueError("another version")
        document["servers"] = {name: ServerState(**server) for name, server in document["servers"].items()}
        return State(**document)
    except FileNotFoundError:
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StackError(
            f"{path}: not a state file this version can read ({error}); stop the servers by hand and delete it"
        ) from None


def remove_state(directory: Path) -> None:
    """Delete the state file."""
    (directory / FILE_NAME).unlink(missing_ok=True)
