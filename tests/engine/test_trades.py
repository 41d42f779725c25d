"""Every trade: its steps against a builder that goes trade by trade, its map against the same path told as steps."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.engine import trade_steps
from liqlab.engine.grid import cell_of
from liqlab.engine.inputs import MAX_WHOLE, build_inputs, trade_inputs
from liqlab.engine.ledger import run_ledger
from liqlab.engine.records import Columns, Steps
from liqlab.market.market import Market
from liqlab.models import Assumptions, Bars, find
from tests.markets import oi

MINUTES, MODELS = 90, ("open_interest", "volume", "decay")


def trades(n: int = 3_000, seed: int = 0, minutes: int = MINUTES) -> pd.DataFrame:
    """Drawn trades, one by one, each minute traded."""
    rng = np.random.default_rng(seed)
    moment = np.sort(np.concatenate([np.arange(minutes) * 60_000, rng.integers(0, minutes * 60_000, n - minutes)]))
    index = pd.DatetimeIndex((1_714_521_600_000 + moment).astype("datetime64[ms]")).tz_localize("UTC")
    price = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 2e-4, n))), 1)
    table = {"price": price, "quantity": np.round(rng.exponential(0.5, n) + 0.001, 3), "taker_buy": rng.random(n) < 0.5}
    return pd.DataFrame(table, index=index.rename("time"))


def read(table: pd.DataFrame, **tables: Any) -> Market:
    """A market of 1m candles that are made of these trades."""
    return lq.read(trades=table, timeframe="1m", symbol="BTC/USDT:USDT", exchange="binanceusdm", **tables)


def interest(every: str) -> pd.DataFrame:
    count = int(pd.Timedelta(minutes=MINUTES) / pd.Timedelta(every))
    values = 1_000 + np.random.default_rng(3).normal(0, 40, count).cumsum()
    return oi(values.tolist(), every=every, start=pd.Timestamp("2024-05-01", tz="UTC"))


def told_as_steps(market: Market, raw: pd.DataFrame, assumptions: Assumptions) -> Steps:
    """The path of single trades as steps, in plain Python: runs of one cell and one side, candle by candle."""
    bars = Bars.of(market)
    flow = find(assumptions.model)(bars, **assumptions.options)
    rows: list[tuple[float, ...]] = []
    cell = [math.floor(math.log(price) / 5e-5) for price in raw["price"]]
    minute = raw.index.floor("1min")
    low, high = cell_of(market.candles["low"].to_numpy()), cell_of(market.candles["high"].to_numpy())
    for b, begin in enumerate(market.candles.index):
        runs: list[list[Any]] = []
        for k in np.flatnonzero(minute == begin):
            key, coins = (cell[k], bool(raw["taker_buy"].iloc[k])), float(raw["quantity"].iloc[k])
            if runs and runs[-1][0] == key:
                runs[-1][1].append(coins)
            else:
                runs.append([key, [coins]])
        sizes = [sum(coins) for _, coins in runs]
        bought = sum((x for (key, _), x in zip(runs, sizes, strict=True) if key[1]), 0.0)
        sold = sum((x for (key, _), x in zip(runs, sizes, strict=True) if not key[1]), 0.0)
        old, new, done = flow.open_interest[max(b - 1, 0)], flow.open_interest[b], 0.0
        late = np.zeros(2) if flow.late is None else flow.late[:, b]
        for number, (((c, buy), _), size) in enumerate(zip(runs, sizes, strict=True)):
            share = size / (bought + sold)
            done += share
            part = [(size / bought if buy else 0.0) if bought > 0 else share,
                    (0.0 if buy else size / sold) if sold > 0 else share]  # fmt: skip
            opened = [flow.opened[s, b] * part[s] for s in (0, 1)]
            target = new if number == len(runs) - 1 or np.isnan(old) else old + done * (new - old)
            if late.any():
                target = old
                for s in (0, 1):
                    own = (flow.opened[s, b] - late[s]) / flow.opened[s, b] if flow.opened[s, b] > 0 else 1.0
                    opened[s] *= own
            rows.append((c, *opened, target, 0.0 if flow.fade is None else flow.fade[b] * share, c, c))
        if late.any():
            since = slice(max(b + 1 - max(int(bars.candles_covered[b]), 1), 0), b + 1)
            rows.append((rows[-1][0], *late, new, 0.0, low[since].min(), high[since].max()))
    c, longs, shorts, target, fade, bottom, top = (np.array(column) for column in zip(*rows, strict=True))
    whole = np.zeros(len(c), np.int64)
    at = c.astype(np.int64)
    return Steps(at, at, bottom.astype(np.int64), top.astype(np.int64), np.stack([longs, shorts]), target, whole,
                 None if flow.fade is None else fade)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("every", ["", "1min", "15min"])
def test_the_map_of_trades_is_the_map_of_the_same_path_told_as_steps(
    model: str, every: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, also where the ledger runs over many small parts, and with an open interest that comes late."""
    monkeypatch.setattr(trade_steps, "PART", 100)
    raw = trades()
    market = read(raw, **({"open_interest": interest(every)} if every else {}))
    assumptions = Assumptions(model)
    steps = told_as_steps(market, raw, assumptions)
    inputs = build_inputs(market, assumptions)
    assert len(market.trades) < len(raw) and len(steps) == len(inputs.steps)
    for field in fields(Steps):
        np.testing.assert_array_equal(getattr(inputs.steps, field.name), getattr(steps, field.name), field.name)
    heat = lq.heatmap(market, model, time_step="5m")
    last = np.flatnonzero(np.diff(inputs.bar // 5, append=10**9))
    columns = Columns(last, np.zeros(len(last), np.int64), heat["price_edge"].values)
    record = run_ledger(steps, inputs.ladder, columns=columns, same_bar_share=assumptions.same_bar_share)
    np.testing.assert_array_equal(heat["notional"].transpose("side", "time", "price").values, record.notional)
    assert len(list(trade_inputs(market, assumptions).source.parts(MINUTES))) > 5


def test_every_way_of_asking_tells_of_the_same_ledger() -> None:
    """What takes all steps at once tells of the ledger that is run part by part: classes, sheet, coins liquidated."""
    market = read(trades())
    heat = lq.heatmap(market)
    apart = lq.heatmap(market, by_leverage=True)
    np.testing.assert_allclose(apart["notional"].sum("leverage"), heat["notional"], rtol=1e-9, atol=1e-6)
    sheet = lq.balance(market)
    assert (sheet[["liquidated"]].to_numpy() >= 0).all() and len(sheet) == len(market.candles)
    told = lq.expected_liquidations(market, unit="coins").sum().sum()
    assert told == pytest.approx(sheet["liquidated"].sum().sum())


def test_the_future_changes_nothing() -> None:
    market = read(trades(), open_interest=interest("15min"))
    whole = lq.heatmap(market, price_step=25.0, price_range=(50_000, 70_000))
    known = market.until(market.start + pd.Timedelta("37min"))
    early = lq.heatmap(known, price_step=25.0, price_range=(50_000, 70_000))
    assert len(known.candles) == 37
    np.testing.assert_array_equal(early["notional"].values, whole["notional"].values[:37])


def test_candles_whose_trades_are_not_all_there_stay_whole_and_are_counted() -> None:
    raw = trades()
    whole = read(raw)
    torn = raw[~((raw.index.minute == 30) & (raw.index.second < 40))]
    market = replace(whole, trades=torn[torn.index.minute != 29])
    with pytest.warns(UserWarning, match=r"in 2 of the candles .* do not add up"):
        heat = lq.heatmap(market)
    assert "87 of 90 candles from every trade" in heat.attrs["touch"]
    first, pieces = trade_inputs_of(market).source.first, build_inputs(replace(whole, trades=None), Assumptions())
    assert first[30] - first[29] == np.count_nonzero(pieces.bar == 29)


def trade_inputs_of(market: Market) -> Any:
    with pytest.warns(UserWarning, match="do not add up"):
        return trade_inputs(market, Assumptions())


def test_mark_prices_say_what_liquidates() -> None:
    """A mark price that never leaves the open touches nothing that trades alone would."""
    market = read(trades())
    still = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), market.candles["open"].iloc[0]),
                         index=market.candles.index)  # fmt: skip
    calm = lq.expected_liquidations(replace(market, mark_candles=still)).sum().sum()
    assert calm < lq.expected_liquidations(market).sum().sum()
    steps = build_inputs(replace(market, mark_candles=still), Assumptions()).steps
    assert len(set(steps.touch_low.tolist()) | set(steps.touch_high.tolist())) == 1


def test_what_cannot_be_is_said() -> None:
    market = read(trades())
    with pytest.raises(ValueError, match="assumes where in a candle positions open"):
        lq.heatmap(market, entries="vwap")
    with pytest.raises(ValueError, match="give one of them"):
        replace(market, path=market.candles)
    with pytest.raises(ValueError, match="knows no finer path"):
        lq.live(market)
    with pytest.raises(ValueError, match="none of the 90 candles has its own"):
        lq.heatmap(replace(market, trades=market.trades.assign(quantity=market.trades["quantity"] * 1000)))
    bad = market.trades
    for wrong, words in (
        (bad.assign(price=0.0), "prices are > 0"), (bad.assign(quantity=-1.0), "quantities are >= 0"),
        (bad.iloc[::-1], "sort by time"), (bad.drop(columns="taker_buy"), "lacks the column"),
        (bad.iloc[:0], "no rows"), (bad.reset_index(drop=True), "must hold times in UTC"),
        (bad.assign(price=np.nan), "must be finite"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            replace(market, trades=wrong)
    with pytest.raises(TypeError, match="taker_buy must be True or False"):
        replace(market, trades=bad.assign(taker_buy="buy"))


def test_too_many_steps_at_once_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from liqlab.engine import inputs

    monkeypatch.setattr(inputs, "MAX_WHOLE", 100)
    market = read(trades())
    assert lq.heatmap(market)["notional"].sum() > 0
    with pytest.raises(ValueError, match=r"needs every step at once.*at most 100 are held"):
        lq.expected_liquidations(market)
    assert MAX_WHOLE > 100
