"""docs/QUICKSTART.md, performed: its commands and edits, in its order, in a fresh environment with the wheel.

In: the document. Out: a real project, real servers, a real Loki. Never: another command than
the document's; only its port is one that is free here, and Loki, which it starts, is that of the tests.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from logging_pkg.stack import Stack
from logging_pkg.testing import assert_valid_stream

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "QUICKSTART.md").read_text(encoding="utf-8")
#: A block, its language and the paragraph above it, which names the file a block of code belongs into.
_STEP = re.compile(r"([^\n]*)\n\n```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"`([\w./]+\.(?:py|json))`")
_SERVER = re.compile(r"manage\.py runserver|-m (?:gunicorn|uvicorn) ")
#: The example of an ID the documents show.
_SHOWN_ID = "0192f0c1"
#: Run by test_documents.py.
_STACK = "logpipe stack up --detach"
#: What a terminal would remember for the next block: its folder and its variables.
_REMEMBER = 'pwd > "$STATE/pwd"; export -p > "$STATE/environ"'


def steps() -> Iterator[tuple[str, str, str]]:
    """(language, file or "", text) of every block."""
    for above, language, text in _STEP.findall(TEXT):
        named = _FILE.findall(above)
        yield language, named[-1] if named else "", text


@dataclass
class Terminal:
    """A terminal that the document's blocks are typed into, and a second one for its server."""

    state: Path
    environ: dict[str, str]
    port: int
    printed: dict[str, str] = field(default_factory=dict)
    request_count: int = 0
    _server: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return Path((self.state / "pwd").read_text().removesuffix("\n"))

    def _script(self, commands: str) -> list[str]:
        commands = commands.replace(":8000", f":{self.port}").replace("--port 8000", f"--port {self.port}")
        commands = commands.replace("manage.py runserver", f"manage.py runserver {self.port}")
        return ["sh", "-e", "-c", f'. "$STATE/environ"\ncd "$(cat "$STATE/pwd")"\n{commands}']

    def run(self, commands: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run commands to their end, whatever that is."""
        return subprocess.run(
            self._script(commands),
            env=self.environ | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def type(self, commands: str) -> None:
        """Run a block of the document: it succeeds, and changes folder and variables for the next."""
        done = self.run(commands + _REMEMBER)
        assert done.returncode == 0, commands + done.stdout + done.stderr
        self.printed[commands] = done.stdout + done.stderr
        self.request_count += commands.count("curl ")

    def serve(self, command: str) -> None:
        """Start a server, in place of the last one; return when it answers."""
        self.stop()
        log = self.state / "server.log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                self._script(command), env=self.environ, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while True:
            assert self._server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/admin/login/", timeout=30):
                    self.request_count += 1
                    return
            except URLError:
                time.sleep(0.1)

    def stop(self) -> None:
        """Press Ctrl-C where the server runs."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGINT)
            self._server.wait(30)
            self._server = None

    def outputs_of(self, part: str) -> list[str]:
        """What the blocks printed in which a command is."""
        return [output for commands, output in self.printed.items() if part in commands]


@dataclass(frozen=True)
class Performed:
    """The project as it is when the whole document has been performed."""

    terminal: Terminal
    events: list[dict[str, Any]]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == event]


def _dependencies(target: Path) -> Path:
    """What is installed here, without this project itself: the wheel has to bring that."""
    for directory in dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]):
        target.mkdir(exist_ok=True)
        for path in Path(directory).iterdir():
            if "logging_pkg" not in path.name:
                (target / path.name).symlink_to(path)
    return target


@pytest.fixture(scope="module")
def performed(loki_server: Stack, tmp_path_factory: pytest.TempPathFactory) -> Performed:
    """Everything in the document, top to bottom."""
    base = tmp_path_factory.mktemp("quick start")  # with a space, as folders of people have them
    folder, state = base / "empty folder", base / "state"
    folder.mkdir()
    state.mkdir()
    build = f"import hatchling.build; hatchling.build.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, capture_output=True, timeout=120)
    (state / "pwd").write_text(f"{folder}\n")
    (state / "environ").touch()
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOGPIPE_", "PYTEST_", "COV_")) and name != "DJANGO_SETTINGS_MODULE"
    }
    environ |= {
        "STATE": str(state),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}",
        "PYTHONPATH": str(_dependencies(base / "dependencies")),
        "PIP_NO_INDEX": "1",
        "LOGPIPE_LOKI_URL": loki_server.loki_url,
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        terminal = Terminal(state, environ, free.getsockname()[1])
    try:
        for language, file, text in steps():
            _perform(terminal, language, file, text)
    finally:
        terminal.stop()
    lines = [path.read_bytes().splitlines() for path in _log_files(terminal)]
    return Performed(terminal, [json.loads(line) for file in lines for line in file])


def _perform(terminal: Terminal, language: str, file: str, text: str) -> None:
    if language != "sh":
        if file:
            path = terminal.folder / file
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as target:
                target.write("\n\n" + text if path.stat().st_size else text)
        return
    *commands, last = text.splitlines()
    if _SERVER.search(last):
        terminal.type("".join(f"{command}\n" for command in commands))
        terminal.serve(last)
    elif "logpipe stack up" in text:
        # The Loki of these tests is up already; the ID to look for is that of the order.
        (order,) = (json.loads(line) for output in terminal.outputs_of("grep -h") for line in output.splitlines()[-1:])
        rest = [command for command in (*commands, last) if command != _STACK]
        terminal.type("".join(f"{command}\n" for command in rest).replace(_SHOWN_ID, order["correlation_id"]))
    else:
        terminal.type(text)


def _log_files(terminal: Terminal) -> list[Path]:
    return sorted((terminal.folder / ".logpipe" / "logs").glob("mysite-*.ndjson"))


def test_it_is_the_wheel_that_was_tried(performed: Performed) -> None:
    """The package and the command come from the fresh environment, not from this working copy."""
    found = performed.terminal.run('python -c "import logging_pkg; print(logging_pkg.__file__)"; which logpipe')
    environment = str(performed.terminal.folder.parent / ".venv")
    assert [line.startswith(environment) for line in found.stdout.splitlines()] == [True, True], found


def test_the_checks_find_nothing(performed: Performed) -> None:
    """A project made by the document is right, for development and for production."""
    outputs = performed.terminal.outputs_of("manage.py check")
    assert len(outputs) == 2
    assert all("System check identified no issues (0 silenced)." in output for output in outputs), outputs


def test_each_request_is_one_valid_event(performed: Performed) -> None:
    """runserver, gunicorn and uvicorn alike: as many events as requests, every line valid, each with its route."""
    for path in _log_files(performed.terminal):
        assert_valid_stream(path, [performed.terminal.folder / "schemas"])
    requests = performed.named("http.request_finished")
    assert len(requests) == performed.terminal.request_count
    assert Counter(line["route"] for line in requests) == {"/admin/login/": 5, "/admin/": 2, "/orders/{id}/": 1}
    assert {line["outcome"] for line in requests} == {"ok"}
    assert performed.named("logging.event_rejected") == []


def test_the_request_shown_is_in_the_log(performed: Performed) -> None:
    """The fields of the document's example, with its values; and `cat` has shown it under the header's ID."""
    shown = json.loads(next(text for language, file, text in steps() if language == "json" and not file))
    (output,) = performed.terminal.outputs_of("cat .logpipe")
    (identifier,) = re.findall(r"^X-Correlation-ID: (\w+)", output, re.MULTILINE)
    printed = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    (line,) = (
        line for line in printed if line["correlation_id"] == identifier and line["event"] == "http.request_finished"
    )
    assert {name: line[name] for name in shown} == shown


def test_the_own_event_belongs_to_its_request(performed: Performed) -> None:
    """It is written, under the correlation ID of the request it was emitted in."""
    (order,) = performed.named("shop.order_placed")
    (request,) = (line for line in performed.named("http.request_finished") if line["route"] == "/orders/{id}/")
    assert order["total"] == 49.9
    assert order["correlation_id"] == request["correlation_id"]


def test_the_order_is_found_in_loki(performed: Performed) -> None:
    """What was shipped is what `logpipe trace` shows, and nothing of it went to the dead letter."""
    (output,) = performed.terminal.outputs_of("logpipe trace")
    assert "GET /orders/{id}/" in output
    dead_letter = performed.terminal.folder / ".logpipe" / "shipper" / "dead-letter.ndjson"
    assert not dead_letter.exists() or dead_letter.read_text() == ""


def _spoiled(performed: Performed, name: str, old: str, new: str) -> str:
    """A settings module like the project's, with one thing changed; returns its name."""
    package = performed.terminal.folder / "mysite"
    text = (package / "settings.py").read_text()
    assert text.count(old) == 1
    (package / f"{name}.py").write_text(text.replace(old, new))
    return f"mysite.{name}"


_INSERT = 'MIDDLEWARE.insert(0, "logging_pkg.django.middleware.ObservabilityMiddleware")'


@pytest.mark.parametrize(
    ("identifier", "new"),
    [("W001", ""), ("W002", _INSERT.replace("insert(0, ", "append(")), ("W003", f"{_INSERT}\n{_INSERT}")],
    ids=["missing", "last", "twice"],
)
def test_a_wrong_middleware_line_is_named(performed: Performed, identifier: str, new: str) -> None:
    """Missing, last, or twice: `check` says so, by its ID, and with a hint."""
    module = _spoiled(performed, identifier, _INSERT, new)
    done = performed.terminal.run("python manage.py check", DJANGO_SETTINGS_MODULE=module)
    assert re.findall(r"logging_pkg\.(\w+)\) Observ", done.stderr) == [identifier], done
    assert f"docs/system-checks.md#{identifier.lower()}" in done.stderr


def test_a_missing_application_is_named(performed: Performed) -> None:
    """The server does not start in development, and its last words say what to add."""
    module = _spoiled(performed, "no_application", 'INSTALLED_APPS += ["logging_pkg.django"]', "")
    done = performed.terminal.run('python -c "import mysite.wsgi"', DJANGO_SETTINGS_MODULE=module)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith('Add "logging_pkg.django" to INSTALLED_APPS.')


def test_a_missing_application_does_not_stop_production(performed: Performed) -> None:
    """The site answers, unobserved and with nothing written; its log has one line on what to add."""
    old = 'INSTALLED_APPS += ["logging_pkg.django"]'
    module = _spoiled(performed, "no_application_in_production", old, 'DEBUG, ALLOWED_HOSTS = False, ["*"]')
    program = (
        "import mysite.wsgi; from django.test import Client; client = Client(); "
        'print(*(client.get("/admin/login/").status_code for _ in range(2)))'
    )
    before = _log_files(performed.terminal)
    done = performed.terminal.run(f"python -c '{program}'", DJANGO_SETTINGS_MODULE=module)
    assert done.stdout == "200 200\n", done
    # Twice: mysite.wsgi and the test client each load the middleware, and both did so once.
    assert done.stderr.count('Add "logging_pkg.django" to INSTALLED_APPS.') == 2, done
    assert _log_files(performed.terminal) == before


def test_the_short_name_is_the_same_application(performed: Performed) -> None:
    """`logging_pkg` in INSTALLED_APPS reads LOGPIPE and brings the checks like the full name."""
    module = _spoiled(performed, "short_name", '["logging_pkg.django"]', '["logging_pkg"]')
    program = "import django; django.setup(); from logging_pkg import conf; print(conf.settings().service_name)"
    done = performed.terminal.run(
        f"python -c '{program}'; python manage.py check --tag logging_pkg", DJANGO_SETTINGS_MODULE=module
    )
    assert done.stdout == "mysite\nSystem check identified no issues (0 silenced).\n", done


def test_the_readme_says_the_same() -> None:
    """The two lines that install are those of the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = next(text for _, file, text in steps() if file == "mysite/settings.py").splitlines()
    assert len(lines) == 3
    assert "\n".join(lines[:2]) in readme
