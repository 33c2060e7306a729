"""Official release archives, checked against a pinned sha256.

In: releases.toml. Out: the program in the cache. Never: a program whose archive had another checksum, or a long wait
when offline.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

from logging_pkg.exceptions import StackError
from logging_pkg.stack.tools import platform_name

TABLE = Path(__file__).parent / "releases.toml"
# A machine that is offline says so within this time; (connect, wait for the next bytes) in seconds.
TIMEOUT_S = (5.0, 30.0)


@dataclass(frozen=True)
class Release:
    """One archive of one program for one platform."""

    tool: str
    version: str
    url: str
    sha256: str
    member: str


def pinned_release(tool: str, table: Path = TABLE) -> Release | None:
    """The release pinned for this program on this platform, or None.

    Raises:
        StackError: the table has an entry with a key missing or misspelt.
    """
    entry = tomllib.loads(table.read_text(encoding="utf-8")).get(tool, {}).get(platform_name())
    if entry is None:
        return None
    try:
        return Release(tool, **entry)
    except TypeError as error:
        raise StackError(f"{table}: [{tool}.{platform_name()}]: {error}") from None


def release_path(release: Release, cache: Path) -> Path:
    """Where the program is kept once downloaded; the checksum is part of it."""
    return cache / "bin" / f"release-{release.version}-{release.sha256[:16]}" / release.tool


def download(release: Release, cache: Path) -> Path:
    """Download, check and unpack a release.

    Raises:
        StackError: no connection, another checksum, or no such member in the archive.
    """
    try:
        response = requests.get(release.url, timeout=TIMEOUT_S)
        response.raise_for_status()
    except requests.RequestException as error:
        raise StackError(f"{release.tool}: cannot download {release.url} ({type(error).__name__}: {error})") from None
    found = hashlib.sha256(response.content).hexdigest()
    if found != release.sha256:
        raise StackError(f"{release.tool}: {release.url} has sha256 {found}, expected {release.sha256}; not used")
    target = release_path(release, cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as temporary:
        try:
            _unpack(response.content, release, temporary)
            os.chmod(temporary.name, 0o700)
            os.replace(temporary.name, target)
        except BaseException:
            os.unlink(temporary.name)
            raise
    return target


def _unpack(archive: bytes, release: Release, output: IO[bytes]) -> None:
    try:
        if release.url.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(archive)) as zipped, zipped.open(release.member) as member:
                shutil.copyfileobj(member, output)
        else:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tarred:
                extracted = tarred.extractfile(release.member)
                if extracted is None:
                    raise KeyError(release.member)
                shutil.copyfileobj(extracted, output)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise StackError(
            f"{release.tool}: {release.url}: expected {release.member!r} in the archive: {error}"
        ) from None
    output.flush()
