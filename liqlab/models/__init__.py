"""Models: one file = one rule of who opens and who closes, per bar. Files are found by their name.

A model is a function ``name(market, **options) -> Flow`` in ``models/name.py``. Its keyword signature is its
configuration: it is recorded with every map, and an unknown option is a TypeError. Where positions stand (``law``),
where in the bar they open (``entries``) and how large a typical one is (``position_notional``) is shared by all models.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

from liqlab.models._flow import Bar, Flow
from liqlab.models._law import Law, law

__all__ = ["Bar", "Flow", "Law", "find", "law", "names", "one_bar", "options_of"]


def names() -> list[str]:
    """Names of all models, alphabetically.

    >>> "open_interest" in names()
    True
    """
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def find(model: str) -> Callable[..., Flow]:
    """The function of a model, by name; ValueError names the models there are."""
    if model not in names():
        raise ValueError(f"no model is called {model!r}; there are: {', '.join(names())}")
    return getattr(import_module(f"{__name__}.{model}"), model)


def one_bar(model: str) -> Callable[..., Flow]:
    """A model's rule for a single bar, for maps that live; ValueError where it has none."""
    find(model)
    rule = getattr(import_module(f"{__name__}.{model}"), "one_bar", None)
    if rule is None:
        raise ValueError(f"the model {model!r} has no rule for one bar; add one_bar(bar, **options) to its file")
    return rule


def options_of(model: str) -> dict[str, Any]:
    """Options of a model with their defaults.

    >>> options_of("volume")
    {'share_of_volume': 1.0}
    """
    parameters = list(inspect.signature(find(model)).parameters.values())[1:]
    return {p.name: p.default for p in parameters}
