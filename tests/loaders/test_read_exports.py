"""Exports of venues and vendors that were tried one after the other: read right, or refused with a way that works."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from liqlab.loaders import read
from liqlab.margin import liquidation_price, tiers_from_ccxt
from liqlab.market.instruments import contradiction, parse_symbol
from tests.loaders.tables import HOUR, OHLC, interest, market, ms

TABLE = market()
STAMPS = ms(TABLE)
COINS, TURNOVER = TABLE["volume"], TABLE["quote_volume"]
OPEN = interest(TABLE)["open_interest"]


def frame(time: str = "time", prices: str = "{}", stamps: Any = STAMPS, **columns: Any) -> pd.DataFrame:
    named = {prices.format(name): TABLE[name].to_numpy() for name in OHLC}
    return pd.DataFrame({time: stamps, **named, **{name: np.asarray(x) for name, x in columns.items()}})


def lists(make: Callable[[int, dict[str, float]], list[Any]]) -> list[list[Any]]:
    return [make(t, row) for t, row in zip(STAMPS, TABLE.to_dict("records"), strict=True)]


def clock(form: str) -> list[str]:
    return TABLE.index.strftime(form).tolist()


FLAT = TABLE[[*OHLC, "volume"]].rename(columns=str.capitalize)
CANDLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "Phemex": ({"code": 0, "data": {"rows": lists(lambda t, r: [
        t // 1000, 3600, repr(r["open"]), *(repr(r[name]) for name in OHLC), repr(r["volume"]),
        repr(r["quote_volume"]), "BTCUSDT"])}}, {}),
    "BitMEX, linear": (frame("timestamp", stamps=[t + HOUR for t in STAMPS], volume=COINS * 1e6,
                             turnover=TURNOVER * 1e6, homeNotional=COINS, foreignNotional=TURNOVER), {}),
    "BitMEX, inverse": (frame("timestamp", stamps=[t + HOUR for t in STAMPS], volume=TURNOVER, turnover=COINS * 1e8,
                              homeNotional=COINS, foreignNotional=TURNOVER), {"exchange": "bitmex"}),
    "Binance COIN-M": (frame("open_time", volume=TURNOVER / 100, close_time=[t + HOUR - 1 for t in STAMPS],
                             base_asset_volume=COINS, taker_buy_volume=TURNOVER / 200,
                             taker_buy_base_asset_volume=COINS / 2), {"symbol": "BTC/USD:BTC"}),
    "OKX, spot": (frame("ts", vol=COINS, volCcy=TURNOVER, volCcyQuote=TURNOVER).rename(
        columns={name: name[0] for name in OHLC}), {"exchange": "okx", "symbol": "BTC/USDT"}),
    "Amberdata": (frame("exchangeTimestamp", volume=COINS, volumeNotional=TURNOVER), {}),
    "CoinAPI": (frame("time_period_start", "price_{}", TABLE.index.astype(str), volume_traded=COINS), {}),
    "Bitfinex with a header": (frame("MTS", VOLUME=COINS).rename(columns=str.upper), {}),
    "Binance Vision since 2025": (frame("open_time", stamps=[t * 1000 for t in STAMPS], volume=COINS,
                                        close_time=[(t + HOUR) * 1000 - 1 for t in STAMPS], quote_volume=TURNOVER), {}),
    "MetaTrader": (frame("<TIME>", stamps=clock("%H:%M:%S"), volume=COINS).assign(**{"<DATE>": clock("%Y.%m.%d")}),
                   {"timezone": "UTC"}),
    "yfinance": (FLAT.set_axis(pd.MultiIndex.from_product([FLAT.columns, ["BTC-USD"]]), axis=1), {}),
    "Upbit": ([{"market": "USDT-BTC", "candle_date_time_utc": i.strftime("%Y-%m-%dT%H:%M:%S"),
                "candle_date_time_kst": (i + pd.Timedelta(9, "h")).strftime("%Y-%m-%dT%H:%M:%S"), "unit": 60,
                "opening_price": r["open"], "high_price": r["high"], "low_price": r["low"], "trade_price": r["close"],
                "timestamp": t + HOUR - 1000, "candle_acc_trade_price": r["quote_volume"],
                "candle_acc_trade_volume": r["volume"]}
               for i, t, r in zip(TABLE.index, STAMPS, TABLE.to_dict("records"), strict=True)], {}),
    "WOO": ({"success": True, "data": {"rows": [
        {**{name: r[name] for name in OHLC}, "volume": r["volume"], "amount": r["quote_volume"], "type": "1h",
         "symbol": "PERP_BTC_USDT", "start_timestamp": t, "end_timestamp": t + HOUR}
        for t, r in zip(STAMPS, TABLE.to_dict("records"), strict=True)][::-1]}}, {"symbol": "BTC/USDT:USDT"}),
    "in thousands": (frame(volume=[f"{x / 1000!r}K" for x in COINS.tolist()]), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CANDLES)
def test_candles(name: str) -> None:
    source, told = CANDLES[name]
    candles = read(source, **told).candles
    assert list(candles.index) == list(TABLE.index)
    np.testing.assert_allclose(candles[OHLC], TABLE[OHLC])
    np.testing.assert_allclose(candles["volume"], COINS)
    if "taker_buy_volume" in candles:
        np.testing.assert_allclose(candles["taker_buy_volume"], COINS / 2)


def test_an_index_written_without_its_name(tmp_path: Path) -> None:
    TABLE.rename_axis(None).to_csv(tmp_path / "x.csv")
    np.testing.assert_array_equal(read(tmp_path / "x.csv").candles["volume"], COINS)


def test_yahoo_counts_dollars() -> None:
    days = market(40, step="1D")
    source = days[OHLC].assign(adj_close=days["close"], volume=days["quote_volume"]).rename_axis("Date").reset_index()
    with pytest.warns(UserWarning, match="volume is in quote and was divided by the middle price"):
        found = read(source.rename(columns={"adj_close": "Adj Close"}))
    np.testing.assert_allclose(found.candles["volume"], days["volume"], rtol=5e-3)


def ticker(venue: str, symbol: str, amount: Any) -> pd.DataFrame:
    """Tardis' derivative_ticker: the venue's own amounts beside its name."""
    micros = [t * 1000 for t in STAMPS]
    return pd.DataFrame({"exchange": venue, "symbol": symbol, "timestamp": micros, "local_timestamp": micros,
                         "funding_rate": 1e-5, "open_interest": np.asarray(amount)})  # fmt: skip


INTEREST: dict[str, tuple[Any, dict[str, Any]]] = {
    "Tardis, Bybit": (ticker("bybit", "BTCUSDT", 2 * OPEN), {}),
    "Tardis, Deribit": (ticker("deribit", "BTC-PERPETUAL", OPEN * TABLE["open"]), {}),
    "Tardis, OKX": (ticker("okex-swap", "BTC-USDT-SWAP", OPEN / 0.01), {"contract_size": 0.01}),
    "Tardis, Binance": (ticker("binance-futures", "BTCUSDT", OPEN), {}),
    "Bybit, inverse": ({"retCode": 0, "result": {"symbol": "BTCUSD", "category": "inverse", "list": [
        {"openInterest": repr(2 * x * p), "timestamp": str(t)}
        for t, x, p in zip(STAMPS, OPEN.tolist(), TABLE["open"].tolist(), strict=True)][::-1]}}, {}),
    "Binance COIN-M": (pd.DataFrame({"timestamp": STAMPS, "pair": "BTCUSD", "contractType": "PERPETUAL",
                                     "sumOpenInterest": (OPEN * TABLE["open"] / 100).to_numpy(),
                                     "sumOpenInterestValue": OPEN.to_numpy()}),
                       {"units": {"open_interest": "contracts"}, "contract_size": 100, "symbol": "BTC/USD:BTC"}),
}  # fmt: skip


def analytics(data: Any) -> dict[str, Any]:
    """Kraken's: stamps in one list, values in another."""
    return {"result": {"timestamp": [t // 1000 for t in STAMPS], "more": False, "data": data}, "errors": []}


def test_krakens_analytics_are_read_once_their_unit_is_said() -> None:
    bars = analytics([[repr(x), repr(x * 1.01), repr(x * 0.99), repr(x)] for x in OPEN.tolist()])
    with pytest.raises(ValueError, match=r"coins or money; pass units=\{'open_interest': 'coins'\} or 'quote'"):
        read(TABLE, open_interest=bars, sides={"open_interest": "one"})
    found = read(TABLE, open_interest=bars, sides={"open_interest": "one"}, units={"open_interest": "coins"})
    np.testing.assert_allclose(found.open_interest["open_interest"], OPEN)  # type: ignore[index]
    with pytest.raises(ValueError, match="Found: timestamp, value"):
        read(TABLE, open_interest=analytics([repr(x) for x in OPEN.tolist()]))
    with pytest.raises(TypeError, match="got dict with result, errors, none of which is a list of rows"):
        read(TABLE, open_interest=analytics({"buy_volume": ["1"], "cvd": ["2"]}))


@pytest.mark.parametrize(("rows", "amount"), [("openInterestList", "size"), ("list", "openInterest")])
def test_what_is_open_now_takes_the_stamp_beside_it(rows: str, amount: str) -> None:
    now = {rows: [{"symbol": "BTCUSDT", amount: "80000.5"}], "ts": str(STAMPS[5] + 123)}
    found = read(TABLE, open_interest={"code": "00000", "requestTime": STAMPS[6], "data": now}, exchange="bitget",
                 sides={"open_interest": "one"}, symbol="BTC/USDT:USDT").open_interest  # fmt: skip
    assert found is not None and found["open_interest"].tolist() == [80000.5]
    assert found.index.tolist() == [pd.Timestamp(STAMPS[5] + 123, unit="ms", tz="UTC")]


def test_the_tiers_of_ccxt_become_a_table_as_told() -> None:
    rows = [{"tier": 1, "symbol": "BTC/USDT:USDT", "currency": "USDT", "minNotional": 0.0, "maxNotional": 2e5,
             "maintenanceMarginRate": 0.004, "maxLeverage": 125.0, "info": {"contractSize": 0.0001}}]  # fmt: skip
    with pytest.raises(ValueError, match=r"these are ccxt's tiers.*liqlab\.margin\.tiers_from_ccxt"):
        read(TABLE, leverage_tiers=rows)
    table = tiers_from_ccxt(rows, symbol="BTC/USDT:USDT", exchange="mexc", as_of="2024-05-01", contract_size=0.0001,
                            price=60_000)  # fmt: skip
    tiers = read(TABLE, leverage_tiers=table).leverage_tiers
    price = liquidation_price(60_000, side="long", leverage=50, quantity=5, exchange="mexc", symbol="BTC/USDT:USDT",
                              leverage_tiers=tiers)  # fmt: skip
    assert price == pytest.approx(59_040)


def test_candles_in_which_nothing_is_traded_are_said() -> None:
    with pytest.warns(UserWarning, match=r"volume is 0 in all 48 bars, .* rename it to volume"):
        read(TABLE[OHLC].assign(tickvol=7, volume=0.0))


@pytest.mark.filterwarnings("ignore:.*value ÷ open interest")
@pytest.mark.parametrize("name", INTEREST)
def test_open_interest(name: str) -> None:
    source, told = INTEREST[name]
    found = read(TABLE, open_interest=source, **told)
    np.testing.assert_allclose(found.open_interest["open_interest"], OPEN)  # type: ignore[index]
    assert "assumed" not in found.sources["open_interest"].get("sides", "")


def test_the_column_of_the_venue_is_heeded() -> None:
    one = ticker("bybit", "BTCUSDT", 2 * OPEN)
    with pytest.raises(ValueError, match=r"its column 'exchange' says 'bybit', but exchange says 'okx'"):
        read(TABLE, open_interest=one, exchange="okx")
    with pytest.raises(ValueError, match=r"rows of 2 venues, bybit, binance-futures; pass those of one"):
        read(TABLE, open_interest=pd.concat([one, ticker("binance-futures", "BTCUSDT", OPEN)]))


def test_rates_whose_header_says_per_cent() -> None:
    rates = pd.DataFrame({"Time": STAMPS[::8], "Funding Rate (%)": 0.01, "Funding Interval": "480m"})
    found = read(TABLE, funding_rate=rates).funding_rate
    assert found is not None and set(found["funding_rate"]) == {0.0001} and set(found["interval_hours"]) == {8.0}


FORCED = [{"e": "forceOrder", "E": 1, "o": {"s": "BTCUSDT", "S": side, "o": "LIMIT", "z": size, "ap": "60000",
                                           "T": STAMPS[row] + 9}}
          for row, side, size in ((4, "SELL", "0.5"), (6, "BUY", "0.25"))]  # fmt: skip
LIQUIDATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Binance's messages": (FORCED, {}),
    "flattened": (pd.DataFrame([row["o"] for row in FORCED]), {"exchange": "binanceusdm"}),  # type: ignore[index]
    "Bybit's message": ([{"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 1, "data": [
        {"T": STAMPS[4] + 9, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "60000"},
        {"T": STAMPS[6] + 9, "s": "BTCUSDT", "S": "Sell", "v": "0.25", "p": "60000"}]}], {"exchange": "bybit"}),
    "our own events": (pd.DataFrame({"time": [STAMPS[4], STAMPS[6]], "side": ["long", "short"],
                                     "price": 60_000.0, "quantity": [0.5, 0.25]}), {}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*liquidations covers")
@pytest.mark.parametrize("name", LIQUIDATIONS)
def test_single_liquidations(name: str) -> None:
    source, told = LIQUIDATIONS[name]
    found = read(TABLE, liquidations=source, symbol="BTC/USDT:USDT", **told).liquidations
    assert found is not None and found.to_numpy().tolist() == [[0.5, 0.0], [0.0, 0.0], [0.0, 0.25]]
    assert list(found.index) == list(TABLE.index[4:7])


def test_sides_of_orders_and_of_positions_are_not_confused() -> None:
    events = pd.DataFrame({"time": [STAMPS[4]], "side": ["sell"], "price": 60_000.0, "quantity": [0.5]})
    with pytest.raises(ValueError, match="long or short is understood, the side of the position"):
        read(TABLE, liquidations=events)


@pytest.mark.parametrize(
    ("symbol", "theirs", "exchange", "why"),
    [
        ("BTC/USDC:USDC", "BTCPERP", "bybit", ""), ("BTC/USDC:USDC", "BTC-PERP-INTX", "coinbase", ""),
        ("BTC/USD:BTC", "BTCUSD", "bybit", ""), ("BTC/USD:BTC", "BTC-USD", "htx", ""),
        ("BTC/USD:BTC-241227", "XBTZ24", "bitmex", ""), ("BTC/USD:BTC-241227", "BTC-27DEC24", "deribit", ""),
        ("BTC/USD:BTC-240927", "XBTZ24", "bitmex", "240927 against Z24"), ("BTC/USDT:USDT", "BTC-USDT:USDT", "", ""),
        ("BTC/USDT", "BTC-USDT", "htx", "spot against perpetual"),
        ("BTC/USD:USD", "BTCUSD", "bybit", "USD against BTC"),
    ],
)  # fmt: skip
def test_spellings(symbol: str, theirs: str, exchange: str, why: str) -> None:
    assert contradiction(parse_symbol(symbol, exchange), parse_symbol(theirs, exchange)) == why


@pytest.mark.parametrize(("exchange", "near"), [("huobi", "htx"), ("okex", "okx"), ("binance futures", "binance")])
def test_old_and_spoken_names_of_venues(exchange: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"'{exchange}' is not known; did you mean .*'{near}'"):
        read(TABLE, exchange=exchange)


def test_a_wrong_price_is_said() -> None:
    wick = TABLE.assign(high=TABLE["high"].where(np.arange(48) != 20, TABLE["high"] * 10))
    with pytest.warns(UserWarning, match=r"the bar at 2024-05-01 20:00.* more than a factor of 3 \(1 such bar"):
        read(wick)
    later = TABLE[OHLC].div(np.where(np.arange(48) < 24, 1, 100), axis=0).assign(volume=COINS)
    with pytest.warns(UserWarning, match=r"the bar at 2024-05-02 00:00.* after a close of .* \(1 such bar"):
        read(later)


def test_bars_of_two_lengths_are_said() -> None:
    longer = market(24, step="4h", start="2024-05-03")
    with pytest.warns(UserWarning, match=r"23 gap\(s\).* from 2024-05-03 00:00.* on 24 rows are 4h apart: if these"):
        read(pd.concat([TABLE, longer]))


def test_open_interest_that_is_not_updated_is_said() -> None:
    stuck = interest(TABLE)
    stuck.iloc[10:] = stuck.iloc[10]
    with pytest.warns(UserWarning, match=r"in 38 rows from 2024-05-01 10:00.*coins were traded: it was not updated"):
        read(TABLE, open_interest=stuck)


def test_a_reply_without_a_known_order_is_refused_for_what_it_is() -> None:
    with pytest.raises(ValueError, match="without column names, 4 column"):
        read({"code": 0, "data": {"rows": [[1714521600, 1, 2, 3]] * 30}})


@pytest.mark.parametrize(("zone", "date"), [("Time(UTC)", "%Y-%m-%d %H:%M:%S"), ("Date (UTC)", "%Y-%m-%d %H:%M")])
def test_times_whose_column_says_utc(zone: str, date: str, tmp_path: Path) -> None:
    """Bybit's funding as its site exports it: per cent with signs, times as text, the zone in the header."""
    times = pd.date_range("2025-03-03", periods=3, freq="8h").strftime(date)
    table = pd.DataFrame({"Contracts": "BTCUSDT", zone: times, "Interval": "8h",
                          "Funding Rate": ["0.0100%", "-0.0042%", "0.0036%"]})  # fmt: skip
    table[::-1].to_csv(tmp_path / "funding.csv", index=False)
    hours = pd.date_range("2025-03-03", periods=24, freq="1h", tz="UTC", name="time")
    candles = pd.DataFrame({"open": 9e4, "high": 9e4, "low": 9e4, "close": 9e4, "volume": 1.0}, hours)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*sorted by time")
        found = read(candles, funding_rate=tmp_path / "funding.csv", symbol="BTC/USDT:USDT", exchange="bybit")
    rates = found.funding_rate
    assert rates is not None
    assert rates["funding_rate"].tolist() == pytest.approx([1e-4, -4.2e-5, 3.6e-5])
    assert set(rates["interval_hours"]) == {8.0} and str(rates.index[1]) == "2025-03-03 08:00:00+00:00"


def test_a_bitcoin_in_cents_is_refused() -> None:
    hours = pd.date_range("2025-03-03", periods=24, freq="1h", tz="UTC", name="time")
    candles = pd.DataFrame({"open": 9e6, "high": 9e6, "low": 9e6, "close": 9e6, "volume": 1.0}, hours)
    with pytest.raises(ValueError, match=r"more than any coin has ever cost.*divide the prices"):
        read(candles, symbol="BTC/USDT:USDT", exchange="bybit")
