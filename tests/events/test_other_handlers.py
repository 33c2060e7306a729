"""What the project's own logging does stays as it was when our handler is installed.

In: programs of their own, because pytest has handlers on the root logger. Out: what reaches stderr.
Never: a change of this process's logging.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BEFORE = "import logging, sys\n"
AFTER = """
log = logging.getLogger("shop")
log.info("an info")
log.warning("a warning")
own = logging.getLogger("own")
own.addHandler(logging.StreamHandler(sys.stderr))
own.warning("handled by its own")
"""
SETUPS = {
    "no handler at all": "",
    "a console on root": "logging.basicConfig(level=logging.WARNING, format='%(message)s')\n",
    "a console on root that takes infos": "logging.basicConfig(level=logging.INFO, format='%(message)s')\n",
    "a handler with a level of its own": (
        "handler = logging.StreamHandler(); handler.setLevel('ERROR'); logging.root.addHandler(handler)\n"
    ),
}


def stderr_of(program: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ | {"LOGPIPE_SINK": "none"}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stderr


@pytest.mark.parametrize("name", SETUPS)
def test_stderr_is_the_same_with_and_without_our_handler(name: str) -> None:
    """No record more, none less, whatever handlers the project has."""
    install = "from logging_pkg.events import install_handler\ninstall_handler()\n"
    without = stderr_of(BEFORE + SETUPS[name] + AFTER)
    assert stderr_of(BEFORE + SETUPS[name] + install + AFTER) == without
    assert "handled by its own" in without
