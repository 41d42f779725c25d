"""Units, stamps and sides: seen by what stands beside a number, told by the venue, or refused with the numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqlab.loaders import load_example, read
from tests.loaders.tables import HOUR, OHLC, interest, market, ms, rows, step_ms

# --- every spelling of the turnover, every unit of the volume, every stamp ------------------------------------------

TURNOVERS = ["quote_volume", "quoteVolume", "turnover", "quote_av", "vol_quote", "volCcyQuote", "foreignNotional",
             "Volume USDT", "Quote asset volume", "quote_asset_volume", "usdVolume"]  # fmt: skip
STAMPS: dict[str, Any] = {
    "opens": lambda t, step: ("time", t),
    "opens and closes": lambda t, step: ("open_time", t),
    "just before the close, ms": lambda t, step: ("time", [x + step - 1 for x in t]),
    "just before the close, s": lambda t, step: ("timestamp", [x + step - 1000 for x in t]),
    "closes as the only stamp": lambda t, step: ("close_time", [x + step - 1 for x in t]),
    "full closes as the only stamp": lambda t, step: ("close_time", [x + step for x in t]),
    "a close beside the same close": lambda t, step: ("time", [x + step for x in t]),
}
UNITS: dict[str, Any] = {
    "coins": (1.0, False), "0.001": (0.001, False), "0.0001": (0.0001, False), "10": (10.0, False),
    "quote": (0.0, False), "100 USD": (100.0, True), "1 USD": (1.0, True),
}  # fmt: skip


def written(table: Any, turnover: str, unit: str, stamp: str) -> pd.DataFrame:
    """The market in one tool's words."""
    size, inverse = UNITS[unit]
    name, stamps = STAMPS[stamp](ms(table), step_ms(table))
    volume, second = table["volume"] / (size or 1.0), table["quote_volume"]
    if unit == "quote":
        volume = table["quote_volume"]
    if inverse:
        volume, second = table["quote_volume"] / size, table["volume"]
    frame = table[OHLC].assign(volume=volume, **{turnover: second}).reset_index(drop=True)
    frame.insert(0, name, stamps)
    if stamp in ("opens and closes", "a close beside the same close"):
        frame["close_time"] = [x + step_ms(table) - (name == "open_time") for x in ms(table)]
    return frame


@settings(deadline=None, max_examples=150)
@given(
    turnover=st.sampled_from(TURNOVERS), unit=st.sampled_from(sorted(UNITS)), stamp=st.sampled_from(sorted(STAMPS)),
    price=st.sampled_from([60_000.0, 3_000.0, 140.0, 7.0, 0.4, 0.00002]), n=st.sampled_from([6, 19, 24, 60]),
    backwards=st.booleans(), step=st.sampled_from(["1min", "1h", "1D"]),
)  # fmt: skip
def test_a_market_is_read_right_or_refused(
    turnover: str, unit: str, stamp: str, price: float, n: int, backwards: bool, step: str
) -> None:
    """Whatever it is written in: equal to the truth, or an error; never another market in silence."""
    table = market(n, price=price, step=step)
    frame = written(table, turnover, unit, stamp)
    frame = frame[::-1] if backwards else frame
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = read(frame).candles
        except ValueError as refusal:
            if unit == "coins":
                raise AssertionError("a right table is refused") from refusal
            return
    assert list(found.index) == list(table.index), stamp
    np.testing.assert_allclose(found[OHLC], table[OHLC], rtol=1e-12)
    np.testing.assert_allclose(found["volume"], table["volume"], rtol=1e-9)
    np.testing.assert_allclose(found["quote_volume"], table["quote_volume"], rtol=1e-9)


@pytest.mark.parametrize(("size", "spelling"), [(0.001, "turnover"), (0.01, "vol_quote"), (10.0, "quoteVolume")])
def test_a_contracts_size_is_applied_and_said(size: float, spelling: str) -> None:
    table = market()
    table["volume"] *= 1_000  # whole contracts: see the test of thousands below
    table = table.assign(volume=(table["volume"] / size).round() * size, quote_volume=table["quote_volume"] * 1_000)
    frame = table[OHLC].assign(volume=(table["volume"] / size).round(), taker_buy_volume=0.5 * table["volume"] / size)
    frame[spelling] = table["quote_volume"]
    with pytest.warns(UserWarning, match=f"quote_volume/volume is .*contracts of {size:g} coins each; multiplied"):
        found = read(frame)
    np.testing.assert_allclose(found.candles["volume"], table["volume"])
    np.testing.assert_allclose(found.candles["taker_buy_volume"], 0.5 * table["volume"])
    assert f"contracts of {size:g} coins" in found.sources["candles"]["note"]


@pytest.mark.parametrize(("count", "price"), [(1e3, 60_000), (1e3, 2.4), (1e6, 180.0), (1e6, 0.08)])
def test_a_turnover_in_thousands_is_no_contract(count: float, price: float) -> None:
    """Nobody's contract is worth less than a dollar, and contracts are whole: volumes are kept as they stand."""
    table = market(price=price)
    if price < 10:
        table["volume"] = table["volume"].round()
        table["quote_volume"] = table["volume"] * (table["low"] + table["high"]) / 2
    frame = table[[*OHLC, "volume"]].assign(turnover=table["quote_volume"] / count)
    with pytest.raises(ValueError, match=rf"contracts of .* or coins beside .* units of {count:,.0f} quote; multiply"):
        read(frame)
    found = read(frame.assign(turnover=frame["turnover"] * count)).candles
    np.testing.assert_allclose(found["volume"], table["volume"])
    told = interest(table).assign(value=interest(table)["open_interest"] * table["open"] / count)
    with pytest.raises(ValueError, match=rf"units of {count:,.0f} quote; multiply value"):
        read(table, open_interest=told)


def test_few_rows_are_refused_and_the_remedy_works() -> None:
    table = market(12)
    frame = table[[*OHLC, "quote_volume"]].assign(volume=table["volume"] / 0.001)
    with pytest.raises(ValueError, match=r"12 rows are too few.*units=\{'volume': 'contracts'\}, contract_size=0.001"):
        read(frame)
    with pytest.warns(UserWarning, match="multiplied by 0.001"):
        found = read(frame, units={"volume": "contracts"}, contract_size=0.001)
    np.testing.assert_allclose(found.candles["volume"], table["volume"])


def test_two_readings_are_both_shown() -> None:
    """At a price of .011 a volume in quote and contracts of 100 coins are 10 % apart."""
    table = market(price=0.011)
    frame = table[[*OHLC, "quote_volume"]].assign(volume=table["quote_volume"])
    with pytest.raises(ValueError, match=r"contracts of .* coins each; .* or the quote currency; convert") as error:
        read(frame)
    assert "units={'volume': 'quote'}" in str(error.value)
    with pytest.warns(UserWarning, match="divided by the middle price"):
        found = read(frame, units={"volume": "quote"}).candles
    np.testing.assert_allclose(found["volume"], table["volume"], rtol=5e-3)


def test_coin_margined_contracts_are_refused_and_the_remedy_takes_the_coins() -> None:
    table = market()
    frame = table[OHLC].assign(volume=table["quote_volume"] / 100, quote_volume=table["volume"],
                               taker_buy_volume=table["quote_volume"] / 300,
                               taker_buy_quote_volume=table["volume"] / 3)  # fmt: skip
    with pytest.raises(ValueError, match=r"coin-margined contracts of 100 USD.*contract_size=100"):
        read(frame)
    for told in ({"units": {"volume": "contracts"}, "contract_size": 100}, {"symbol": "BTC/USD:BTC"}):
        with pytest.warns(UserWarning, match="the latter is taken"):
            found = read(frame, **told).candles
        np.testing.assert_allclose(found["volume"], table["volume"])
        np.testing.assert_allclose(found["taker_buy_volume"], table["volume"] / 3)


def test_coin_margined_contracts_beside_their_turnover() -> None:
    """Contracts of 100 USD and USD: nothing counts coins, the price of the bar makes them."""
    table = market()
    frame = table[OHLC].assign(volume=table["quote_volume"] / 100, quote_volume=table["quote_volume"])
    with pytest.raises(ValueError, match=r"contracts of 100 USD beside their turnover.*contract_size=100"):
        read(frame)
    for told in ({"units": {"volume": "contracts"}, "contract_size": 100}, {"symbol": "BTC/USD:BTC"}):
        with pytest.warns(UserWarning, match="divided by the middle price"):
            found = read(frame, **told).candles
        np.testing.assert_allclose(found["volume"], table["volume"], rtol=5e-3)
        np.testing.assert_allclose(found["quote_volume"], table["quote_volume"])


@pytest.mark.filterwarnings("ignore:.*one side is assumed")
@pytest.mark.parametrize("name", ["openInterestValue", "sumOpenInterestValue", "openInterestUsd", "oi_usd"])
def test_a_value_alone_by_the_price_of_its_instant(name: str) -> None:
    table = market()
    coins = interest(table)["open_interest"]
    frame = pd.DataFrame({"timestamp": ms(table), name: (coins * table["open"]).to_numpy()})
    found = read(table, open_interest=frame, units={"open_interest": "quote"})
    np.testing.assert_allclose(found.open_interest["open_interest"], coins)


def test_a_claim_against_the_evidence_is_refused() -> None:
    frame = market()[[*OHLC, "volume", "quote_volume"]]
    with pytest.raises(
        ValueError, match=r"quote_volume/volume is the price of the bars.*says 'contracts'; leave it out"
    ):
        read(frame, units={"volume": "contracts"}, contract_size=0.1)
    with pytest.raises(ValueError, match="units says 'volumes': 'coins'; tables are volume"):
        read(frame, units={"volumes": "coins"})
    with pytest.raises(ValueError, match=r"contract_size must be > 0"):
        read(frame, contract_size=0)


# --- the venue tells ------------------------------------------------------------------------------------------------

CONTRACTS = {"gate": 0.0001, "kucoinfutures": 0.001, "mexc": 0.0001}


@pytest.mark.parametrize("exchange", CONTRACTS)
def test_ccxt_lists_of_venues_that_count_contracts(exchange: str) -> None:
    table, size = market(), CONTRACTS[exchange]
    lists = rows(table.assign(volume=table["volume"] / size), *OHLC, "volume")
    with pytest.raises(
        ValueError, match=rf"{exchange}'s rule says that volume counts contracts.*contract_size=0\.0001"
    ):
        read(lists, exchange=exchange, symbol="BTC/USDT:USDT")
    for told in ({"contract_size": size}, {"contract_size": size, "units": {"volume": "contracts"}}):
        found = read(lists, exchange=exchange, symbol="BTC/USDT:USDT", **told)
        np.testing.assert_allclose(found.candles["volume"], table["volume"])
    coins = rows(table, *OHLC, "volume")  # converted beforehand
    found = read(coins, exchange=exchange, symbol="BTC/USDT:USDT", units={"volume": "coins"})
    np.testing.assert_allclose(found.candles["volume"], table["volume"])


def ccxt_interest(table: Any, size: float = 1.0, **info: Any) -> list[dict[str, Any]]:
    coins = interest(table)["open_interest"]
    return [
        {"symbol": "BTC/USDT:USDT", "openInterestAmount": amount / size, "openInterestValue": amount * price,
         "timestamp": t, "info": info}
        for t, amount, price in zip(ms(table), coins, table["open"], strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("n", [12, 48])
def test_the_value_of_open_interest_shows_the_contract_and_serves_the_volume(n: int) -> None:
    table = market(n)
    lists = rows(table.assign(volume=table["volume"] / 0.0001), *OHLC, "volume")
    history = ccxt_interest(table, 0.0001)
    with pytest.warns(UserWarning, match=r"value ÷ open interest is .* contracts of 0\.0001 coins each \(gate"):
        found = read(lists, open_interest=history, exchange="gate", symbol="BTC/USDT:USDT")
    np.testing.assert_allclose(found.open_interest["open_interest"], interest(table)["open_interest"])
    np.testing.assert_allclose(found.candles["volume"], table["volume"])
    likely = r"like contracts of 0\.0001 coins each.*name the venue with exchange="
    with pytest.warns(UserWarning, match="one side is assumed"), pytest.raises(ValueError, match=likely):
        read(lists, open_interest=history)


def test_both_sides_are_halved_and_said() -> None:
    """Bybit's number counts both; in newer replies one side stands beside it."""
    table = market()
    own = interest(table)["open_interest"]
    history = ccxt_interest(table, openInterest="x")
    found = read(table, open_interest=history, exchange="bybit", symbol="BTC/USDT:USDT")
    np.testing.assert_allclose(found.open_interest["open_interest"], own / 2)
    assert found.sources["open_interest"]["note"] == "sides: both → one"
    raw = [{"openInterest": repr(x), "timestamp": str(t)} for t, x in zip(ms(table), own, strict=True)]
    found = read(table, open_interest=raw, exchange="bybit", symbol="BTC/USDT:USDT")
    np.testing.assert_allclose(found.open_interest["open_interest"], own / 2)
    reply = {"retCode": 0, "result": {"symbol": "BTCUSDT", "category": "linear", "list": raw[::-1]}}
    found = read(table, open_interest=reply)  # only Bybit answers so
    np.testing.assert_allclose(found.open_interest["open_interest"], own / 2)
    single = [row | {"singleOpenInterest": repr(x / 2)} for row, x in zip(raw, own, strict=True)]
    found = read(table, open_interest=single, exchange="bybit", symbol="BTC/USDT:USDT")
    np.testing.assert_allclose(found.open_interest["open_interest"], own / 2)
    assert "note" not in found.sources["open_interest"]
    with pytest.warns(UserWarning, match=r"liqlab's own columns, which count one; .*sides=\{'open_interest': 'both'\}"):
        found = read(table, open_interest=interest(table), exchange="bybit", symbol="BTC/USDT:USDT")
    np.testing.assert_allclose(found.open_interest["open_interest"], own)
    for sides, factor in (("one", 1.0), ("both", 0.5)):
        found = read(table, open_interest=interest(table), exchange="bybit", sides={"open_interest": sides})
        np.testing.assert_allclose(found.open_interest["open_interest"], own * factor)


@pytest.mark.parametrize("form", ["list", "frame", "index", "ccxt"])
def test_bybits_columns_are_asked_about_and_the_remedies_work(form: str) -> None:
    """Nothing beside openInterest says that it counts both sides: name the venue, or rename the column."""
    table = market(40)
    one = interest(table)["open_interest"].to_numpy()
    stamps = ms(table)[: len(one)]
    bare: Any = [{"openInterest": str(2 * x), "timestamp": str(t)} for x, t in zip(one, stamps, strict=False)]
    given_ = {
        "list": bare, "frame": pd.DataFrame(bare), "index": pd.DataFrame(bare).set_index("timestamp"),
        "ccxt": [{"openInterestAmount": float(row["openInterest"]), "timestamp": int(row["timestamp"]), "info": row}
                 for row in bare],
    }[form]  # fmt: skip
    for exchange in ("", "binanceusdm"):
        with pytest.raises(ValueError, match=r"Bybit's reply, which counts both sides.*exchange='bybit'"):
            read(table, exchange=exchange, open_interest=given_)
    own = read(table, exchange="bybit", open_interest=given_)
    assert own.open_interest is not None and "sides: both → one" in own.sources["open_interest"]["note"]
    other = read(table, exchange="binanceusdm", open_interest=given_, sides={"open_interest": "both"})
    for found in (own, other):
        np.testing.assert_allclose(found.open_interest["open_interest"], one[: len(bare)])  # type: ignore[index]
    other = read(table, exchange="binanceusdm", open_interest=given_, sides={"open_interest": "one"})
    np.testing.assert_allclose(other.open_interest["open_interest"], 2 * one[: len(bare)])  # type: ignore[index]


@pytest.mark.parametrize("time", ["timestamp", "date", "datetime"])
def test_sides_that_nothing_tells_are_assumed_and_said(time: str) -> None:
    table = market(40)
    frame = interest(table).reset_index(drop=True).assign(**{time: ms(table)})
    with pytest.warns(UserWarning, match=r"one side or both .*no exchange is named; one side is assumed.*'both'"):
        found = read(table, open_interest=frame)
    assert found.sources["open_interest"]["sides"] == "one, assumed"
    with pytest.warns(UserWarning, match="nor known to liqlab of kucoinfutures"):
        read(table, open_interest=frame, exchange="kucoinfutures", contract_size=1.0)
    named = read(table, open_interest=frame, exchange="binanceusdm")
    told = read(table, open_interest=frame, sides={"open_interest": "one"})
    halved = read(table, open_interest=frame * [2, 1], sides={"open_interest": "both"})
    assert [market.sources["open_interest"].get("sides") for market in (named, told, halved)] == [
        None, None, "both → one"
    ]  # fmt: skip
    for one in (found, named, told, halved):
        np.testing.assert_array_equal(one.open_interest["open_interest"], interest(table)["open_interest"])
    own = read(table, open_interest=interest(table))  # our own columns: their meaning is documented
    assert own.sources["open_interest"]["sides"] == "one, assumed"
    with pytest.raises(ValueError, match=r"sides says 'open_interest': 'two'; tables are .*, sides one, both"):
        read(table, open_interest=frame, sides={"open_interest": "two"})


def htx_bars(table: Any, kind: str) -> list[dict[str, Any]]:
    """HTX counts both sides of contracts: amount in coins, vol in contracts (of spot pairs: in quote)."""
    amount, quote = (table[name] * (1 if kind == "spot" else 2) for name in ("volume", "quote_volume"))
    vol = {"linear": amount / 0.001, "inverse": quote / 100, "spot": quote}[kind]
    bars = table[OHLC].assign(id=[t // 1000 for t in ms(table)], amount=amount, vol=vol, count=7)
    return (bars.assign(trade_turnover=quote) if kind == "linear" else bars).to_dict("records")


HTX_SYMBOLS = {
    "linear": ("BTC/USDT:USDT", "BTC-USDT"),
    "inverse": ("BTC/USD:BTC", "BTC-USD"),
    "spot": ("BTC/USDT", "btcusdt"),
}


@pytest.mark.filterwarnings("ignore:.*the latter is taken for the volume")
@pytest.mark.parametrize("kind", HTX_SYMBOLS)
def test_htx_counts_both_sides_of_contracts(kind: str) -> None:
    table = market()
    bars, (symbol, own) = htx_bars(table, kind), HTX_SYMBOLS[kind]
    reply = {"ch": f"market.{own}.kline.60min", "ts": 1, "status": "ok", "data": bars}
    ways: list[Any] = [(bars, {"exchange": "htx", "symbol": symbol}), (reply, {}),
                       (pd.DataFrame(bars), {"exchange": "htx", "symbol": own})]  # fmt: skip
    for source, told in ways:
        found = read(source, **told)
        np.testing.assert_allclose(found.candles["volume"], table["volume"])
        np.testing.assert_allclose(found.candles["quote_volume"], table["quote_volume"])
        assert ("sides: both → one" in found.sources["candles"].get("note", "")) == (kind != "spot")
    if kind == "spot":
        np.testing.assert_allclose(read(bars).candles["volume"], table["volume"])
        return
    for exchange in ("", "binanceusdm"):
        with pytest.raises(ValueError, match=r"HTX's reply, which counts both sides.*exchange='htx'.*'volume': 'one'"):
            read(bars, exchange=exchange, symbol=symbol)
    already = read(bars, symbol=symbol, sides={"volume": "one"})
    np.testing.assert_allclose(already.candles["volume"], 2 * table["volume"])


def test_htx_by_ccxt_needs_to_know_spot_from_contracts() -> None:
    table = market()
    lists = rows(table, *OHLC, "volume")
    with pytest.raises(ValueError, match=r"both sides .* of contracts and one on spot.*symbol='BTC/USDT:USDT'"):
        read(lists, exchange="htx")
    for symbol, factor in (("BTC/USDT:USDT", 0.5), ("BTC/USDT", 1.0)):
        found = read(lists, exchange="htx", symbol=symbol)
        np.testing.assert_allclose(found.candles["volume"], factor * table["volume"])
    with pytest.warns(UserWarning, match="these columns are not its own, so one side is taken"):
        read(table, exchange="htx", symbol="BTC/USDT:USDT")


@pytest.mark.parametrize("kind", [1, 2])
def test_htx_tells_the_unit_of_open_interest_in_each_row(kind: int) -> None:
    table = market()
    coins = interest(table)["open_interest"]
    size = 0.001 if kind == 1 else 1
    history = [{"volume": repr(2 * x / size), "amount_type": kind, "ts": t, "value": repr(2 * x * p)}
               for t, x, p in zip(ms(table), coins, table["open"], strict=True)]  # fmt: skip
    reply = {"status": "ok", "data": {"symbol": "BTC", "contract_code": "BTC-USDT", "tick": history}, "ts": 1}
    told: dict[str, Any] = {"exchange": "htx", "symbol": "BTC/USDT:USDT", "units": {"volume": "coins"}}
    told["sides"] = {"volume": "one"}
    for source in (history, reply):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*value ÷ open interest")
            found = read(table, open_interest=source, **told)
        np.testing.assert_allclose(found.open_interest["open_interest"], coins)
    with pytest.raises(ValueError, match=r"HTX's reply, which counts both sides"):
        read(table, open_interest=history)


@pytest.mark.parametrize("factor", [1.7e-8, 3e-12, 4e9, 2.0, 0.5, 1.6e-3])
def test_no_absurd_contract_size_is_offered(factor: float) -> None:
    """Two columns that do not belong together: said so, and both remedies work."""
    table = market()
    frame = table[OHLC].assign(volume=table["volume"], turnover=table["quote_volume"] * factor)
    with pytest.raises(ValueError, match=r"nothing that is known: .*drop the column of the volume") as error:
        read(frame)
    assert "contract_size" not in str(error.value)
    np.testing.assert_array_equal(read(frame.drop(columns="turnover")).candles["volume"], table["volume"])
    right = frame.assign(turnover=table["quote_volume"])
    with pytest.warns(UserWarning, match="divided by the middle price"):
        found = read(right.drop(columns="volume"))
    np.testing.assert_allclose(found.candles["volume"], table["volume"], rtol=5e-3)


def test_open_interest_in_quote_by_the_price_of_its_instant() -> None:
    table = market()
    value = (interest(table)["open_interest"] * table["open"]).to_numpy()
    frame = pd.DataFrame({"timestamp": ms(table), "openInterestValue": value})
    with pytest.raises(ValueError, match=r"units=\{'open_interest': 'quote'\}"):
        read(table, open_interest=frame)
    frame = frame.rename(columns={"openInterestValue": "open_interest"})
    found = read(table, open_interest=frame, units={"open_interest": "quote"}, sides={"open_interest": "one"})
    np.testing.assert_allclose(found.open_interest["open_interest"], interest(table)["open_interest"])


@pytest.mark.filterwarnings("ignore:.*one side is assumed")
@pytest.mark.parametrize("name", ["o", "open"])
def test_candles_of_open_interest_must_be_told_apart(name: str) -> None:
    """Coinalyze and Coinglass give it as bars, in coins or in dollars as it was asked for."""
    table = market()
    coins = interest(table)["open_interest"].to_numpy()
    keys = ["t", "o", "h", "l", "c"] if name == "o" else ["time", *OHLC]
    bars = pd.DataFrame(dict(zip(keys, [ms(table), coins, coins + 1, coins - 1, coins], strict=True)))
    with pytest.raises(
        ValueError, match=r"nothing in this layout tells.*units=\{'open_interest': 'coins'\} or 'quote'"
    ):
        read(table, open_interest=bars)
    found = read(table, open_interest=bars, units={"open_interest": "coins"})
    assert found.open_interest["open_interest"].tolist() == coins.tolist()
    with pytest.raises(ValueError, match="a volume beside it says that these are candles"):
        read(table, open_interest=table.reset_index())


# --- stamps ---------------------------------------------------------------------------------------------------------


def test_bitmex_buckets_are_stamped_by_closes_and_count_dollars() -> None:
    table = market(30)
    frame = table[OHLC].assign(symbol="XBTUSD", trades=900, volume=table["quote_volume"], lastSize=100,
                               turnover=(table["volume"] * 1e8).round(), homeNotional=table["volume"],
                               foreignNotional=table["quote_volume"])  # fmt: skip
    frame.insert(0, "timestamp", (table.index + pd.Timedelta("1h")).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    frame = frame.reset_index(drop=True)
    for told in ({}, {"exchange": "bitmex", "symbol": "BTC/USD:BTC"}, {"symbol": "XBTUSD"}):
        found = read(frame, **told)
        assert found.start == table.index[0]
        np.testing.assert_allclose(found.candles["volume"], table["volume"])
        assert found.sources["candles"]["note"].startswith("stamps: closes → opens")
    one = frame.head(1)
    with pytest.raises(ValueError, match=r"its one stamp.*is the close of a bar.*pass timeframe='1h'"):
        read(one)
    assert read(one, timeframe="1h").start == table.index[0]


def test_coinmarketcap_counts_dollars_and_stamps_closes() -> None:
    table = market(30, step="1D")
    frame = pd.DataFrame({"timestamp": [f"{x:%Y-%m-%d}T23:59:59.999Z" for x in table.index], "name": 2781,
                          **{name: table[name].to_numpy() for name in OHLC},
                          "volume": table["quote_volume"].to_numpy(), "marketCap": 1e12})  # fmt: skip
    with pytest.warns(UserWarning, match="volume is in quote and was divided by the middle price"):
        found = read(frame)
    assert found.start == table.index[0]
    np.testing.assert_allclose(found.candles["volume"], table["volume"], rtol=5e-3)
    opens = frame.rename(columns={"timestamp": "timeClose"}).assign(timeOpen=ms(table))
    with pytest.warns(UserWarning, match="divided by"):
        assert read(opens).start == table.index[0]


def test_closes_that_belong_to_other_bars_are_refused() -> None:
    table = market(30)
    frame = table.reset_index(drop=True).assign(open_time=ms(table), close_time=[t + 4 * HOUR for t in ms(table)])
    with pytest.raises(ValueError, match=r"closes 0 days 04:00:00 later.*but the rows are 1h apart, in 30 of 30"):
        read(frame)


def test_an_index_of_closes_is_recognised() -> None:
    table = market(30)
    table.index = (table.index + pd.Timedelta("1h") - pd.Timedelta("1ms")).rename("close_time")
    assert read(table).start == market(1).index[0]
    assert read(table.rename_axis(None)).start == market(1).index[0]


@pytest.mark.parametrize("columns", ["volume turnover", "volume"])
@pytest.mark.parametrize("named", [{}, {"exchange": "phemex"}, {"symbol": "BTC/USDT:USDT"}])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_prices_that_are_whole_numbers_of_a_scale(columns: str, named: dict[str, str], tmp_path: Path) -> None:
    """Phemex's reply as it is: refused, and read once prices and turnover are divided as the text says."""
    whole = load_example("btc-2024-05").candles.iloc[:60]
    table = whole.assign(turnover=whole["volume"] * whole["close"], time=whole.index.astype(str))
    money = ["open", "high", "low", "close", *columns.split()[1:]]
    scaled = table.assign(**{name: (table[name] * 10_000).round() for name in money})
    names = ["time", "open", "high", "low", "close", *columns.split()]
    file = tmp_path / "x.csv"
    scaled.assign(volume=(table["volume"] * 1000).round())[names].to_csv(file, index=False)
    if columns == "volume" and not named:
        named = {"symbol": "ETH/USD:USD"}
    with pytest.raises(ValueError, match=r"Phemex: × 10,000"):
        read(file, **named)
    right = scaled.assign(**{name: scaled[name] / 10_000 for name in money}, volume=table["volume"])
    right[names].to_csv(file, index=False)
    found = read(file, **named)
    assert found.candles["close"].tolist() == whole["close"].tolist()
