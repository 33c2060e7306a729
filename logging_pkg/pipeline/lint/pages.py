"""The page that explains a check: what it finds, why that matters, what to do.

In: the ID of a check. Out: its page as Markdown. Never: a page that only this repository has; the wheel holds them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve()
#: In a wheel beside this module, else in the documents of the working copy.
_INSTALLED: Final = _HERE.with_name("check_pages")
DIRECTORY: Final = _INSTALLED if _INSTALLED.is_dir() else _HERE.parents[3] / "docs/checks"


def page_of(check: str) -> str:
    """The page of a check, such as `logql/unknown-field`."""
    return (DIRECTORY / f"{check.replace('/', '-')}.md").read_text(encoding="utf-8")


def command_for(check: str) -> str:
    """What prints that page, wherever logpipe is installed."""
    return f"logpipe check --explain {check}"
