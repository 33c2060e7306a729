"""Every command, code block and link in the documents works.

In: README.md and docs/. Out: the commands run for real, against a real Loki where they ask one.
Never: a document that is not looked at.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from logging_pkg.conf import Settings
from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.pipeline.generate import recording_rules
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.schemas.examples import example_lines
from logging_pkg.stack import Stack
from tests.pipeline.events import line, push

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
#: Its commands need each other, in order: test_quickstart.py.
PERFORMED = "QUICKSTART.md"
#: The ID the documents show.
_SHOWN_ID = "0192f0c1"


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        for found, text in _BLOCK.findall(path.read_text(encoding="utf-8")):
            if found == language:
                yield path, text


def commands() -> list[str]:
    """Every line of every shell block, comments off, each once."""
    everywhere = (text for path, text in blocks("sh") if path.name != PERFORMED)
    lines = (line.split("  #")[0].strip() for text in everywhere for line in text.splitlines())
    return sorted({line for line in lines if line and not line.startswith("#")})


STACK = ["logpipe stack up --detach", "logpipe stack status", "logpipe stack down"]
MAKE = [command for command in commands() if command.startswith("make ")]
#: Run with a Prometheus, and for one series: for all it takes minutes.
BACKFILL = [command for command in commands() if command.startswith("logpipe backfill")]
#: Run until Ctrl-C; their other form is run by STACK and by the end-to-end test.
FOREGROUND = {
    "logpipe stack up",
    "logpipe ship",
    "logpipe tail 'status_code>=500'",
    "logpipe tail -e 'sync.*' --since 10m",
}
#: Run with a Prometheus and an Alertmanager beside the Loki.
WATCHING = [
    command
    for command in commands()
    if re.match("logpipe (alerts|doctor|explain|forecast|slo)\\b", command) is not None
]
#: Run for real in a folder that has what they name.
RUN = [command for command in commands() if command not in {*STACK, *MAKE, *FOREGROUND, *BACKFILL, *WATCHING}]


def test_the_documents_show_what_is_looked_for() -> None:
    """The sorting of commands below finds the ones everybody starts with."""
    assert {"make demo", "make test"} <= set(MAKE)
    assert FOREGROUND | set(STACK) <= set(commands())
    assert len(RUN) > 8


@pytest.mark.parametrize("command", MAKE)
def test_make_targets_exist(command: str) -> None:
    """A dry run knows the target."""
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def workspace(own_loki_server: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder with what the documents' commands name, and a Loki that holds the ID they show."""
    folder = tmp_path_factory.mktemp("workspace")
    registry = load_registry()
    lines = b"".join(orjson.dumps(line) + b"\n" for line in example_lines(registry, "process.sampled", 1))
    (folder / "events.ndjson").write_bytes(lines)
    (folder / ".logpipe" / "logs").mkdir(parents=True)
    (folder / ".logpipe" / "logs" / "documents-1.ndjson").write_bytes(lines)
    (folder / ".logpipe" / "shipper").mkdir()
    (folder / ".logpipe" / "shipper" / "dead-letter.ndjson").write_text('{"reason": "torn"}\n')
    (folder / "schemas").mkdir()
    (folder / "schemas" / "report.export_finished.json").write_text(readme_schema())
    (folder / "app.ndjson").write_text('{"event": "order.paid", "amount_cents": 5, "duration_ms": 3.2}\n')
    for name in ("loki", "vector.toml", "docs", "README.md", "grafana"):
        (folder / name).symlink_to(ROOT / name)
    # Not a link: `logpipe schema diff` reads the folder at a revision.
    shutil.copytree(ROOT / "log_schemas", folder / "log_schemas")
    identity = ("-c", "user.name=documents", "-c", "user.email=documents@example.org", "-c", "commit.gpgsign=false")
    for git in (("init", "-q"), ("add", "log_schemas"), (*identity, "commit", "-qm", "Declare events")):
        subprocess.run(["git", *git], cwd=folder, check=True, timeout=60)
    event = next(iter(example_lines(registry, "http.request_finished", 1)))
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    event |= {"correlation_id": _SHOWN_ID + "0" * 24, "timestamp": now}
    labels = {"service_name": "documents", "env": "test", "event": event["event"]}
    metadata = {"correlation_id": event["correlation_id"]}
    with LokiClient(own_loki_server.loki_url) as client:
        client.push([Stream(labels, [Entry(parse_timestamp(now), json.dumps(event), metadata)])])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    return environ | {"LOGPIPE_LOKI_URL": own_loki_server.loki_url, "PATH": path, "PWD": str(folder)}


def run(command: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = command.replace("http://127.0.0.1:3100", environ["LOGPIPE_LOKI_URL"])
    return subprocess.run(
        ["sh", "-c", command], cwd=environ["PWD"], env=environ, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("command", RUN)
def test_commands_succeed(command: str, workspace: dict[str, str]) -> None:
    """Each command of the documents exits 0 where its files and IDs exist."""
    if command == "logpipe generate":
        command += " --check"  # the workspace's rules are the repository's: nothing to write
    done = run(command, workspace)
    assert done.returncode == 0, done.stdout + done.stderr


def test_backfill_commands_fill_a_gap(workspace: dict[str, str]) -> None:
    """In a Prometheus without a sample: what only looks finds the gap (1), what writes fills it (0), and then nothing is missing."""
    looking = [command for command in BACKFILL if "--dry-run" in command]
    writing = [command for command in BACKFILL if "--dry-run" not in command]
    assert len(looking) > 1 < len(writing)
    with LokiClient(workspace["LOGPIPE_LOKI_URL"]) as client:
        ago_ns = time.time_ns() - 90 * 60 * 10**9
        push(client, [line("logging.file_deleted", "documents", ago_ns, lost_event_count=5)])
    with Stack(("prometheus",)) as stack:
        environ = workspace | {"LOGPIPE_PROMETHEUS_URL": stack.prometheus_url}
        for commands, code in ((looking, 1), (writing, 0), (looking, 0)):
            done = [run(f"{command} --rule service:logging_lost_events:sum_5m", environ) for command in commands]
            assert {result.returncode for result in done} == {code}, "\n".join(r.stdout + r.stderr for r in done)


def test_commands_that_ask_every_server_succeed(workspace: dict[str, str]) -> None:
    """Nothing is shipped in that folder, and no rule is loaded, which is what `doctor` finds."""
    assert len(WATCHING) > 5
    with Stack(("prometheus", "alertmanager")) as stack:
        environ = workspace | {
            "LOGPIPE_PROMETHEUS_URL": stack.prometheus_url,
            "LOGPIPE_ALERTMANAGER_URL": stack.alertmanager_url,
        }
        done = {command: run(command, environ) for command in WATCHING}
    wanted = {command: 1 if command.startswith("logpipe doctor") else 0 for command in WATCHING}
    assert {command: result.returncode for command, result in done.items()} == wanted, "\n".join(
        result.stdout + result.stderr for result in done.values()
    )


def test_stack_commands_succeed_in_order(workspace: dict[str, str]) -> None:
    """First `up --detach`, then `status`, then `down`."""
    done = [run(command, workspace) for command in STACK]
    assert [result.returncode for result in done] == [0, 0, 0], "\n".join(r.stdout + r.stderr for r in done)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Relative links name files that are there."""
    missing = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert missing == []


def readme_schema() -> str:
    return next(text for path, text in blocks("json") if path.name == "README.md" and "$schema" in text)


def test_the_readme_event_comes_out_as_shown(tmp_path: Path) -> None:
    """The schema and the call of the README write a line with exactly the fields and values it shows."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "report.export_finished.json").write_text(readme_schema())
    call = next(text for path, text in blocks("python") if path.name == "README.md" and "emit(" in text)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    environ |= {"LOGPIPE_SERVICE_NAME": "shop", "LOGPIPE_SCHEMA_DIRECTORIES": "schemas"}
    subprocess.run([sys.executable, "-c", call], cwd=tmp_path, env=environ, check=True, timeout=60)
    (file,) = (tmp_path / ".logpipe" / "logs").glob("*.ndjson")
    written = json.loads(file.read_text())
    shown = json.loads(
        next(text for path, text in blocks("json") if path.name == "README.md" and '"seq"' in text).replace("\n ", "")
    )
    generated = {"instance_id", "timestamp", "event_id", "correlation_id", "span_id"}
    assert list(written) == list(shown)
    assert {k: v for k, v in written.items() if k not in generated} == {
        k: v for k, v in shown.items() if k not in generated
    }


def test_the_readme_rule_is_the_one_generated(tmp_path: Path) -> None:
    """The LogQL and the series name of the README are what `logpipe generate` makes of its schema."""
    (tmp_path / "report.export_finished.json").write_text(readme_schema())
    rules = recording_rules(load_registry([tmp_path]))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = next(block for path, block in blocks("") if path.name == "README.md" and "quantile_over_time" in block)
    squeezed = re.sub(r"\s+", "", rules).replace("offset30s", "")
    assert re.sub(r"\s+", "", shown) in squeezed
    assert "format:report_export_ms:p95_5m" in text
    assert "format:report_export_ms:p95_5m" in rules


def test_the_readme_installation_is_valid_django(tmp_path: Path) -> None:
    """The settings of "Add it to your project" start a project without a system check message of ours."""
    lines = next(text for path, text in blocks("python") if path.name == "README.md" and "INSTALLED_APPS" in text)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "report.export_finished.json").write_text(readme_schema())
    settings = (
        "from pathlib import Path\nBASE_DIR = Path(__file__).parent\nSECRET_KEY = 'x'\n"
        "INSTALLED_APPS = []\nMIDDLEWARE = []\nROOT_URLCONF = 'urls'\n" + lines
    )
    (tmp_path / "settings.py").write_text(settings)
    (tmp_path / "urls.py").write_text("urlpatterns = []\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    environ |= {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--fail-level", "WARNING"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_monitoring_gives_the_reason_of_every_limit() -> None:
    """Each alert written by hand has its row in the table; those of objectives share one."""
    text = (ROOT / "docs" / "MONITORING.md").read_text(encoding="utf-8")
    _, table = text.split("### Why each limit is what it is")
    files = [path for name in ("rules", "prometheus_rules") for path in (ROOT / "loki" / name).glob("*.yaml")]
    alerts = {name for path in files for name in re.findall(r"- alert: (\w+)", path.read_text(encoding="utf-8"))}
    by_hand = {name for name in alerts if not re.search("Slo(Page|Ticket)$", name)}
    told = {name for row in table.splitlines() if row.startswith("| ") for name in row.split("|")[1].split(", ")}
    assert len(by_hand) > 30
    assert by_hand - {name.strip() for name in told} == set()


def test_monitoring_tells_of_every_event_and_setting() -> None:
    """By name; and its head leads to each of its sections."""
    text = (ROOT / "docs" / "MONITORING.md").read_text(encoding="utf-8")
    named = [
        *load_registry().events,
        *(
            name.upper()
            for name, field in Settings.__dataclass_fields__.items()
            if field.init and name != "identity_key"
        ),
    ]
    assert [name for name in named if f"`{name}`" not in text] == []
    sections = re.findall("^## (.+)$", text, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", section).lower().replace(" ", "-") for section in sections]
    head = text[: text.index("\n## ")]
    subsections = {"why-each-limit-is-what-it-is"}
    assert sorted(set(re.findall(r"\]\(#([^)]+)\)", head)) - subsections) == sorted(slugs)
