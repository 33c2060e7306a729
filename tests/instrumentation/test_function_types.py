"""What a type checker sees of a tracked function is the function: arguments, result, and what it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SNIPPET = """
import functools
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TypeVar

from logging_pkg import track_performance

T = TypeVar("T")


@track_performance
def plain(a: int, /, b: str = "", *args: float, c: bool, **rest: bytes) -> list[int]: ...


@track_performance("named")
def named(a: int, *, b: str = "") -> str: ...


@track_performance()
def bare(a: int) -> None: ...


@track_performance
async def coroutine(a: int) -> str: ...


@track_performance("named")
async def named_coroutine(a: int) -> str: ...


@track_performance
def generator(a: int) -> Generator[int, str, bytes]: ...


@track_performance
def iterator(a: int) -> Iterator[int]: ...


@track_performance
async def async_generator(a: int) -> AsyncIterator[int]:
    yield a


@track_performance
def generic(a: T) -> T: ...


class Account:
    @track_performance
    def method(self, a: int) -> str: ...

    @track_performance("named")
    def named_method(self, a: int) -> str: ...

    @track_performance
    async def async_method(self, a: int) -> str: ...

    @classmethod
    @track_performance
    def of_class(cls, a: int) -> str: ...

    @staticmethod
    @track_performance("named")
    def static(a: int) -> str: ...


reveal_type(plain)
reveal_type(named)
reveal_type(bare)
reveal_type(coroutine)
reveal_type(named_coroutine)
reveal_type(generator)
reveal_type(iterator)
reveal_type(async_generator)
reveal_type(generic(1))
reveal_type(Account().method)
reveal_type(Account().named_method)
reveal_type(Account().async_method)
reveal_type(Account.of_class)
reveal_type(Account.static)

with track_performance("block") as nothing:
    pass

plain("wrong", c=True)
named(1, b=2)
Account().method("wrong")
"""

EXPECTED = [
    "def (int, b: str =, *args: float, c: bool, **rest: bytes) -> list[int]",
    "def (a: int, *, b: str =) -> str",
    "def (a: int)",
    "def (a: int) -> Coroutine[Any, Any, str]",
    "def (a: int) -> Coroutine[Any, Any, str]",
    "def (a: int) -> Generator[int, str, bytes]",
    "def (a: int) -> Iterator[int]",
    "def (a: int) -> AsyncIterator[int]",
    "int",
    "def (a: int) -> str",
    "def (a: int) -> str",
    "def (a: int) -> Coroutine[Any, Any, str]",
    "def (a: int) -> str",
    "def (a: int) -> str",
]


def test_signatures_survive(tmp_path: Path) -> None:
    """Revealed types are the undecorated ones, and wrong arguments are still errors; nothing else is."""
    (tmp_path / "snippet.py").write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--strict", "--allow-empty-bodies", "--no-error-summary"]
    command += ["--config-file=", "--cache-dir", str(tmp_path / "cache"), "--follow-imports=silent", "snippet.py"]
    result = subprocess.run(
        command, cwd=tmp_path, env={"MYPYPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True
    )
    revealed = re.findall(r'Revealed type is "(.+)"', result.stdout)
    names = re.compile(r"\b(?:builtins|typing|collections\.abc|snippet)\.")
    assert [names.sub("", text) for text in revealed] == EXPECTED, result.stdout + result.stderr
    errors = [re.sub(r"^.*?error: ", "", line) for line in result.stdout.splitlines() if " error: " in line]
    assert len(errors) == 3, result.stdout
    assert all("incompatible type" in error for error in errors), errors
