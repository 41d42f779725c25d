"""ccxt's class of one exchange. Of its hundred others none is imported: they take seconds of a first call.

``import ccxt`` imports them all. So the package is entered in `sys.modules` before it has run, and runs when somebody
asks it for a name that it lacks by then; whoever writes ``import ccxt`` elsewhere finds it as it always is.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["client_class", "errors", "exchange_names"]


class _NotRun(ModuleType):
    """A package that runs at the first name that it is asked for in vain."""

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # type: ignore[assignment]
        loader = getattr(self.__spec__, "loader", None)
        assert loader is not None, "made from the spec of a package that is there"
        loader.exec_module(self)
        return getattr(self, name)


@cache
def exchange_names() -> frozenset[str]:
    """The exchanges that ccxt knows: the files of its folder."""
    return frozenset(module.name for module in pkgutil.iter_modules(_package().__path__) if not module.ispkg)


def client_class(exchange: str) -> Any:
    """ccxt's class of an exchange that it knows."""
    package = _package()
    found = getattr(import_module(f"ccxt.{exchange}"), exchange)
    if isinstance(package, _NotRun):  # its names are classes, not the files that were just imported
        for name in exchange_names() & set(vars(package)):
            delattr(package, name)
    return found


def errors() -> ModuleType:
    """The module of ccxt's errors."""
    _package()
    return import_module("ccxt.base.errors")


def _package() -> ModuleType:
    if "ccxt" not in sys.modules:
        spec = importlib.util.find_spec("ccxt")
        assert spec is not None, "asked for by `require` before"
        package = importlib.util.module_from_spec(spec)
        package.__class__ = _NotRun
        sys.modules["ccxt"] = package
    return sys.modules["ccxt"]
