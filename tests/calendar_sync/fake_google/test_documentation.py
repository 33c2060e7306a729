"""Every command and every piece of Python in docs/FAKE_GOOGLE.md works, and the page names all there is.

In: the page. Out: its commands run for real against the server it starts. Never: a block that is not looked at.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calendar_sync.fake_google import QuotaLimits, control, routes
from calendar_sync.fake_google.__main__ import parser
from calendar_sync.fake_google.faults import KINDS
from calendar_sync.fake_google.ledger import Entry

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "FAKE_GOOGLE.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, text in BLOCKS if language == "bash" for line in text.splitlines()]
SERVERS = [line for line in COMMANDS if line.startswith("python -m calendar_sync.fake_google")]
REQUESTS = [line for line in COMMANDS if line not in SERVERS]
SNIPPETS = [text for language, text in BLOCKS if language == "python"]
DOCUMENTED_ADDRESS = "http://127.0.0.1:8010"


@contextmanager
def started(command: str, port_file: Path) -> Iterator[str]:
    """The server that a command starts, on a free port; its address."""
    arguments = [sys.executable, *shlex.split(command)[1:], "--port", "0", "--port-file", str(port_file)]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists() and time.monotonic() < deadline:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The first server of the page, for every test of it."""
    with started(SERVERS[0], tmp_path_factory.mktemp("server") / "port") as url:
        yield url


def test_the_page_has_no_block_that_is_not_run():
    """Commands and Python only, and something of each."""
    assert {language for language, _ in BLOCKS} == {"bash", "python"}
    assert (len(SERVERS), len(SNIPPETS)) == (2, 3)
    assert len(REQUESTS) > 15
    assert all(line.startswith("curl -s ") for line in REQUESTS)


@pytest.mark.parametrize("command", SERVERS[1:])
def test_every_server_of_the_page_starts(command, tmp_path):
    """Its options are accepted, and it says so by its port file."""
    with started(command, tmp_path / "port") as url:
        done = subprocess.run(["curl", "-s", f"{url}/_control/state"], capture_output=True, text=True, check=True)
    state = json.loads(done.stdout)
    assert state["fault_rates"] == {
        "rates": {"serverError": 0.02, "drop": 0.01}, "seed": 1, "status": 503, "retry_after_s": None,
    }  # fmt: skip
    assert (state["quota"]["limits"]["per_user_per_minute"], state["quota"]["limits"]["window_s"]) == (60, 10)


def test_every_request_of_the_page_is_answered_without_an_error(address):
    """In the order of the page: each is a JSON object that tells of no error."""
    for command in REQUESTS:
        line = command.replace(DOCUMENTED_ADDRESS, address)
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert "error" not in json.loads(done.stdout), f"{command}: {done.stdout}"


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_every_piece_of_python_runs(address, number):
    """As it stands, in a process of its own, with the server's address in place of the page's."""
    code = SNIPPETS[number].replace(DOCUMENTED_ADDRESS, address)
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Error" not in done.stdout


def named_things() -> list[str]:
    """Whatever a reader may look for."""
    options = [option for action in parser()._actions for option in action.option_strings if option.startswith("--")]
    operations = [name for _, _, name, _ in routes._ROUTES] + [routes.BATCH, routes.TOKEN, routes.REVOKE]
    controls = [f"{method} {name}" for method, name in control._ROUTES]
    fields = [field.name for kind in (Entry, QuotaLimits) for field in dataclasses.fields(kind)]
    return [*(option for option in options if option != "--help"), *operations, *controls, *KINDS, *fields]


@pytest.mark.parametrize("name", named_things())
def test_the_page_names_everything(name):
    """Each option, operation, control, kind of fault, limit and ledger field."""
    assert f"`{name}`" in TEXT


def test_links_lead_to_sections():
    """Each link within the page names one of its headings."""
    slugs = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= slugs
