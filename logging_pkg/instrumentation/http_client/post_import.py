"""Act once a module has been imported, without importing it.

In: a module's name. Out: a call with the module, at once where it is there already. Never: finds, loads or changes any
other module; is left in `sys.meta_path` when there is nothing to wait for.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from logging_pkg.instrumentation.guard import faults_kept_in

_lock = threading.Lock()
_actions: dict[str, Callable[[ModuleType], None]] = {}


def when_imported(name: str, action: Callable[[ModuleType], None]) -> None:
    """Call `action` with the module `name`: now, or right after its code has run for the first time.

    Args:
        name: of the module, dots included.
        action: idempotent; what it raises does not reach whoever imports the module.
    """
    with _lock:
        _actions[name] = action
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
    module = sys.modules.get(name)
    if module is None:
        return
    if getattr(getattr(module, "__spec__", None), "_initializing", False):
        # Another thread is importing it and may have looked for it before the finder was there: wait for its end.
        module = importlib.import_module(name)
    _act(name, module)


def forget(name: str) -> None:
    """Do not wait for a module any more."""
    with _lock:
        _actions.pop(name, None)
        if not _actions:
            # A new list: a thread that is walking through the old one to find a module would miss an entry.
            sys.meta_path = [finder for finder in sys.meta_path if finder is not _finder]


def _act(name: str, module: ModuleType) -> None:
    action = _actions.get(name)
    if action is not None:
        with faults_kept_in():
            action(module)
        forget(name)


class _Finder:
    """Lets the other finders find the modules that are waited for, and wraps their loaders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification the others give, for a module that is waited for; None for any other."""
        if name not in _actions:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """A module's loader, which tells when the module's code has run."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """Whatever else the loader can do: sources, resources."""
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as its loader does."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code; the module never sees this loader."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _act(module.__name__, module)


_finder = _Finder()
