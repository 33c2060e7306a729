"""`logpipe`, run as a user runs it.

In: arguments. Out: the finished process. Never: a traceback that goes unnoticed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOGPIPE = [sys.executable, "-c", "from logging_pkg.cli import main; main()"]


def logpipe(
    *arguments: object, cwd: Path | None = None, stdin: str | bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """The command's end: exit code and both outputs as text; without `stdin` it is closed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    done = subprocess.run(
        [*LOGPIPE, *map(str, arguments)],
        cwd=cwd,
        input=stdin.encode() if isinstance(stdin, str) else (stdin or b""),
        capture_output=True,
        timeout=120,
        env={**environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
