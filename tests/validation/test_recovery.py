"""Recovery: how well variants of the map find positions that are known."""

from __future__ import annotations

import numpy as np
import pytest

import liqlab as lq
from liqlab.validation._recovery import VARIANTS, recovery


@pytest.fixture(scope="module")
def simulation() -> lq.Simulation:
    return lq.simulate(20, seed=5, positions_per_day=4000.0)


def test_a_better_law_finds_more(simulation: lq.Simulation) -> None:
    """The measured law beats equal shares by far, on both sides; every figure is a correlation."""
    table = recovery([simulation], {"measured": {}, "uniform": {"law": "uniform"}}, moments=6)
    assert list(table.columns) == ["long", "short", "mean", "lowest", "highest"]
    assert (table.loc["measured", ["long", "short"]] > table.loc["uniform", ["long", "short"]]).all()
    assert table.loc["measured", "mean"] > 0.5 and (table <= 1.0).all().all()
    np.testing.assert_allclose(table["mean"], table[["long", "short"]].mean(axis=1))
    assert (table["lowest"] == table["mean"]).all() and (table["highest"] == table["mean"]).all()  # of one market


def test_a_law_may_depend_on_the_market(simulation: lq.Simulation) -> None:
    """A function of the simulation as an option; the known law, put on the classes of a fit, is like any law."""
    known = VARIANTS["open_interest, law known"]["law"](simulation)
    one, two = recovery([simulation], {"a": {"law": lambda sim: known}, "b": {"law": known}}, moments=4).to_numpy()
    np.testing.assert_array_equal(one, two)
    fitted = VARIANTS["open_interest, law calibrated"]["law"](simulation)
    assert fitted.name == "calibrated" and np.array_equal(fitted.leverage, known.leverage)


def test_what_others_do_is_another_map(simulation: lq.Simulation) -> None:
    """Touch by the close only, and liquidation at bankruptcy, give other figures than the rule they leave out."""
    table = recovery([simulation], {"ours": {}, "close": {"touch": "close"}, "bare": {"maintenance": False}}, moments=4)
    assert table["mean"].nunique() == 3


def test_unknown_variants_explain_themselves(simulation: lq.Simulation) -> None:
    with pytest.raises(TypeError, match="has no option 'half_life'"):
        recovery([simulation], {"x": {"half_life": "1d"}})
    with pytest.raises(ValueError, match="touch must be 'range' or 'close', got 'mark'"):
        recovery([simulation], {"x": {"touch": "mark"}})
