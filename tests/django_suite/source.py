"""Django's own tests, which its wheel lacks: from the source distribution of the version installed.

In: requirements.lock (the checksum), pip. Out: the folder `tests` of that distribution, in the user's cache.
Never: a file with another checksum than the locked one; the tests of another version than the one they run on.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from django import get_version

from logging_pkg.stack.tools import cache_directory

LOCK = Path(__file__).parents[2] / "requirements.lock"
#: pip says so within this time where there is no network.
TIMEOUT_S = 180


class SourceError(Exception):
    """Django's source distribution cannot be had; the message says what was tried and what to do."""


def locked_checksums(version: str, lock: Path = LOCK) -> frozenset[str]:
    """The sha256 sums requirements.lock has for this version of Django: its wheel's and its source distribution's.

    Raises:
        SourceError: another version is locked than the one asked for.
    """
    entry = re.search(
        r"^django==(\S+) \\\n((?:    --hash=sha256:\S+(?: \\)?\n)+)", lock.read_text("utf-8"), re.MULTILINE
    )
    if entry is None or entry[1] != version:
        raise SourceError(
            f"{lock}: locks Django {entry[1] if entry else '(none)'}, installed is {version}; expected the same: "
            "make clean test installs what is locked"
        )
    return frozenset(re.findall(r"sha256:([0-9a-f]{64})", entry[2]))


def django_tests(cache: Path | None = None, lock: Path = LOCK) -> Path:
    """The folder with `runtests.py`, downloaded the first time (11 MB).

    Raises:
        SourceError: no network and nothing cached, or a file whose checksum is not the locked one.
    """
    version = get_version()
    checksums = locked_checksums(version, lock)
    folder = (cache or cache_directory()) / "django"
    archive = folder / f"django-{version}.tar.gz"
    if not archive.exists():
        _download(version, checksums, archive)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found not in checksums:
        raise SourceError(f"{archive} has sha256 {found}, expected one of {lock.name}; delete it and try again")
    unpacked = folder / f"{version}-{found[:16]}"
    if not unpacked.exists():
        _unpack(archive, f"django-{version}/tests/", unpacked)
    return unpacked


def _download(version: str, checksums: frozenset[str], archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as directory:
        wanted = Path(directory) / "requirements.txt"
        wanted.write_text(
            f"django=={version} " + " ".join(f"--hash=sha256:{checksum}" for checksum in sorted(checksums)) + "\n",
            "utf-8",
        )
        command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries=1", "download"]
        command += ["--no-deps", "--no-binary=django", "--require-hashes", "--dest", directory, "-r", str(wanted)]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
            problem = answer.stderr.strip()[-600:]
        except subprocess.TimeoutExpired:
            problem = f"no answer in {TIMEOUT_S} s"
        downloaded = Path(directory) / archive.name
        if not downloaded.exists():
            raise SourceError(
                f"Django {version}: pip cannot download its source distribution; with a network once, or with the file "
                f"at {archive}, this works. pip said: {problem}"
            )
        downloaded.replace(archive)


def _unpack(archive: Path, prefix: str, target: Path) -> None:
    """Unpack one folder of the archive; the target appears whole or not at all."""
    temporary = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(temporary, [member for member in packed if member.name.startswith(prefix)], filter="data")
        try:
            (temporary / prefix).rename(target)
        except OSError:
            if not target.exists():  # another process was faster
                raise
    finally:
        shutil.rmtree(temporary)
