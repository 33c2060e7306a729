"""The `logpipe` command.

In: the command line. Out: exit codes: 0 done, 1 something is wrong and said in one line, 2 wrong usage, 3 a server that
is asked does not answer.
Never: a traceback for an error the user can mend.
"""

from __future__ import annotations

import sys

from logging_pkg.exceptions import LogpipeError


def main() -> None:
    """Entry point of the console script."""
    try:
        from logging_pkg.cli.application import application_for
        from logging_pkg.cli.exit_codes import exit_code_of
        from logging_pkg.cli.output import say
    except ImportError as error:
        print(
            f'logpipe: {error.name} is not installed; install the tools with: pip install "logging-pkg[cli]"',
            file=sys.stderr,
        )
        raise SystemExit(2) from error
    try:
        application_for(sys.argv[1:])()
    except LogpipeError as error:
        say(f"logpipe: {error}", err=True)
        raise SystemExit(exit_code_of(error)) from error
    except OSError as error:
        # A directory that cannot be made, a file that may not be read: where no command says it better.
        place = f"{error.filename}: " if error.filename else ""
        say(f"logpipe: {place}{error.strerror or error}", err=True)
        raise SystemExit(exit_code_of(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
