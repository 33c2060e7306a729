"""vector.toml is complete, up to date, and does what its own tests say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from vrl_python import VRLRuntime

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.conventions import MAX_LINE_BYTES, MAX_PUSH_BYTES, STREAM_LABELS, STRUCTURED_METADATA
from logging_pkg.shipper.vector_config import render_declared_events
from tests.shipper.vector_program import ROOT, Program, VectorConfig

CONFIG = VectorConfig()
TESTS = {test["name"]: test for test in CONFIG.document["tests"]}


def test_the_committed_list_of_declared_events_is_up_to_date() -> None:
    """Rendering the committed file again changes nothing; `logpipe vector-config` mends it otherwise."""
    assert render_declared_events(load_registry(), CONFIG.text) == CONFIG.text


def test_rendering_replaces_what_is_between_the_markers_only(tmp_path: Path) -> None:
    """Events of a project's own schema directory are added in order, with the markers' indent."""
    text = 'a = 1\n  # BEGIN declared events (…)\n  "old.event",\n  # END declared events\nb = 2\n'
    rendered = render_declared_events(load_registry(), text)
    lines = rendered.splitlines()
    assert lines[:2] == text.splitlines()[:2]
    assert lines[-2:] == text.splitlines()[-2:]
    assert lines[2:-2] == [f'  "{name}",' for name in sorted(load_registry().events)]
    assert render_declared_events(load_registry(), rendered) == rendered


@pytest.mark.parametrize(
    "text",
    ["", "# BEGIN declared events\n", "# END declared events\n# BEGIN declared events\n"],
    ids=["none", "one", "swapped"],
)
def test_a_file_without_the_markers_is_refused(text: str) -> None:
    """The error says what was found and what is expected."""
    with pytest.raises(ConfigurationError, match="expected one of each"):
        render_declared_events(load_registry(), text)


def test_all_vrl_of_the_file_compiles() -> None:
    """Transforms, conditions and test assertions, in the dialect of Vector 0.57."""
    sources = [
        item[key] for item in CONFIG.document["transforms"].values() for key in ("source", "condition") if key in item
    ]
    sources += [
        condition["source"]
        for test in CONFIG.document["tests"]
        for output in test["outputs"]
        for condition in output["conditions"]
    ]
    assert len(sources) > len(TESTS)
    for source in sources:
        diagnostic = VRLRuntime.check_syntax(source)
        assert diagnostic is None, diagnostic.formatted_message


def _run(test: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The outputs of Vector's `event` and `dead_letter` transforms for the inputs of one `[[tests]]`."""
    outputs = {}
    for item in test["inputs"]:
        assert item["insert_at"] == "event"
        result = CONFIG.event.run(item["log_fields"])
        if isinstance(result, str):
            # What reroute_dropped adds to the event as it was.
            dropped = {**item["log_fields"], "metadata": {"dropped": {"message": result, "reason": "abort"}}}
            outputs["event.dropped"] = dropped
            letter = Program(CONFIG.document["transforms"]["dead_letter"]["source"]).run(dropped)
            assert isinstance(letter, dict), letter
            outputs["dead_letter"] = letter
        else:
            outputs["event"] = result
    return outputs


@pytest.mark.parametrize("name", TESTS)
def test_the_files_own_tests_pass(name: str) -> None:
    """The `[[tests]]` that `vector test` runs pass in vrl-python too."""
    outputs = _run(TESTS[name])
    for output in TESTS[name]["outputs"]:
        event = outputs[output["extract_from"]]
        for condition in output["conditions"]:
            source = condition["source"]
            if output["extract_from"] == "event":
                # vrl-python hands the timestamp over as text; Vector keeps it what it is.
                source = f'.timestamp = parse_timestamp!(.timestamp, "%F %T%.f UTC")\n{source}'
            result = Program(source).run(event)
            assert isinstance(result, dict), result


def test_every_reason_of_the_vrl_has_a_test_of_its_own() -> None:
    """Each abort in the VRL is reached by one of the file's tests or by a parity test."""
    from tests.shipper.test_parity import BAD

    reasons = set(re.findall(r'abort "(\w+)"', CONFIG.document["transforms"]["event"]["source"]))
    assert reasons == {reason for _, reason in BAD.values()}
    tested = {output for test in TESTS.values() for output in re.findall(r'message, "(\w+)"', str(test))}
    # A line over 64 KB and bytes that are not UTF-8 cannot be written down in a TOML file.
    assert reasons - tested == {"oversize_line", "not_utf8"}


def test_the_mapping_is_that_of_the_conventions() -> None:
    """Labels and metadata have fixed keys, each filled from the field of its own name."""
    sink = CONFIG.document["sinks"]["loki"]
    assert sink["labels"] == {name: f"{{{{ {name} }}}}" for name in STREAM_LABELS}
    assert sink["structured_metadata"] == {name: f"{{{{ {name} }}}}" for name in STRUCTURED_METADATA}


def test_nothing_in_it_can_lose_a_line_in_silence() -> None:
    """The settings that delivery rests on, as Vector 0.57 names them."""
    source, sink = CONFIG.document["sources"]["event_files"], CONFIG.document["sinks"]["loki"]
    transform = CONFIG.document["transforms"]["event"]
    assert "$" not in CONFIG.text  # interpolation is off by default since 0.57; the file has to work as it is
    assert source["include"] == [".logpipe/logs/*.ndjson"]
    assert source["read_from"] == "beginning"
    assert source["fingerprint"] == {"strategy": "checksum", "lines": 1, "ignored_header_bytes": 0}
    assert source["max_line_bytes"] > MAX_LINE_BYTES
    assert "ignore_older_secs" not in source
    assert "remove_after_secs" not in source
    assert (transform["drop_on_abort"], transform["drop_on_error"], transform["reroute_dropped"]) == (True, True, True)
    assert CONFIG.document["transforms"]["dead_letter"]["inputs"] == ["event.dropped"]
    assert CONFIG.document["sinks"]["dead_letter"]["acknowledgements"]["enabled"] is True
    assert sink["acknowledgements"]["enabled"] is True
    assert sink["buffer"]["type"] == "memory"
    assert sink["buffer"]["when_full"] == "block"
    assert sink["batch"]["max_bytes"] < MAX_PUSH_BYTES / 2
    assert sink["out_of_order_action"] == "accept"
    assert sink["dangerously_allow_unconfined_template_resolution"] is True


def _vector() -> str:
    binary = os.environ.get("LOGPIPE_VECTOR_BIN") or shutil.which("vector")
    if binary is None:
        pytest.skip("no vector >= 0.57 found (LOGPIPE_VECTOR_BIN, PATH): vector.toml was checked by vrl-python only")
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"vector (\d+)\.(\d+)", answer)
    assert found is not None, answer
    if (int(found[1]), int(found[2])) < (0, 57):
        pytest.skip(f"{binary} is {answer.strip()}, and vector.toml needs 0.57: it was checked by vrl-python only")
    return binary


@pytest.mark.parametrize("arguments", [["validate", "--skip-healthchecks"], ["test"]], ids=["validate", "test"])
def test_a_real_vector_accepts_it(arguments: list[str], tmp_path: Path) -> None:
    """`vector validate` and `vector test`, in a directory as the file expects it."""
    binary = _vector()
    (tmp_path / ".logpipe/shipper/vector").mkdir(parents=True)
    (tmp_path / ".logpipe/logs").mkdir()
    done = subprocess.run(
        [binary, *arguments, str(ROOT / "vector.toml")], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_checks_and_renews_a_file(tmp_path: Path) -> None:
    """`logpipe vector-config --check` exits 1 on an outdated file and changes nothing; without it the file is renewed."""
    from typer.testing import CliRunner

    from logging_pkg.cli.application import application_for

    path = tmp_path / "vector.toml"
    outdated = CONFIG.text.replace('  "process.sampled",\n', "", 1)
    path.write_text(outdated)
    run = CliRunner()
    answer = run.invoke(application_for(()), ["vector-config", str(path), "--check"])
    assert answer.exit_code == 1
    assert "out of date" in answer.output
    assert path.read_text() == outdated
    assert run.invoke(application_for(()), ["vector-config", str(path)]).exit_code == 0
    assert path.read_text() == CONFIG.text
    assert run.invoke(application_for(()), ["vector-config", str(path), "--check"]).exit_code == 0
    assert run.invoke(application_for(()), ["vector-config", str(tmp_path / "none.toml")]).exit_code == 2
