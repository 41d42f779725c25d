"""Tables of one market against each other: what cannot belong together is refused or said, with the numbers."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from liqlab.loaders import read
from tests.loaders.tables import OHLC, interest, market, rows

N = 240


def test_a_right_market_passes_in_silence() -> None:
    table = market(N)
    seen = pd.DataFrame({"long": table["volume"] * 0.02, "short": table["volume"] * 0.01})
    read(table, open_interest=interest(table), liquidations=seen, mark_candles=table * 1.001, path=table,
         funding_rate=pd.DataFrame({"funding_rate": 1e-4}, table.index[::8]), symbol="BTC/USDT:USDT",
         exchange="binanceusdm")  # fmt: skip


@pytest.mark.parametrize("name", ["open_interest", "liquidations", "funding_rate", "mark_candles", "path"])
def test_other_dates_are_refused(name: str) -> None:
    table = market(N)
    made: dict[str, Any] = {
        "open_interest": interest(table),
        "liquidations": pd.DataFrame({"long": 1.0, "short": 1.0}, table.index),
        "funding_rate": pd.DataFrame({"funding_rate": 1e-4}, table.index),
    }
    other = made.get(name, table.copy())
    other.index = other.index - pd.Timedelta("90D")
    with pytest.raises(ValueError, match=rf"{name} runs from 2024-02-01 00:00 .* they have no time in common"):
        read(table, **{name: other})


def test_a_table_that_ends_long_before_is_said_and_noted() -> None:
    table = market(N)
    with pytest.warns(UserWarning, match=r"open_interest covers .*it ends 4 days .* before them"):
        found = read(table, open_interest=interest(table)[: N - 4 * 24 - 12])
    assert "covers a part: ends 4 days" in found.sources["open_interest"]["note"]
    with pytest.warns(UserWarning, match=r"begins 3 days .* after them"):
        read(table, open_interest=interest(table)[72:])


def test_open_interest_in_dollars_or_contracts_is_refused() -> None:
    table = market(N)
    coins = interest(table)
    dollars = coins.mul(table["open"], axis=0)
    for wrong in (dollars, coins * 1e4, coins * 1000):
        with pytest.raises(ValueError, match=r"open.*units=\{'open_interest'"):
            read(table, open_interest=wrong)
    found = read(table, open_interest=dollars, units={"open_interest": "quote"})
    np.testing.assert_allclose(found.open_interest, coins)
    found = read(table, open_interest=coins * 1e4, units={"open_interest": "contracts"}, contract_size=1e-4)
    np.testing.assert_allclose(found.open_interest, coins)


def test_dollars_of_a_cheap_coin_give_themselves_away_by_moving_with_the_price() -> None:
    table = market(2000, price=0.5)
    quiet = interest(table, 5e5) * 0 + 5e5 + 100 * np.random.default_rng(1).normal(size=(2000, 1))
    with pytest.warns(UserWarning, match=r"open interest moves .* % for 1 % of price .*units="):
        read(table.assign(volume=table["volume"] * 100, quote_volume=table["quote_volume"] * 100),
             open_interest=quiet.mul(table["open"], axis=0))  # fmt: skip


def test_one_value_a_thousandfold_is_refused_with_its_neighbours() -> None:
    table = market(N)
    for row in (0, 100, N - 1):
        wrong, stamp = interest(table), re.escape(str(table.index[row]))
        wrong.iloc[row] *= 1000
        with pytest.raises(ValueError, match=rf"open interest at {stamp} .* times as much \(1 such row"):
            read(table, open_interest=wrong)
    opening = interest(table)  # a listing: nothing at first, then many times as much, and it stays
    opening.iloc[:5] = [[1.0], [2.0], [90.0], [900.0], [8000.0]]
    read(table.assign(volume=table["volume"] * 100, quote_volume=table["quote_volume"] * 100), open_interest=opening)


def test_no_bar_liquidates_more_than_it_traded() -> None:
    table = market(N)
    dollars = pd.DataFrame({"long": 50_000.0, "short": 0.0}, table.index)
    with pytest.raises(ValueError, match=r"more than the .* coins traded in and beside that bar \(240 of 240 bars\)"):
        read(table, liquidations=dollars)
    found = read(table, liquidations=dollars, units={"liquidations": "quote"}).liquidations
    np.testing.assert_allclose(found["long"], 50_000 / table[["high", "low", "close"]].mean(axis=1))


def test_all_bars_together_liquidate_no_more_than_they_traded() -> None:
    """Half as much again in every bar hides behind the bars beside it, each of which is there once."""
    table = market(N).assign(volume=500.0).drop(columns="quote_volume")
    share = pd.DataFrame({"long": table["volume"], "short": 0.0})
    with pytest.raises(
        ValueError, match=r"coins are liquidated in 240 bars where .* were traded: they are not in coins"
    ):
        read(table, liquidations=share * 1.5)
    with pytest.warns(
        UserWarning, match=r"in 240 bars where .* \(usual: about a thousandth\); if they are not in coins"
    ):
        read(table, liquidations=share * 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(table, liquidations=share * 0.001)


def test_more_coins_than_there_are() -> None:
    table = market(N)
    contracts = rows(table.assign(volume=table["volume"] * 1e4), *OHLC, "volume")
    with pytest.raises(ValueError, match=r"volume a day of .* coins is more than there is of BTC"):
        read(contracts, symbol="BTC/USDT:USDT")
    with pytest.raises(ValueError, match=r"would be .* quote, more than all venues together"):
        read(contracts)
    np.testing.assert_allclose(
        read(contracts, units={"volume": "contracts"}, contract_size=1e-4).candles["volume"], table["volume"]
    )


def test_mark_prices_of_another_coin() -> None:
    table = market(N)
    for name in ("mark_candles", "path"):
        with pytest.raises(ValueError, match=rf"prices of {name} are 0\.05 times those of the candles"):
            read(table, **{name: market(N, price=3_000.0)})


def test_open_interest_of_another_coin_shows_without_a_symbol() -> None:
    table = market(N)
    for factor, turns in ((1 / 300, "39"), (20, "0.0065")):  # of a dearer coin, of a cheaper one
        other = interest(table) * factor
        if factor > 1:
            other = other.iloc[[0, *range(0, N, 120), N - 1]].drop_duplicates()  # too few to be refuted by their moves
        with pytest.warns(
            UserWarning, match=rf"coins are open, .* {turns}.* turns a day .*pass the table that belongs"
        ):
            read(table, open_interest=other)


def test_open_interest_that_takes_too_much_of_the_volume_is_warned_of() -> None:
    table = market(N)
    moves = table["volume"].to_numpy() * np.where(np.arange(N) % 2, -0.3, 0.3)
    other = pd.DataFrame({"open_interest": 80_000 + np.cumsum(moves)}, table.index)
    with pytest.warns(UserWarning, match=r"changes by 0.31 of what is traded"):
        read(table, open_interest=other)


def test_tables_of_two_instruments() -> None:
    table = market(N).assign(symbol="BTCUSDT")
    for symbol, why in (("ETHUSDT", "BTC against ETH"), ("BTCUSDC", "USDT against USDC")):
        with pytest.raises(ValueError, match=f"open_interest is of {symbol}, but candles of BTCUSDT .{why}"):
            read(table, open_interest=interest(table).assign(symbol=symbol))
    read(table, open_interest=interest(table).assign(symbol="BTC-USDT-SWAP"))


@pytest.mark.parametrize(("exchange", "near"), [("binanceusmd", "binanceusdm"), ("ByBit", "bybit"), ("okex", "okx")])
def test_a_misspelt_exchange(exchange: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"exchange '{exchange}' is not known; did you mean .*'{near}'"):
        read(market(N), exchange=exchange)


def test_what_lies_beside_may_be_shorter_where_the_candles_stand_in() -> None:
    table = market(N)
    read(table, path=table[:20], mark_candles=table[:20])
