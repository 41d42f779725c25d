"""Folders whose files are found by their name: a new model, venue or stream is a new file, and there is no list."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from typing import Any

__all__ = ["modules_in", "names_in"]


def names_in(path: Iterable[str]) -> list[str]:
    """Names of the files in a package's folders, alphabetically; those that begin with an underscore are helpers.

    >>> import liqlab.models
    >>> "decay" in names_in(liqlab.models.__path__)
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))


def modules_in(package: str, path: Iterable[str]) -> dict[str, Any]:
    """The files themselves, by name."""
    return {name: import_module(f"{package}.{name}") for name in names_in(path)}
