"""Where the two versions of the schemas come from.

In: what the user names: a directory, `REV:`, `REV:directory`. Out: Registries. Never: changes of the working copy.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas import Registry, load_directory

_GIT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Source:
    """One side of a comparison: a directory, of a git revision where `revision` is not empty."""

    directory: str
    revision: str = ""

    @classmethod
    def named(cls, text: str, default_directory: str) -> Source:
        """What a user means: a directory that is there, else `REV:` of the default directory or `REV:directory`."""
        revision, colon, directory = text.partition(":")
        if not colon or Path(text).is_dir():
            return cls(text)
        return cls(directory or default_directory, revision)

    def __str__(self) -> str:
        return f"{self.revision}:{self.directory}" if self.revision else self.directory

    def load(self) -> Registry:
        """Its declarations.

        Raises:
            SchemaError: the directory, revision or a declaration is not there or wrong; the message names it.
        """
        if not self.revision:
            return load_directory(Path(self.directory))
        with tempfile.TemporaryDirectory() as folder:
            for name in self._file_names():
                (Path(folder) / name).write_bytes(self._git("show", f"{self.revision}:{self._path}{name}"))
            try:
                return load_directory(Path(folder))
            except SchemaError as error:
                raise SchemaError(str(error).replace(folder, str(self))) from error

    @property
    def _path(self) -> str:
        """As git takes it, relative to where the command runs."""
        return f"./{Path(os.path.relpath(self.directory)).as_posix()}/"

    def _file_names(self) -> list[str]:
        listed = self._git("ls-tree", "--name-only", "-z", self.revision, "--", self._path)
        names = [Path(name).name for name in listed.decode().split("\0")]
        names = [name for name in names if name.endswith(".json")]
        if not names:
            raise SchemaError(f"{self}: no schema in this directory at this revision; check both")
        return names

    def _git(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *arguments], capture_output=True, check=False, timeout=_GIT_TIMEOUT_S, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SchemaError(f"{self}: git cannot be run ({error}); give a directory instead") from error
        if done.returncode:
            said = (done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"])[0]
            raise SchemaError(f"{self}: {said}; expected a revision such as HEAD~: in a git working copy")
        return done.stdout
