"""What every command says and does alike: a wrong option.

In: what the user gave. Out: one line on stderr and exit code 2. Never: a traceback.
"""

from __future__ import annotations

import typer

from logging_pkg.cli.exit_codes import WRONG_INPUT
from logging_pkg.cli.output import say


def wrong_usage(message: str) -> typer.Exit:
    """Say what is wrong with the command line; raise what is returned, for exit code 2.

    Args:
        message: names the option, the value, what is expected and what to do.
    """
    say(f"logpipe: {message}", err=True)
    return typer.Exit(WRONG_INPUT)
