"""Layouts of tools and venues, as they write them: each market is written anew here and must come back."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from liqlab.loaders import read
from tests.loaders.tables import OHLC, arranged, interest, market, ms

N = 48
CCXT = {"open": "open", "high": "high", "low": "low", "close": "close"}


def _contracts(size: float) -> Any:
    return lambda t, row: repr(row["volume"] / size)


def _coins(t: int, row: dict[str, float]) -> str:
    return repr(row["volume"])


def _text(value: int) -> Any:
    return lambda t, row: str(value)


# name → (venue, rows newest first, wrapped)
REPLIES: dict[str, tuple[str, Any, Any]] = {
    "Bybit": ("bybit", lambda x: arranged(x, "t o h l c v q"),
              lambda r: {"retCode": 0, "retMsg": "OK", "result": {"symbol": "BTCUSDT", "category": "linear", "list": r},
                         "retExtInfo": {}, "time": 1}),
    "Bybit inverse": ("bybit", lambda x: arranged(x.assign(volume=x["quote_volume"], quote_volume=x["volume"]),
                                                  "t o h l c v q"),
                      lambda r: {"retCode": 0, "result": {"symbol": "BTCUSD", "category": "inverse", "list": r}}),
    "OKX": ("okx", lambda x: arranged(x, "t o h l c V E q 1", V=_contracts(0.01), E=_coins, **{"1": _text(1)}),
            lambda r: {"code": "0", "msg": "", "data": r}),
    "OKX spot": ("okx", lambda x: arranged(x, "t o h l c v q q 1", **{"1": _text(1)}),
                 lambda r: {"code": "0", "msg": "", "data": r}),
    "OKX inverse": ("okx", lambda x: arranged(x.assign(q100=x["quote_volume"] / 100), "t o h l c V E q 1",
                                              V=lambda t, row: repr(row["q100"]), E=_coins, **{"1": _text(1)}),
                    lambda r: {"code": "0", "msg": "", "data": r}),
    "KuCoin": ("kucoin", lambda x: arranged(x, "s o c h l v q", s=lambda t, row: str(t // 1000)),
               lambda r: {"code": "200000", "data": r}),
    "Bitget": ("bitget", lambda x: arranged(x, "t o h l c v q"),
               lambda r: {"code": "00000", "msg": "success", "requestTime": 1, "data": r}),
    "Kraken": ("kraken", lambda x: arranged(x, "s o h l c m v n", s=lambda t, row: t // 1000,
                                            m=lambda t, row: repr(row["quote_volume"] / row["volume"]),
                                            n=lambda t, row: int(row["trades"])),
               lambda r: {"error": [], "result": {"XXBTZUSD": r[::-1], "last": 1}}),
    "MEXC": ("mexc", lambda x: arranged(x, "t o h l c v T q", T=lambda t, row: t + 3_599_999), lambda r: {"data": r}),
    "Gate spot": ("gate", lambda x: arranged(x, "s q c h l o v f", s=lambda t, row: str(t // 1000), f=_text(1)),
                  lambda r: {"data": r}),
    "Bitfinex": ("bitfinex", lambda x: arranged(x, "t o c h l v"), lambda r: {"data": r}),
    "Coinbase": ("coinbase", lambda x: arranged(x, "s l h o c v", s=lambda t, row: t // 1000), lambda r: {"data": r}),
}  # fmt: skip


@pytest.mark.parametrize("way", ["reply", "file", "list", "list and venue"])
@pytest.mark.parametrize("name", REPLIES)
def test_venues_replies(name: str, way: str, tmp_path: Path) -> None:
    """The whole reply in memory or as a file, and its list alone where the numbers leave one order."""
    venue, make, wrap = REPLIES[name]
    table = market(N)
    found: list[Any] = make(table)[::-1]  # newest first
    source: Any = wrap(found) if way in ("reply", "file") else found
    if way == "file":
        source = tmp_path / "x.json"
        source.write_text(json.dumps(wrap(found)))
    told = {"exchange": venue} if way == "list and venue" else {}
    if name.startswith("Gate spot"):
        told |= {"symbol": "BTC/USDT"}
    candles = read(source, **told).candles
    assert list(candles.index) == list(table.index)
    np.testing.assert_array_equal(candles[OHLC], table[OHLC])
    np.testing.assert_allclose(candles["volume"], table["volume"])
    if "quote_volume" in candles:
        np.testing.assert_allclose(candles["quote_volume"], table["quote_volume"])


NAMED: dict[str, Any] = {
    "Hyperliquid": lambda x: [
        {"t": t, "T": t + 3_599_999, "s": "BTC", "i": "1h", "o": repr(r["open"]), "c": repr(r["close"]),
         "h": repr(r["high"]), "l": repr(r["low"]), "v": repr(r["volume"]), "n": int(r["trades"])}
        for t, r in zip(ms(x), x.to_dict("records"), strict=True)],
    "Binance stream": lambda x: [
        {"t": t, "T": t + 3_599_999, "s": "BTCUSDT", "i": "1h", "f": 1, "L": 2, "o": repr(r["open"]),
         "c": repr(r["close"]), "h": repr(r["high"]), "l": repr(r["low"]), "v": repr(r["volume"]), "n": 5, "x": True,
         "q": repr(r["quote_volume"]), "V": repr(r["volume"] / 2), "Q": repr(r["quote_volume"] / 2), "B": "0"}
        for t, r in zip(ms(x), x.to_dict("records"), strict=True)],
    "HTX": lambda x: {"ch": "market.BTC-USDT.kline.60min", "status": "ok", "ts": 1, "data": [
        {"id": t // 1000, "open": r["open"], "close": r["close"], "low": r["low"], "high": r["high"],
         "amount": r["volume"], "vol": r["quote_volume"], "count": 7}
        for t, r in zip(ms(x), x.to_dict("records"), strict=True)]},
    "MEXC contract": lambda x: {"success": True, "code": 0, "data": {
        "time": [t // 1000 for t in ms(x)], **{n: x[n].tolist() for n in OHLC},
        "vol": (x["volume"] / 0.0001).tolist(), "amount": x["quote_volume"].tolist()}},
    "Deribit": lambda x: {"jsonrpc": "2.0", "result": {
        "ticks": ms(x), **{n: x[n].tolist() for n in OHLC}, "volume": x["volume"].tolist(),
        "cost": x["quote_volume"].tolist(), "status": "ok"}},
    "Gate futures": lambda x: [
        {"t": t // 1000, "v": r["volume"] / 0.0001, "c": repr(r["close"]), "h": repr(r["high"]), "l": repr(r["low"]),
         "o": repr(r["open"]), "sum": repr(r["quote_volume"])}
        for t, r in zip(ms(x), x.to_dict("records"), strict=True)],
    "Kraken futures": lambda x: {"candles": [
        {"time": t, **{n: repr(r[n]) for n in OHLC}, "volume": repr(r["volume"])}
        for t, r in zip(ms(x), x.to_dict("records"), strict=True)], "more_candles": False},
    "dYdX": lambda x: {"candles": [
        {"startedAt": pd.Timestamp(t, unit="ms").strftime("%Y-%m-%dT%H:%M:%S.000Z"), "ticker": "BTC-USD",
         "resolution": "1HOUR", **{n: repr(r[n]) for n in OHLC}, "baseTokenVolume": repr(r["volume"]), "trades": 5,
         "usdVolume": repr(r["quote_volume"]), "startingOpenInterest": "1"}
        for t, r in zip(ms(x), x.to_dict("records"), strict=True)]},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*multiplied by 0.0001")
@pytest.mark.parametrize("name", NAMED)
def test_replies_with_names(name: str) -> None:
    table = market(N)
    candles = read(NAMED[name](table)).candles
    assert list(candles.index) == list(table.index)
    np.testing.assert_array_equal(candles[OHLC], table[OHLC])
    np.testing.assert_allclose(candles["volume"], table["volume"])
    if name == "Binance stream":
        np.testing.assert_allclose(candles["taker_buy_volume"], table["volume"] / 2)


def test_a_list_that_few_rows_leave_open_names_the_way_and_the_way_works() -> None:
    table = market(8)
    found = arranged(table, "t o h l c v q")
    with pytest.raises(ValueError, match=r"8 row\(s\) of 7 columns without names can be Bybit .*pass exchange='bybit'"):
        read(found)
    np.testing.assert_array_equal(read(found, exchange="bybit").candles["volume"], table["volume"])
    named = pd.DataFrame(found, columns=["time", *OHLC, "volume", "turnover"])
    np.testing.assert_array_equal(read(named).candles["volume"], table["volume"])


def test_rows_that_no_order_explains_are_refused() -> None:
    table = market(N)
    found = arranged(table.assign(quote_volume=np.arange(N) + 0.5), "t o h l c v q")
    with pytest.raises(ValueError, match=r"none of the known orders fits.*add a header"):
        read(found)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"retCode": 10001, "retMsg": "params error", "result": {}}, "holds an object with retCode, retMsg, result"),
        ({"code": "0", "msg": "", "data": []}, r"holds no rows \(an empty list\); is the range right"),
        ({"a": [[1, 2]], "b": [[1, 2]]}, "holds 2 tables: a, b; pass one of these lists alone"),
    ],
)
def test_replies_without_a_table(reply: Any, message: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(reply))
    with pytest.raises(ValueError, match=message):
        read(file)


# --- files of tools ---------------------------------------------------------------------------------------------------


def _file(folder: Path, text: str, name: str = "x.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("first", ["https://www.CryptoDataDownload.com\n", "# exported\n", ""])
@pytest.mark.parametrize("unix", ["Unix", "unix", "Unix Timestamp"])
def test_cryptodatadownload(first: str, unix: str, tmp_path: Path) -> None:
    table = market(N)
    frame = pd.DataFrame({unix: ms(table), "Date": table.index.strftime("%Y-%m-%d %H:%M:%S"), "Symbol": "BTC/USDT",
                          **{name.capitalize(): table[name].to_numpy() for name in OHLC},
                          "Volume BTC": table["volume"].to_numpy(), "Volume USDT": table["quote_volume"].to_numpy(),
                          "tradecount": 5})[::-1]  # fmt: skip
    file = _file(tmp_path, first + frame.to_csv(index=False))
    with pytest.warns(UserWarning, match="sorted by time"):
        candles = read(file, symbol="BTC/USDT").candles
    np.testing.assert_array_equal(candles["volume"], table["volume"])
    np.testing.assert_array_equal(candles["quote_volume"], table["quote_volume"])
    with pytest.raises(ValueError, match=r"no row is of BTC/USDT:USDT.*spot|perpetual"):
        read(file, symbol="BTC/USDT:USDT")


@pytest.mark.parametrize("columns", [7, 8])
def test_kraken_archive_without_a_header(columns: int, tmp_path: Path) -> None:
    table = market(N)
    mark = "s o h l c v n" if columns == 7 else "s o h l c m v n"
    found = arranged(table, mark, s=lambda t, row: t // 1000, n=lambda t, row: int(row["trades"]),
                     m=lambda t, row: repr(row["quote_volume"] / row["volume"]))  # fmt: skip
    text = "\n".join(",".join(map(str, row)) for row in found) + "\n"
    candles = read(_file(tmp_path, text, "XBTUSD_60.csv")).candles
    np.testing.assert_array_equal(candles[["volume", "trades"]], table[["volume", "trades"]])


def test_okx_archive() -> None:
    table = market(N)
    frame = pd.DataFrame({"instrument_name": "BTC-USDT-SWAP", **{name: table[name].to_numpy() for name in OHLC},
                          "vol": table["volume"].to_numpy() / 0.01, "vol_ccy": table["volume"].to_numpy(),
                          "vol_quote": table["quote_volume"].to_numpy(), "open_time": ms(table)})  # fmt: skip
    for told in ({}, {"exchange": "okx", "symbol": "BTC/USDT:USDT"}):
        found = read(frame, **told)
        np.testing.assert_array_equal(found.candles["volume"], table["volume"])
        assert "counts coins" in found.sources["candles"]["note"]
    with pytest.raises(ValueError, match=r"no row is of BTC/USDT; .*BTC-USDT-SWAP \(spot against perpetual\)"):
        read(frame, symbol="BTC/USDT")


def test_python_binance_frames() -> None:
    table = market(N)
    frame = pd.DataFrame({"timestamp": ms(table), **{name: table[name].to_numpy() for name in [*OHLC, "volume"]},
                          "close_time": [t + 3_599_999 for t in ms(table)],
                          "quote_av": table["quote_volume"].to_numpy(), "trades": 5,
                          "tb_base_av": table["volume"].to_numpy() / 3,
                          "tb_quote_av": table["quote_volume"].to_numpy() / 3, "ignore": 0})  # fmt: skip
    candles = read(frame).candles
    np.testing.assert_array_equal(candles["taker_buy_volume"], table["volume"] / 3)
    np.testing.assert_array_equal(candles["quote_volume"], table["quote_volume"])
    assert "taker_buy_quote_volume" in candles


def test_tradingview_with_doubled_plots(tmp_path: Path) -> None:
    table = market(N)
    lines = ["time,open,high,low,close,Plot,Plot,Volume,Volume MA,Plot"]
    for t, row in zip(ms(table), table.to_dict("records"), strict=True):
        lines.append(",".join([str(t // 1000), *(repr(row[name]) for name in OHLC), "0", "1", repr(row["volume"]),
                               "3", "2"]))  # fmt: skip
    candles = read(_file(tmp_path, "\n".join(lines) + "\n")).candles
    np.testing.assert_array_equal(candles["volume"], table["volume"])
    with pytest.raises(ValueError, match=r"the column 'close' stands twice"):
        read(_file(tmp_path, "\n".join([lines[0].replace("Plot,Plot", "Close,Plot"), *lines[1:]]) + "\n"))


# --- funding ----------------------------------------------------------------------------------------------------------

RATES = np.linspace(-2e-4, 3e-4, 12)


def _eights() -> Any:
    return pd.date_range("2024-05-01", periods=12, freq="8h", tz="UTC")


def _each(**columns: Any) -> list[dict[str, Any]]:
    return [{name: make(t, rate) for name, make in columns.items()} for t, rate in zip(_eights(), RATES, strict=True)]


def _ms(t: Any, rate: float) -> int:
    return int(t.timestamp() * 1000)


def _rate(t: Any, rate: float) -> str:
    return repr(float(rate))


FUNDING: dict[str, tuple[Any, float | None]] = {
    "freqtrade": (lambda: pd.DataFrame({"date": _eights(), "open": RATES, "high": 0.0, "low": 0.0, "close": 0.0,
                                        "volume": 0.0}), None),
    "Bybit": (lambda: {"retCode": 0, "result": {"category": "linear", "list": _each(
        symbol=lambda t, r: "BTCUSDT", fundingRate=_rate, fundingRateTimestamp=_ms)[::-1]}}, None),
    "OKX": (lambda: {"code": "0", "data": _each(instId=lambda t, r: "BTC-USDT-SWAP", fundingTime=_ms,
                                               fundingRate=lambda t, r: "1", realizedRate=_rate)[::-1]}, None),
    "Gate": (lambda: _each(t=lambda t, r: int(t.timestamp()), r=_rate), None),
    "Hyperliquid": (lambda: _each(coin=lambda t, r: "BTC", fundingRate=_rate, premium=_rate, time=_ms), None),
    "Kraken futures": (lambda: {"rates": _each(timestamp=lambda t, r: t.isoformat(), fundingRate=lambda t, r: r * 6e4,
                                              relativeFundingRate=lambda t, r: r)}, 1.0),
    "Deribit": (lambda: {"result": _each(timestamp=_ms, index_price=lambda t, r: 6e4, interest_1h=lambda t, r: r,
                                         interest_8h=lambda t, r: 8 * r)}, 1.0),
    "Deribit, eight hours": (lambda: _each(timestamp=_ms, interest_8h=lambda t, r: r), 8.0),
    "BitMEX": (lambda: _each(timestamp=lambda t, r: t.isoformat(), symbol=lambda t, r: "XBTUSD",
                             fundingInterval=lambda t, r: "2000-01-01T08:00:00.000Z", fundingRate=lambda t, r: r,
                             fundingRateDaily=lambda t, r: 3 * r), 8.0),
    "MEXC": (lambda: {"data": {"resultList": _each(symbol=lambda t, r: "BTC_USDT", fundingRate=_rate, settleTime=_ms,
                                                  collectCycle=lambda t, r: 8)}}, 8.0),
    "dYdX": (lambda: {"historicalFunding": _each(ticker=lambda t, r: "BTC-USD", rate=_rate,
                                                 effectiveAt=lambda t, r: t.isoformat())}, None),
    "per cent": (lambda: pd.DataFrame({"time": _eights(), "funding_rate": [f"{100 * r:.12f}%" for r in RATES]}), None),
    "minutes": (lambda: pd.DataFrame({"time": _eights(), "funding_rate": RATES, "funding_interval": 480}), 8.0),
    "seconds": (lambda: _each(symbol=lambda t, r: ".BTCFR8H", fundingTime=_ms, fundingRate=_rate,
                              intervalSeconds=lambda t, r: 28_800), 8.0),
    "milliseconds": (lambda: _each(timepoint=_ms, fundingRate=_rate, granularity=lambda t, r: 28_800_000), 8.0),
    "Coinbase International": (lambda: _each(event_time=lambda t, r: t.isoformat(), funding_rate=_rate), None),
    "hours in words": (lambda: pd.DataFrame({"time": _eights(), "funding_rate": RATES, "interval": "8h"}), 8.0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*sorted by time")
@pytest.mark.parametrize("name", FUNDING)
def test_funding(name: str) -> None:
    make, hours = FUNDING[name]
    found = read(market(96), funding_rate=make()).funding_rate
    assert found is not None and list(found.index) == list(_eights())
    np.testing.assert_allclose(found["funding_rate"], RATES, rtol=1e-9, atol=1e-14)
    assert list(found.get("interval_hours", [])) == ([] if hours is None else [hours] * 12)


def rate_bars(names: str, scale: float, n: int = 60) -> list[dict[str, Any]]:
    """Coinalyze's (t, o, h, l, c) and Coinglass' (time, open, …) bars of a rate."""
    keys = {"short": ["t", "o", "h", "l", "c"], "long": ["time", *OHLC]}[names]
    rates = scale * np.random.default_rng(3).normal(1e-4, 5e-5, n)
    bars = np.column_stack([rates, rates + scale * 1e-5, rates - scale * 1e-5, rates])
    stamps = [t // 1000 if names == "short" else t for t in ms(market(n))]
    return [dict(zip(keys, [t, *map(repr, bar.tolist())], strict=True)) for t, bar in zip(stamps, bars, strict=True)]


@pytest.mark.parametrize("names", ["short", "long"])
def test_bars_of_a_funding_rate(names: str) -> None:
    """The open is the rate at the stamp; fractions or per cent by their size, else by what the caller says."""
    table, first = market(60), ["o", "open"][names == "long"]
    for scale, seen in ((1.0, "fraction"), (100.0, "percent")):
        bars = rate_bars(names, scale)
        rates = [float(bar[first]) / scale for bar in bars]
        source: Any = (
            [{"symbol": "BTCUSDT_PERP.A", "history": bars}] if names == "short" else {"code": "0", "data": bars}
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*are per cent and were divided by 100")
            found = read(table, funding_rate=source)
        np.testing.assert_allclose(found.funding_rate["funding_rate"], rates)
        assert "the open of each bar" in found.sources["funding_rate"]["note"]
        with pytest.raises(
            ValueError, match=r"neither the layout nor their size .*units=\{'funding_rate': 'percent'\}"
        ):
            read(table, funding_rate=bars[:10])
        with pytest.warns(UserWarning, match="funding_rate covers"):
            found = read(table, funding_rate=bars[:10], units={"funding_rate": seen})
        np.testing.assert_allclose(found.funding_rate["funding_rate"], rates[:10])
    unclear = rate_bars(names, 10.0)
    with pytest.raises(ValueError, match="neither the layout nor their size"):
        read(table, funding_rate=unclear)
    with pytest.raises(ValueError, match=r"units says 'funding_rate': 'coins'; .* units fraction, percent"):
        read(table, funding_rate=unclear, units={"funding_rate": "coins"})


def test_per_cent_is_said_or_seen_once() -> None:
    rates = pd.DataFrame({"time": _eights(), "funding_rate": 100 * RATES})
    signs = rates.assign(funding_rate=[f"{100 * r:.12f}%" for r in RATES])
    for source in (rates, signs):
        found = read(market(96), funding_rate=source, units={"funding_rate": "percent"}).funding_rate
        np.testing.assert_allclose(found["funding_rate"], RATES, atol=1e-14)


@pytest.mark.parametrize("time", ["date", "time", "t"])
@pytest.mark.parametrize("volume", [True, False])
def test_candles_of_a_cheap_coin_are_no_funding(time: str, volume: bool) -> None:
    table = market(96, price=0.02)
    wrong = table.rename_axis(time).reset_index()[[time, *OHLC, *(["volume"] if volume else [])]]
    wrong = wrong.rename(columns={name: name[0] for name in OHLC}) if time == "t" else wrong
    with pytest.raises(ValueError, match="these are candles"):
        read(table, funding_rate=wrong)


def test_a_rate_in_per_cent_without_its_sign_is_said() -> None:
    rates = pd.DataFrame({"funding_rate": 0.01}, _eights())
    with pytest.warns(UserWarning, match=r"middle funding rate is 0\.01, or 1 % per interval.*to divide it by 100"):
        read(market(96), funding_rate=rates)


# --- liquidations -----------------------------------------------------------------------------------------------------


def _snapshot(times: list[int], sides: list[str], coins: float = 0.5) -> pd.DataFrame:
    return pd.DataFrame({"time": times, "symbol": "BTCUSDT", "side": sides, "order_type": "LIMIT",
                         "time_in_force": "IOC", "original_quantity": 9.0, "price": 60_000, "average_price": 60_010,
                         "order_status": "FILLED", "last_fill_quantity": 0.1,
                         "accumulated_fill_quantity": coins})  # fmt: skip


def test_single_orders_are_summed_and_quiet_bars_are_0_only_while_recorded() -> None:
    table = market(10)
    t = ms(table)
    orders = _snapshot([t[2] + 5, t[2] + 6000, t[5], t[5] + 3_599_999, t[6]], ["SELL", "BUY", "SELL", "SELL", "BUY"])
    with pytest.warns(UserWarning, match="liquidations covers 2024-05-01 02:00 … 2024-05-01 06:00"):
        found = read(table, liquidations=orders, symbol="BTC/USDT:USDT")
    assert list(found.liquidations.index) == list(table.index[2:7])
    assert found.liquidations["long"].tolist() == [0.5, 0, 0, 1.0, 0]  # a sell order closes a long
    assert found.liquidations["short"].tolist() == [0.5, 0, 0, 0, 0.5]
    assert "from the first to the last" in found.sources["liquidations"]["note"]


def test_days_that_follow_each_other_join_and_a_missing_day_stays_missing(tmp_path: Path) -> None:
    table = market(24 * 5)
    t = ms(table)
    for day, bars in {1: (3, 20), 2: (26, 40), 4: (80, 90)}.items():
        _snapshot([t[bars[0]], t[bars[1]]], ["SELL", "BUY"]).to_csv(
            tmp_path / f"BTCUSDT-liquidationSnapshot-2024-05-0{day}.csv", index=False
        )
    with pytest.warns(UserWarning, match="39 of 88 bars .* have no row") as seen:
        found = read(table, liquidations=tmp_path).liquidations
    assert any("liquidations covers" in str(warning.message) for warning in seen)
    assert list(found.index) == [*table.index[3:41], *table.index[80:91]]
    assert found["long"].sum() == 1.5 and found["short"].sum() == 1.5


@pytest.mark.filterwarnings("ignore:.*liquidations covers")
def test_tardis() -> None:
    table = market(10)
    t = ms(table)
    frame = pd.DataFrame({"exchange": "binance-futures", "symbol": "BTCUSDT",
                          "timestamp": [1000 * (t[3] + 1), 1000 * (t[4] + 1)], "local_timestamp": 1, "id": 1,
                          "side": ["sell", "buy"], "price": [60_000.0, 50_000.0], "amount": [0.25, 0.5]})  # fmt: skip
    found = read(table, liquidations=frame, symbol="BTC/USDT:USDT").liquidations
    assert found.to_numpy().tolist() == [[0.25, 0.0], [0.0, 0.5]]
    dollars = frame.assign(exchange="bitmex", symbol="XBTUSD", amount=[6000.0, 5000.0])
    found = read(table, liquidations=dollars).liquidations
    assert found.to_numpy().tolist() == [[0.1, 0.0], [0.0, 0.1]]
    swaps = frame.assign(exchange="okex-swap", symbol="BTC-USDT-SWAP", amount=[10.0, 20.0])
    with pytest.raises(ValueError, match=r"count contracts.*contract_size=0\.01"):
        read(table, liquidations=swaps)
    assert read(table, liquidations=swaps, contract_size=0.01).liquidations.to_numpy().tolist() == [[0.1, 0], [0, 0.2]]
    with pytest.raises(ValueError, match=r"nobody says what the amounts of elsewhere count; pass units="):
        read(table, liquidations=frame.assign(exchange="elsewhere"))
    assert read(table, liquidations=frame.assign(exchange="elsewhere"), units={"liquidations": "coins"}).liquidations[
        "long"
    ].tolist() == [0.25, 0.0]


@pytest.mark.filterwarnings("ignore:.*liquidations covers")
def test_rows_and_messages_of_a_venue_by_its_rule() -> None:
    """Gate's −165 contracts of .0001 BTC are a short; ccxt keeps the row in ``info``."""
    table = market(10)
    second = ms(table)[4] // 1000
    raw = [{"time": second, "size": -165, "left": 0, "fill_price": "60000", "contract": "BTC_USDT"},
           {"time": second + 1, "size": 100, "left": 0, "fill_price": "60000", "contract": "BTC_USDT"}]  # fmt: skip
    told: dict[str, Any] = {"exchange": "gate", "symbol": "BTC/USDT:USDT", "units": {"volume": "coins"}}
    with pytest.raises(ValueError, match=r"liquidations of gate count contracts.*contract_size="):
        read(table, liquidations=raw, **told)
    for source in (raw, [{"symbol": "BTC/USDT:USDT", "timestamp": 0, "info": row} for row in raw]):
        found = read(table, liquidations=source, contract_size=0.0001, **told).liquidations
        np.testing.assert_allclose(found.to_numpy(), [[0.01, 0.0165]])
    orders = [{"e": "forceOrder", "E": 1, "o": {"s": "BTCUSDT", "S": "SELL", "z": "0.5", "ap": "60000",
                                               "T": ms(table)[4] + 9}}]  # fmt: skip
    found = read(table, liquidations=orders, exchange="binanceusdm", symbol="BTC/USDT:USDT").liquidations
    assert found.to_numpy().tolist() == [[0.5, 0.0]]


def test_coinalyze_and_coinglass() -> None:
    table = market(N)
    bars = [{"t": t // 1000, "l": 2.5, "s": 1.0} for t in ms(table)]
    for source in (bars, [{"symbol": "BTCUSDT_PERP.A", "history": bars}]):
        found = read(table, liquidations=source, symbol="BTC/USDT:USDT").liquidations
        assert found["long"].tolist() == [2.5] * N and found["short"].tolist() == [1.0] * N
    middle = table[["high", "low", "close"]].mean(axis=1).to_numpy()
    glass = {"code": "0", "data": [{"time": t, "long_liquidation_usd": str(2 * m), "short_liquidation_usd": str(m)}
                                   for t, m in zip(ms(table), middle, strict=True)]}  # fmt: skip
    with pytest.warns(UserWarning, match="liquidations are in quote .* divided by the middle price"):
        found = read(table, liquidations=glass).liquidations
    np.testing.assert_allclose(found, np.tile([2.0, 1.0], (N, 1)))


def test_open_interest_of_the_okx_list() -> None:
    table = market(N)
    coins = interest(table)["open_interest"]
    found = [[str(t), repr(x / 0.01), repr(x), repr(x * p)]
             for t, x, p in zip(ms(table), coins, table["open"], strict=True)][::-1]  # fmt: skip
    for source in (found, {"code": "0", "data": found}):
        got = read(table, open_interest=source, exchange="okx", symbol="BTC/USDT:USDT").open_interest
        np.testing.assert_array_equal(got["open_interest"], coins)
