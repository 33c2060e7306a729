"""Pages of Markdown: runbooks, what a check is about.

In: a page's text. Out: printed for reading on a terminal, else as it is. Never: a query with its lines broken.
"""

from __future__ import annotations

import re
from typing import Final

from rich.console import Console
from rich.text import Text

from logging_pkg.cli.output import say

#: A block of code, whose text is its group.
_FENCE: Final = re.compile(r"^```\w*\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)


def print_page(console: Console, text: str) -> None:
    """Its words as Markdown; queries and commands as they are, to be copied: Markdown would break their lines."""
    if not console.is_terminal:
        say(text.rstrip())
        return
    from rich.markdown import Markdown

    for number, part in enumerate(_FENCE.split(text)):
        if number % 2:
            console.print(Text("\n" + part.rstrip() + "\n", style="cyan"), soft_wrap=True)
        elif part.strip():
            console.print(Markdown(part))
