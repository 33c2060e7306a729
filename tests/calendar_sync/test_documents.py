"""The commands of docs/GOOGLE_ACCOUNTS.md and docs/SYNC.md work, and the pages name every setting.

In: the pages. Out: their commands run for real, in order, against a fake Google. Never: a command that is not looked at.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from calendar_sync.fake_google import ControlClient
from tests.calendar_sync.processes import ROOT

PAGES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("GOOGLE_ACCOUNTS.md", "SYNC.md")}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """The lines of the page's shell blocks."""
    return [line for language, text in BLOCK.findall(PAGES[page]) if language == "bash" for line in text.splitlines()]


@pytest.fixture
def folder(fake, tmp_path: Path) -> Path:
    """A folder with what the commands name: manage.py, and the file that Google's tool would have made."""
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    authorized = {"refresh_token": "fake-refresh-anna", "client_id": "any", "client_secret": "any"}
    (tmp_path / "authorized.json").write_text(json.dumps(authorized))
    return tmp_path


@pytest.fixture
def environ(fake, folder: Path) -> dict[str, str]:
    """A server's environment, not development's: no DEBUG, and none of pytest's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOGPIPE"))}
    return kept | {
        "CACHE_URL": "locmem://",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "GOOGLE_CALENDAR_API_ROOT": fake.url,
        "GOOGLE_CLIENT_ID": "any",
        "GOOGLE_CLIENT_SECRET": "any",
        "GOOGLE_TOKEN_URI": f"{fake.url}token",
        "LOGPIPE_SINK": "none",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "x" * 50,
    }


def shell(lines: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Run lines in one shell that stops at the first that fails; returns what they print."""
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_real_account_is_connected_as_the_page_says(folder, environ, fake):
    """From the first key to the changed one: the account is synced, its tokens are ciphertext of the one key left."""
    lines = commands("GOOGLE_ACCOUNTS.md")
    first = next(number for number, line in enumerate(lines) if "connect_google_account" in line)
    prepare = [
        "python manage.py migrate --verbosity 0",
        "DJANGO_SUPERUSER_PASSWORD=x python manage.py createsuperuser --username anna --email a@example.com --noinput",
    ]

    out = shell([*lines[:first], *prepare, *lines[first:]], folder, environ)

    assert "anna@example.com: connected\n" in out
    assert out.count("tokens of 1 accounts are encrypted with the first key") == 2
    control = ControlClient(fake.url)
    events = sum(calendar["events"] for calendar in control.state()["accounts"][0]["calendars"])
    assert f"{events} new, 0 changed" in out
    assert not (folder / "authorized.json").exists()
    assert (folder / "token-keys").stat().st_mode & 0o077 == 0
    assert len((folder / "token-keys").read_text().splitlines()) == 1
    with sqlite3.connect(folder / "db.sqlite3") as database:
        ((access, refresh),) = database.execute("SELECT access_token, refresh_token FROM calendar_sync_googleaccount")
    assert "fake" not in access + refresh
    # The key that is left reads them.
    environ["TOKEN_ENCRYPTION_KEYS_FILE"] = "token-keys"
    assert "0 new, 0 changed" in shell(["python manage.py sync_calendars --all"], folder, environ)


def test_the_commands_of_the_sync_page_work(folder, environ, fake):
    """On a database with accounts: the worker syncs them in one pass, and the command shows its progress."""
    environ |= {"TOKEN_ENCRYPTION_KEYS": "any-key"}
    prepare = ["python manage.py migrate --verbosity 0", "python manage.py seed_demo --accounts 1"]
    out = shell([*prepare, *commands("SYNC.md")], folder, environ)

    assert "stopped after 1 passes" in out
    assert "  list of calendars: page 1, 0 items\n" in out


def test_the_pages_name_every_setting_of_the_sync():
    """As it is in the settings module, with its default where that is a number."""
    source = (ROOT / "calendar_sync" / "settings.py").read_text(encoding="utf-8")
    names = re.findall(r"^((?:GOOGLE|SYNC|TOKEN)_\w+) = ", source, re.MULTILINE)
    text = "".join(PAGES.values())

    assert len(names) > 15
    assert [name for name in names if f"`{name}`" not in text] == []
    defaults = dict(re.findall(r'^((?:GOOGLE|SYNC)_\w+) = .*_number\("\w+", ([\d_.]+)\)', source, re.MULTILINE))
    assert len(defaults) > 10
    for name, default in defaults.items():
        shown = f"{float(default.replace('_', '')):,}".removesuffix(".0")
        assert re.search(rf"`{name}`(?: \| {re.escape(shown)} \|| \({re.escape(shown)}\))", text), f"{name}: {shown}"


@pytest.mark.parametrize("page", PAGES)
def test_links_within_a_page_lead_to_its_headings(page):
    """Those from the other page, too."""
    for name, text in PAGES.items():
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        links = re.findall(rf"\]\({re.escape(name) if name != page else ''}#([^)]+)\)", PAGES[page])
        assert set(links) <= slugs
