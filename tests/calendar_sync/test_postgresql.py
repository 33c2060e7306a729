"""The tests that touch the database, once more on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = ("test_models.py", "services", "sync", "views/test_pages.py")


@pytest.fixture
def data() -> Iterator[Path]:
    """Not below tmp_path: each pytest session that starts takes other users' access to its root away, PostgreSQL's too."""
    with tempfile.TemporaryDirectory(prefix="logpipe-postgresql-") as directory:
        yield Path(directory) / "data"


# pgserver warns at import where XDG_RUNTIME_DIR is not set: no business of this project's.
@pytest.mark.filterwarnings("ignore")
def test_models_services_sync_and_pages_work_on_postgresql(data: Path):
    """DATABASE_URL is all it takes: the same tests pass on the server of the pgserver package."""
    import pgserver

    server = pgserver.get_server(data)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / name) for name in TESTS)],
            env={**os.environ, "DATABASE_URL": server.get_uri()},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    finally:
        server.cleanup()

    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
