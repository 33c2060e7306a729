"""Several processes of the application on one database.

In: a program in Python, how many shall run it at once. Out: what they print. Never: a process left behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
MANAGE = [sys.executable, str(ROOT / "manage.py")]

_START = "import django; django.setup()\n"
#: Each process has started, and connected, before the first goes on.
_READY = "from django.db import connection; connection.ensure_connection()\nprint('ready', flush=True); input()\n"


def environment(database: str, **variables: str) -> dict[str, str]:
    """The environment of a process on that database, without events."""
    return {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "calendar_sync.settings", **variables}


def together(database: str, program: str, count: int, **variables: str) -> list[str]:
    """Run a program in so many processes at once; returns what each printed. A process that fails is an error."""
    environ = environment(database, **variables)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _START + _READY + program],
            env=environ,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = []
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            outputs.append(out)
        return outputs
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def create_tables(database: str, *models: str) -> None:
    """Create the tables of some models, with their relations to others unchecked."""
    program = (
        "from django.apps import apps; from django.db import connection\n"
        f"models = [apps.get_model(name) for name in {models!r}]\n"
        "with connection.schema_editor() as editor:\n"
        "    for model in models: editor.create_model(model)\n"
    )
    subprocess.run([sys.executable, "-c", _START + program], env=environment(database), cwd=ROOT, check=True)


def manage(environ: Mapping[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end."""
    done = subprocess.run(
        [*MANAGE, *arguments], env=dict(environ), cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done
