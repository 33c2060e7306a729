"""`manage.py profile_memory`: what it leaves for the processes, and what it says."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

import orjson
import pytest
from django.core.management import CommandError, call_command

from logging_pkg.instrumentation.memory_profile import REQUEST_FILE
from logging_pkg.testing import capture_events


def test_it_leaves_a_request_and_tells_where_the_answers_will_be(tmp_path: Path) -> None:
    """One small file beside the logs, made whole at once; the LogQL carries its name."""
    out = StringIO()
    with capture_events(directory=tmp_path / "logs", heartbeat_interval_s=15.0):
        call_command("profile_memory", "--seconds", "20", "--top", "7", "--pid", "42", stdout=out)
    (file,) = (tmp_path / "logs").iterdir()
    assert file.name == REQUEST_FILE
    request = orjson.loads(file.read_bytes())
    assert (request["seconds"], request["top"], request["pid"]) == (20.0, 7, 42)
    assert time.time() < request["expires"] <= time.time() + 120
    assert f'profile="{request["profile"]}"' in out.getvalue()
    assert "within 15 s" in out.getvalue()


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--seconds", "601"], ["--seconds", "x"], ["--top", "51"]])
def test_wrong_numbers_are_named(tmp_path: Path, arguments: list[str]) -> None:
    """With what was expected."""
    with capture_events(directory=tmp_path), pytest.raises(CommandError, match=f"'{arguments[1]}', expected"):
        call_command("profile_memory", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_it_says_when_nobody_would_answer(tmp_path: Path) -> None:
    """Switched off is an error, no heartbeat here a warning, a directory that cannot be one an error."""
    with (
        capture_events(directory=tmp_path, memory_profiles=False),
        pytest.raises(CommandError, match="MEMORY_PROFILES is off"),
    ):
        call_command("profile_memory")
    err = StringIO()
    with capture_events(directory=tmp_path, heartbeat_interval_s=0):
        call_command("profile_memory", stdout=StringIO(), stderr=err)
    assert "HEARTBEAT_INTERVAL_S is 0" in err.getvalue()
    (tmp_path / "file").write_text("")
    with capture_events(directory=tmp_path / "file"), pytest.raises(CommandError, match="expected a directory"):
        call_command("profile_memory", stdout=StringIO(), stderr=err)
