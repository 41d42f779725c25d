"""The contract: names and signatures, a light import, rooms that know only what lies before them, house style."""

from __future__ import annotations

import inspect
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import liqlab as lq
from liqlab import models
from research import api_snapshot

PACKAGE = Path(lq.__file__).parent

# --- names and signatures: what users type ----------------------------------------------------------------------------

RECORDED = json.loads((Path(__file__).parent / "api.json").read_text(encoding="utf-8"))


def public() -> dict[str, Any]:
    """Every name a user may type, with what it stands for; the names of `plot` with their room before them."""
    found = {name: getattr(lq, name) for name in lq.__all__ if name != "plot"}
    return found | {f"plot.{name}": getattr(lq.plot, name) for name in lq.plot.__all__ if name != "SCALES"}


def test_what_is_recorded_has_not_changed() -> None:
    """A changed name, order, kind or default breaks somebody's notebook; `make api` records one that is meant."""
    now = api_snapshot.snapshot()
    for place, names in RECORDED.items():
        assert {name: now.get(place, {}).get(name) for name in names} == names, f"{place}: if it is meant, `make api`"


def test_the_front_door_is_recorded_whole() -> None:
    """It grows on purpose only. Elsewhere an addition breaks nobody's notebook, and the next `make api` records it."""
    place = api_snapshot.FRONT_DOOR
    assert api_snapshot.snapshot()[place] == RECORDED[place], "record a new name with `make api`"


def test_every_public_name_resolves_is_listed_and_comes_from_the_package() -> None:
    assert set(lq.__all__) <= set(dir(lq))
    for name, thing in public().items():
        assert thing.__module__.startswith("liqlab."), name
    with pytest.raises(AttributeError, match=r"liqlab has no 'heat_map'; it has: .*heatmap"):
        _ = lq.heat_map


def test_options_are_keyword_only() -> None:
    """At most three things are told by their place; what has a default and is no such thing is told by its name."""
    for name, thing in public().items():
        if inspect.isfunction(thing):
            by_place = [p for p in inspect.signature(thing).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
            assert len(by_place) <= 3, name


# --- a light import -------------------------------------------------------------------------------------------------

HEAVY = ["xarray", "numba", "hvplot", "holoviews", "bokeh", "panel", "ccxt", "papermill", "matplotlib", "scipy"]


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=PACKAGE.parent).stdout


@pytest.mark.parametrize(
    "use",
    [
        "None",
        "liqlab.liquidation_price(60_000, side='long', leverage=25)",
        "liqlab.load_example('btc-2024-05')",
        "dir(liqlab), liqlab.market.check_candles, liqlab.read, liqlab.law({10: 1})",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(use: str) -> None:
    code = f"import sys, json, liqlab; {use}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    assert json.loads(fresh(code)) == []


def test_importing_liqlab_costs_no_more_than_importing_pandas() -> None:
    """Medians of fresh processes, taken in turns; a busy machine gets three chances."""

    def seconds(module: str) -> float:
        return float(fresh(f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"))

    ratios = []
    for _ in range(3):
        pairs = [(seconds("liqlab, liqlab.market, liqlab.margin"), seconds("pandas")) for _ in range(5)]
        ours, pandas = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios.append(ours / pandas)
        if ratios[-1] <= 1.3:
            return
    raise AssertionError(f"import liqlab costs {ratios} times import pandas")


# --- order of arguments ----------------------------------------------------------------------------------------------

MAY_FOLLOW = {
    "market": {"model", "models", "heat", "sweeps", "observed", "times", "spans", "price"},
    "heat": {"at", "market", "path", "events", "expected"},
}


def every_function() -> dict[str, Any]:
    """Functions of the front door and of every room, by name."""
    rooms = [lq, *(getattr(lq, room) for room in lq._ROOMS)]
    found = {f"{room.__name__}.{name}": getattr(room, name) for room in rooms for name in getattr(room, "__all__", ())}
    return {name: thing for name, thing in found.items() if inspect.isfunction(thing)}


@pytest.mark.parametrize("name", every_function())
def test_the_order_of_arguments_is_one(name: str) -> None:
    """After a market its model or a second table, after a heatmap the moment or a second table; the rest by name."""
    parameters = inspect.signature(every_function()[name]).parameters
    first, *more = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD] or [""]
    if first in MAY_FOLLOW:
        assert set(more) <= MAY_FOLLOW[first]
    if first == "heat" and "at" in parameters:
        assert more[:1] in (["at"], ["market"], ["path"])  # a picture goes to a file


# --- house style ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, thing in public().items() if inspect.isfunction(thing)])
def test_public_functions_are_documented(name: str) -> None:
    """Parameters names each of them, and no other; Returns says what comes back."""
    function = public()[name]
    text = inspect.getdoc(function) or ""
    assert re.search(r"\n\nReturns\n-------\n\S", text)
    section = re.search(r"\n\nParameters\n----------\n(.*?)(?:\n\n\w+\n---|$)", text, re.DOTALL)
    heads = re.findall(r"^(?! )(.+?)(?: : |$)", section[1], re.MULTILINE) if section else []
    named = [parameter.strip(" *") for head in heads for parameter in head.split(",")]
    assert sorted(named) == sorted(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", models.names())
def test_models_state_idea_equation_assumptions_and_references(name: str) -> None:
    text = inspect.getdoc(models.find(name)) or ""
    for word in ("Idea:", "Equation:", "Parameters\n", "Returns\n", "Assumptions\n", "References\n"):
        assert word in text, f"{name}: no {word.strip()}"


def test_frozen_results_do_not_compare_arrays() -> None:
    """``==`` of tables would be an array; results are told apart by identity."""
    law = lq.law({10: 1.0})
    assert law == law
    assert law != lq.models.Law("own", law.leverage, law.long, law.short)
    with pytest.raises(AttributeError):
        law.name = "other"
    assert np.isclose(law.long.sum(), 1.0)
