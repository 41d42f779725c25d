"""What a plain installation leaves out: asked for where it is used, and named with the extra that brings it."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

__all__ = ["require", "require_installed"]

EXTRAS = {
    "ccxt": "fetch", "requests": "fetch", "tenacity": "fetch", "filelock": "fetch", "aiohttp": "fetch",
    "orjson": "fetch", "sklearn": "research", "talib": "research", "distributed": "scan",
    "papermill": "report", "nbconvert": "report", "nbformat": "report", "ipykernel": "report", "sphinx": "report",
    "docutils": "report", "myst_nb": "report",
}  # fmt: skip


def require(module: str, what: str) -> ModuleType:
    """Import an optional library, or say what needs it and how to get it.

    Parameters
    ----------
    module : str
        Its dotted name, such as ``"talib"`` or ``"sklearn.ensemble"``.
    what : str
        What needs it, as the subject of a sentence: ``"lq.indicators"``.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        Where it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # it is there, and lacks something of its own
        raise _missing(package, what) from error


def require_installed(package: str, what: str) -> None:
    """As `require`, without the time of an import.

    Raises
    ------
    ImportError
        Where it is not installed.
    """
    if package not in sys.modules and find_spec(package) is None:
        raise _missing(package, what)


def _missing(package: str, what: str) -> ImportError:
    return ImportError(f"{what} needs {package}, which a plain installation leaves out; "
                       f"install it with: pip install 'liqlab[{EXTRAS[package]}]'")  # fmt: skip
