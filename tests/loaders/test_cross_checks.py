"""Open interest against volume: what cannot be is refused, what should not be is warned of, the rest goes through."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from liqlab.loaders.cross_checks import check_turnover, turnover

HOURS = pd.date_range("2024-05-01", periods=200, freq="h", tz="UTC")
DRAW = np.random.default_rng(5)
VOLUME = DRAW.uniform(80, 120, 200)
CANDLES = pd.DataFrame({"volume": VOLUME}, index=HOURS)


def interest(share: float, index: pd.DatetimeIndex = HOURS) -> pd.DataFrame:
    """Open interest that moves by `share` of 100 coins from snapshot to snapshot, up and down."""
    return pd.DataFrame({"open_interest": 9_000 + 100 * share * (np.arange(len(index)) % 2)}, index=index)


@pytest.mark.parametrize("share", [0.04, 0.25, 0.75])
def test_what_can_be_goes_through(share: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_turnover(CANDLES, interest(share))


@pytest.mark.parametrize("factor", [100.0, 1 / 0.001, 60_000.0])
def test_another_unit_is_refused_with_the_numbers(factor: float) -> None:
    """Contracts of 0.01 or 0.001 coins, or money, for coins."""
    with pytest.raises(ValueError, match=r"of X moves .* in 199 of 199 steps .*median ([\d.e+]+), possible") as caught:
        check_turnover(CANDLES, interest(0.08 * factor), where=" of X")
    told = float(str(caught.value).partition("median ")[2].partition(",")[0])
    assert told == pytest.approx(0.08 * factor, rel=0.02)


def test_some_steps_are_warned_of_and_few_are_not() -> None:
    table = interest(0.1)
    table.iloc[10:200:16] += 500.0  # each stray is two steps
    with pytest.warns(UserWarning, match=r"in 24 of 199 steps"):
        check_turnover(CANDLES, table)
    table = interest(0.1)
    table.iloc[50] += 500.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_turnover(CANDLES, table)


def test_snapshots_finer_or_coarser_than_the_candles() -> None:
    """At the edges of candles only, and the volume is that of the whole time between them."""
    fine = pd.date_range(HOURS[0], HOURS[-1], freq="5min")
    table = turnover(CANDLES, interest(0.0, fine))
    assert table["volume"].tolist() == pytest.approx(VOLUME[:-1].tolist())
    coarse = turnover(CANDLES, interest(0.5, HOURS[::4]))
    assert coarse["volume"].tolist() == pytest.approx(VOLUME[:196].reshape(-1, 4).sum(axis=1).tolist())
    assert coarse["change"].tolist() == [50.0] * 49


def test_steps_with_missing_candles_are_left_out() -> None:
    holed = CANDLES.drop(CANDLES.index[50:60])
    assert len(turnover(holed, interest(0.5))) == 199 - 11
    assert len(turnover(holed, interest(0.5, HOURS[::4]))) == 49 - 3


def test_too_few_steps_show_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_turnover(CANDLES[:19], interest(50.0)[:19])
        check_turnover(CANDLES, interest(50.0).shift(freq="7min"))  # at no edge
