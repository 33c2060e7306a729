"""A library is watched whenever it is imported, and imported by nobody but who wants it."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.resources
import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from logging_pkg.instrumentation.http_client import post_import
from logging_pkg.instrumentation.http_client.post_import import forget, when_imported
from logging_pkg.testing import capture_events
from logging_pkg.writer import get_writer

ROOT = Path(__file__).resolve().parents[2]

PRELUDE = """
    import sys, threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from logging_pkg.instrumentation.http_client import post_import, unwatch_http_clients, watch_http_clients
    from logging_pkg.testing import capture_events

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()
        def log_message(self, *_): pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x"
    finders = list(sys.meta_path)

    def ask():
        import requests, urllib.request
        with capture_events() as events:
            requests.get(url)
            urllib.request.urlopen(url).close()
        assert [event["library"] for event in events] == ["requests", "urllib"], events
        assert sys.meta_path == finders
        import requests.adapters
        for module in (requests.adapters, urllib.request):
            assert type(module.__loader__) is type(module.__spec__.loader) is type(threading.__loader__), module
        print("fine")
"""


def run(program: str, **environ: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LOGPIPE_", "DJANGO_"))}
    kept |= {"PYTHONPATH": str(ROOT), "LOGPIPE_SINK": "none", **environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(PRELUDE) + textwrap.dedent(program)],
        env=kept, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_watched_before_it_is_imported() -> None:
    """The libraries are not imported for it; once they are, they are seen, and nothing waits any more."""
    assert "fine" in run("""
        watch_http_clients()
        watch_http_clients()
        assert not {"requests", "urllib3", "urllib.request"} & set(sys.modules)
        assert len(sys.meta_path) == len(finders) + 1
        import json.tool, email.mime.text
        ask()
    """)


def test_watched_after_it_was_imported() -> None:
    """At once."""
    assert "fine" in run("""
        import requests, urllib.request
        finders[:] = sys.meta_path
        watch_http_clients()
        ask()
    """)


def test_undone_before_it_is_imported() -> None:
    """Nothing waits, and what is imported then is as it was made."""
    assert "plain" in run("""
        watch_http_clients()
        unwatch_http_clients()
        assert sys.meta_path == finders
        import requests, urllib.request
        assert not hasattr(requests.adapters.HTTPAdapter.send, "__wrapped__")
        assert not hasattr(urllib.request.AbstractHTTPHandler.do_open, "__wrapped__")
        print("plain")
    """)


@pytest.mark.parametrize("first", ["django", "requests"])
def test_a_django_project_has_nothing_to_do(first: str) -> None:
    """Its application watches, in whichever order requests and Django come."""
    start = f"""
        {"import requests" if first == "requests" else ""}
        import django
        from django.conf import settings
        settings.configure(METRICS_ENABLED=True, INSTALLED_APPS=["logging_pkg.django"])
        django.setup()
        from logging_pkg.instrumentation import background
        background.stop()
        finders[:] = [finder for finder in sys.meta_path if finder is not post_import._finder]
        ask()
    """
    assert "fine" in run(start)


def test_switched_off_nothing_is_patched() -> None:
    """METRICS_ENABLED off: no finder, and the libraries' own methods."""
    assert "plain" in run("""
        import django
        from django.conf import settings
        settings.configure(METRICS_ENABLED=False, INSTALLED_APPS=["logging_pkg.django"])
        before = list(sys.meta_path)
        django.setup()
        import requests, urllib.request
        assert sys.meta_path == before
        assert not hasattr(requests.adapters.HTTPAdapter.send, "__wrapped__")
        assert not hasattr(urllib.request.AbstractHTTPHandler.do_open, "__wrapped__")
        print("plain")
    """)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from; what is imported from it is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("waited"):
            del sys.modules[name]
    for name in list(post_import._actions):
        forget(name)
    importlib.invalidate_caches()


def write(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.py").write_text(textwrap.dedent(text))
    importlib.invalidate_caches()
    return name


def is_waiting() -> bool:
    return post_import._finder in sys.meta_path


def test_the_action_comes_after_the_modules_code(modules: Path) -> None:
    """Once, with the module complete; the module keeps no trace of it."""
    name = write(modules, "waited_for", "value = 1\nvalue = 2\n")
    seen: list[tuple[ModuleType, int]] = []
    when_imported(name, lambda module: seen.append((module, module.value)))
    assert (seen, is_waiting()) == ([], True)
    module = importlib.import_module(name)
    assert seen == [(module, 2)]
    assert not is_waiting()
    assert type(module.__loader__) is importlib.machinery.SourceFileLoader
    assert module.__spec__.loader is module.__loader__
    assert importlib.reload(module) is module
    assert len(seen) == 1


def test_a_module_that_is_there_needs_no_waiting(modules: Path) -> None:
    """Called with it at once."""
    name = write(modules, "waited_there", "value = 1\n")
    module = importlib.import_module(name)
    seen: list[ModuleType] = []
    when_imported(name, seen.append)
    assert seen == [module]
    assert not is_waiting()


def test_a_module_that_another_thread_is_importing_is_waited_for(modules: Path) -> None:
    """Its import began before anybody waited, so that only its end can be waited for."""
    name = write(modules, "waited_slow", "import time\nvalue = 1\ntime.sleep(0.3)\nvalue = 2\n")
    thread = threading.Thread(target=importlib.import_module, args=(name,))
    thread.start()
    while name not in sys.modules:
        time.sleep(0.001)
    seen: list[int] = []
    when_imported(name, lambda module: seen.append(module.value))
    thread.join()
    assert seen == [2]
    assert not is_waiting()


def test_an_import_that_fails_is_waited_for_again(modules: Path) -> None:
    """The exception is the module's own; the next import may do better."""
    name = write(modules, "waited_broken", "raise ImportError('mine')\n")
    seen: list[ModuleType] = []
    when_imported(name, seen.append)
    with pytest.raises(ImportError, match=r"^mine$"):
        importlib.import_module(name)
    assert (seen, is_waiting(), name in sys.modules) == ([], True, False)
    (modules / f"{name}.py").write_text("value = 12345\n")
    importlib.invalidate_caches()
    importlib.import_module(name)
    assert (len(seen), is_waiting()) == (1, False)


def test_a_module_that_does_not_exist_does_not_exist(modules: Path) -> None:
    """As before, with or without a look for it first."""
    when_imported("waited_nowhere", lambda _: None)
    assert importlib.util.find_spec("waited_nowhere") is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'waited_nowhere'"):
        importlib.import_module("waited_nowhere")


def test_looking_for_a_module_does_not_import_it(modules: Path) -> None:
    """`importlib.util.find_spec` tells of it as ever."""
    name = write(modules, "waited_looked_for", "value = 1\n")
    seen: list[ModuleType] = []
    when_imported(name, seen.append)
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin == str(modules / f"{name}.py")
    assert spec.loader.get_source(name) == "value = 1\n"  # type: ignore[union-attr]
    assert (seen, name in sys.modules) == ([], False)


def test_a_package_keeps_its_resources(modules: Path) -> None:
    """While its own code runs, and after."""
    (modules / "waited_package").mkdir()
    (modules / "waited_package" / "data.txt").write_text("hello")
    (modules / "waited_package" / "__init__.py").write_text(
        "from importlib.resources import files\nvalue = files(__name__).joinpath('data.txt').read_text()\n"
    )
    importlib.invalidate_caches()
    when_imported("waited_package", lambda _: None)
    assert importlib.import_module("waited_package").value == "hello"
    assert importlib.resources.files("waited_package").joinpath("data.txt").read_text() == "hello"


def test_a_zip_file_may_be_where_it_comes_from(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loader is that of the whole file: other modules in it are left alone."""
    with zipfile.ZipFile(modules / "archive.zip", "w") as archive:
        archive.writestr("waited_zipped.py", "value = 1\n")
        archive.writestr("waited_beside.py", "value = 2\n")
    monkeypatch.syspath_prepend(str(modules / "archive.zip"))
    seen: list[str] = []
    when_imported("waited_zipped", lambda module: seen.append(module.__name__))
    assert importlib.import_module("waited_beside").value == 2
    assert seen == []
    assert importlib.import_module("waited_zipped").value == 1
    assert seen == ["waited_zipped"]


def test_a_loader_without_exec_module_is_left_alone(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is, it loads its module; that one is not seen."""

    class Odd:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
            if name == "waited_odd":
                return importlib.util.spec_from_loader(name, None, is_package=True)
            return None

    monkeypatch.setattr(sys, "meta_path", [object(), Odd(), *sys.meta_path])
    seen: list[ModuleType] = []
    when_imported("waited_odd", seen.append)
    assert importlib.import_module("waited_odd").__name__ == "waited_odd"
    assert seen == []


def test_an_action_that_fails_does_not_fail_the_import(modules: Path) -> None:
    """In production it is counted."""
    name = write(modules, "waited_action", "value = 1\n")
    with capture_events(strict=False):
        when_imported(name, lambda _: 1 / 0)
        assert importlib.import_module(name).value == 1
        assert get_writer().faults == 1
    assert not is_waiting()


def test_imports_in_many_threads_are_undisturbed(modules: Path) -> None:
    """While the finder comes and goes, every thread finds every module."""
    names = [write(modules, f"waited_many_{number}", f"value = {number}\n") for number in range(200)]
    seen: list[str] = []
    failures: list[BaseException] = []
    for name in names[::2]:
        when_imported(name, lambda module: seen.append(module.__name__))

    def work(offset: int) -> None:
        try:
            for name in names[offset:] + names[:offset]:
                assert importlib.import_module(name).value == int(name.rpartition("_")[2])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        when_imported("waited_never", lambda _: None)
        forget("waited_never")
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(seen) == sorted(names[::2])
    assert not is_waiting()
