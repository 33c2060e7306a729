"""Lengths of time on the command line: `30m`, `1h`, `2d`.

In: text. Out: nanoseconds, the options that take one. Never: a guess at what was meant.
"""

from __future__ import annotations

from logging_pkg.cli.usage import wrong_usage

SECOND_NS = 1_000_000_000


def duration_ns(text: str, option: str = "--since") -> int:
    """Nanoseconds of a duration as LogQL writes it.

    Args:
        text: `90s`, `30m`, `1h`, `2d`.
        option: the option's name, for the message when it is none; the command ends with exit code 2 then.
    """
    # Here, because LogQL's grammar comes with it, which a command that is given no duration has no use of.
    from logging_pkg.pipeline.logql.tokens import LogQLError
    from logging_pkg.pipeline.logql.tokens import duration_ns as logql_duration_ns

    try:
        length = logql_duration_ns(text)
    except LogQLError as error:
        raise wrong_usage(f"{option} {text[:40]}: expected a duration such as 30m, 1h or 2d") from error
    if length <= 0:
        raise wrong_usage(f"{option} {text[:40]}: expected a duration above 0, such as 30m, 1h or 2d")
    return length
