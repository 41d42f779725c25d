"""Models by name: every file of this folder without a leading underscore is one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from liqlab.market.arguments import checked
from liqlab.market.files_by_name import names_in
from liqlab.models._flow import Flow


def names() -> list[str]:
    """Names of all models, alphabetically.

    >>> "open_interest" in names()
    True
    """
    return names_in([str(Path(__file__).parent)])


@checked()
def find(model: str) -> Callable[..., Flow]:
    """The function of a model, by name; ValueError names the models there are."""
    if model not in names():
        raise ValueError(f"no model is called {model!r}; there are: {', '.join(names())}")
    return getattr(import_module(f"liqlab.models.{model}"), model)


@checked()
def options_of(model: str) -> dict[str, Any]:
    """Options of a model with their defaults.

    >>> options_of("volume")
    {'share_of_volume': 1.0}
    """
    parameters = list(inspect.signature(find(model)).parameters.values())[1:]
    return {p.name: p.default for p in parameters}
