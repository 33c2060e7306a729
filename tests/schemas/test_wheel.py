"""The built wheel: it holds the schemas and works where only it is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys, logging_pkg, log_schemas
for package in (logging_pkg, log_schemas):
    assert package.__file__.startswith(sys.argv[1]), package.__file__
from logging_pkg.conf import Settings
from logging_pkg.schemas import load_registry
from logging_pkg.writer import Writer
Writer(Settings(sink="stdout", service_name="wheel"), load_registry()).emit(
    "log.message_recorded", {"logger": "l", "message": "m", "source": "s", "function": None})
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own build backend, so that no index is asked for one."""
    target = tmp_path_factory.mktemp("wheel")
    program = f"import hatchling.build; print(hatchling.build.build_wheel({str(target)!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return next(target.glob("*.whl"))


def test_the_wheel_holds_every_schema_and_the_type_marker(wheel: Path) -> None:
    """Each file of log_schemas/ is in it."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    schemas = {f"log_schemas/{path.name}" for path in (ROOT / "log_schemas").glob("*.json")}
    assert len(schemas) > 10
    assert schemas <= names
    assert "logging_pkg/py.typed" in names
    console = ROOT / "logging_pkg" / "console"
    files = [path for kind in ("static", "templates") for path in (console / kind).rglob("*") if path.is_file()]
    assert len(files) > 20
    assert {str(path.relative_to(ROOT)) for path in files} <= names
    assert not any(name.startswith(("calendar_sync", "tests")) for name in names)


def test_an_event_is_emitted_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """With the working copy out of reach, the package from the wheel finds its schemas and writes a line."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    # -P and another directory: what is imported is the wheel's content, its dependencies are those installed here.
    answer = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(tmp_path / "installed")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": ""},
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert b'"event":"log.message_recorded"' in answer.stdout
