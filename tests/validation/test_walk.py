"""Walking forward: what the fit sees, what the model sees, and that a model which looks ahead is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import pytest

import liqlab as lq
from liqlab.market.market import Market
from liqlab.validation._baselines import adverse_excursion

QUICK = partial(lq.score, baselines=False, resamples=10)


@pytest.fixture(scope="module")
def market() -> Market:
    whole = lq.load_example("btc-2024-07")
    return Market(whole.candles.loc["2024-06-15":], whole.open_interest, liquidations=whole.liquidations,
                  symbol=whole.symbol, exchange=whole.exchange)  # fmt: skip


def honest(market: Market, *, power: float = 1.0) -> pd.DataFrame:
    """Adverse excursion × volume of the bar itself, complete at its close."""
    return adverse_excursion(market.candles).mul(market.candles["volume"] ** power, axis=0)


def next_bar(market: Market) -> pd.DataFrame:
    return honest(market).shift(-1, fill_value=0.0)


def whole_maximum(market: Market) -> pd.DataFrame:
    """Scaled by the largest amount of the whole history: looks ahead in every bar."""
    table = honest(market)
    return table / table.to_numpy().max()


def centred(market: Market) -> pd.DataFrame:
    return honest(market).rolling(3, center=True, min_periods=1).mean()


def reads_the_answer(market: Market) -> pd.DataFrame:
    assert market.liquidations is not None
    return market.liquidations.reindex(market.candles.index).fillna(0.0)


@pytest.mark.parametrize("cheat", [next_bar, whole_maximum, centred])
def test_a_model_that_looks_ahead_is_refused_with_bar_and_difference(cheat: Any, market: Market) -> None:
    with pytest.raises(ValueError, match=rf"'{cheat.__name__}' looks ahead: for the (long|short)s of the bar 2024-.*"
                                         r"but .* when the market is cut at 2024-.*\(difference [+-]"):  # fmt: skip
        lq.walk_forward(market, cheat, score=QUICK, checks=4)


def test_a_model_that_keeps_the_whole_market_for_itself_is_refused(market: Market) -> None:
    with pytest.raises(ValueError, match="looks ahead: it returned a row for"):
        lq.walk_forward(market, lambda _: honest(market), score=QUICK, checks=2)


def test_what_was_observed_in_the_test_is_hidden_from_the_model(market: Market) -> None:
    """A model that returns the answer where it can see it has nothing to return in the test."""
    walk = lq.walk_forward(market, reads_the_answer, score=QUICK, checks=2, folds=1)
    assert (walk.estimated == 0).all(axis=None) and (walk.observed > 0).any(axis=None)


@pytest.mark.parametrize("model", [honest, "open_interest", "volume"])
def test_an_honest_model_passes_and_is_scored_on_the_tests_alone(model: Any, market: Market) -> None:
    walk = lq.walk_forward(market, model, score=QUICK, checks=4, folds=2)
    assert walk.checks == 8 and len(walk.folds) == 2
    folds = walk.folds
    assert (folds["test_start"] - folds["train_end"] == pd.Timedelta("1D")).all()
    assert (folds["test_start"].iloc[1:].to_numpy() == folds["test_end"].iloc[:-1].to_numpy()).all()
    assert walk.estimated.index[0] == folds["test_start"].iloc[0] and folds["test_end"].iloc[-1] == market.end
    assert walk.estimated.index.equals(walk.observed.index) and not walk.estimated.index.has_duplicates
    assert folds["bars"].sum() == len(walk.estimated)
    assert folds[["spearman_long", "spearman_short"]].gt(0.6).all(axis=None)
    assert "no look-ahead in 8 cuts" in repr(walk)


def test_the_estimates_are_those_of_the_model(market: Market) -> None:
    walk = lq.walk_forward(market, "open_interest", score=QUICK, checks=0, folds=1, law="retail")
    direct = lq.expected_liquidations(market, law="retail", unit="coins").loc[walk.estimated.index]
    assert walk.estimated.to_numpy() == pytest.approx(direct.to_numpy(), rel=1e-12)


def test_the_fit_sees_the_training_alone_and_its_options_reach_the_model(market: Market) -> None:
    ends, powers = [], []

    def fit(train: Market) -> dict[str, float]:
        assert train.liquidations is not None and train.open_interest is not None
        assert max(train.liquidations.index[-1], train.candles.index[-1]) + pd.Timedelta("1h") <= train.end
        assert train.open_interest.index[-1] <= train.end
        ends.append(train.end)
        return {"power": len(ends) / 2}

    def model(market: Market, *, power: float) -> pd.DataFrame:
        powers.append(power)
        return honest(market, power=power)

    walk = lq.walk_forward(market, model, fit=fit, score=QUICK, checks=1, folds=2, embargo="12h")
    assert ends == walk.folds["train_end"].tolist() and sorted(set(powers)) == [0.5, 1.0]
    assert walk.folds["options"].tolist() == ["power=0.5", "power=1.0"]
    assert (walk.folds["test_start"] - walk.folds["train_end"] == pd.Timedelta("12h")).all()


def test_a_calibration_is_taken_as_it_is(market: Market) -> None:
    class Fitted:
        assumptions = lq.Assumptions("volume", law="uniform", same_bar_share=0.3)

    walk = lq.walk_forward(market, "volume", fit=lambda _: Fitted(), score=QUICK, checks=1, folds=1)
    assert walk.folds["options"].item() == "law=uniform, same_bar_share=0.3, share_of_volume=1.0"
    with pytest.raises(TypeError, match="fit must return a mapping of options, Assumptions or a calibration, got int"):
        lq.walk_forward(market, "open_interest", fit=lambda _: 3, score=QUICK)


def test_any_score_will_do(market: Market) -> None:
    walk = lq.walk_forward(market, honest, checks=0, folds=1, score=lambda e, o, **_: float(e.to_numpy().sum()))
    assert walk.scores == pytest.approx(walk.estimated.to_numpy().sum())


def test_what_cannot_be_walked_is_refused(market: Market) -> None:
    with pytest.raises(ValueError, match="market: walk_forward needs observed liquidations"):
        lq.walk_forward(Market(market.candles), "open_interest")
    with pytest.raises(ValueError, match=r"no model is called 'crystal_ball'; there are: .*open_interest"):
        lq.walk_forward(market, "crystal_ball")
    with pytest.raises(ValueError, match="use fewer folds, a smaller embargo or a longer market"):
        lq.walk_forward(market, "volume", folds=30)
    with pytest.raises(ValueError, match="folds must be >= 1, got 0"):
        lq.walk_forward(market, "volume", folds=0)
    with pytest.raises(ValueError, match="returned no row for 10 of"):
        lq.walk_forward(market, lambda m: honest(m).iloc[10:], score=QUICK)
    with pytest.raises(ValueError, match=r"what the model '<lambda>' returned: liquidations lacks the column"):
        lq.walk_forward(market, lambda m: honest(m)[["long"]], score=QUICK)
