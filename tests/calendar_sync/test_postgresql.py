"""The tests that touch the database, once more on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = (
    "test_encryption.py",
    "test_models.py",
    "google/test_credentials.py",
    "google/test_limiter.py",
    "services",
    "sync",
    "views/test_pages.py",
)


@pytest.mark.timeout(600)
def test_models_services_sync_and_pages_work_on_postgresql(postgresql: str):
    """DATABASE_URL is all it takes: the same tests pass on the server of the pgserver package."""
    # Those with a database of their own run on both as it is.
    options = ["-q", "-p", "no:cacheprovider", "-k", "not (sqlite or postgresql)"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(HERE / name) for name in TESTS)],
        env={**os.environ, "DATABASE_URL": postgresql},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )

    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
