"""The layouts that are understood, as data: how tools and venues name and order the columns of their tables.

A new layout is one more entry here; nothing in this file opens a file or looks at a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from liqlab.market.checks import TIER_COLUMNS
from liqlab.market.market import PRICES

__all__ = ["ARRANGEMENTS", "CANDLE_TABLES", "LAYOUTS", "NEEDED", "POSITIONS", "TRADE_ROWS", "VOLUMES", "Arrangement",
           "Layout", "fold"]  # fmt: skip

CANDLE_TABLES = ("candles", "path", "mark_candles")

NEEDED: dict[str, tuple[str, ...]] = {
    "candles": ("time", *PRICES, "volume"),
    "path": ("time", *PRICES),
    "mark_candles": ("time", *PRICES),
    "open_interest": ("time", "open_interest"),
    "funding_rate": ("time", "funding_rate"),
    "liquidations": ("time", "long", "short"),
    "taker": ("time", "taker_buy_share"),
    "leverage_tiers": TIER_COLUMNS,
    "trades": ("time", "price", "quantity"),
}
# Columns that may hold what was traded; which of them counts coins is settled by their ratio (`volume_units`).
VOLUMES = ("volume", "base_volume", "quote_volume", "either_volume")
OPEN, CLOSE, INSTANT = "open", "close", "instant"
COINS, QUOTE, CCXT, UNTOLD = "coins", "quote", "ccxt", "untold"


@dataclass(frozen=True)
class Layout:
    """How one tool names its columns.

    Parameters
    ----------
    name : str
        What messages call it.
    tables : tuple of str
        The tables of a Market it can fill.
    columns : mapping of str to str
        Their name → ours. Names are compared as `fold` leaves them; of two columns that differ in case alone the one
        spelt as here is taken. Of several names for one of ours the first that is there is taken.
    zone : str
        Time zone of its stamps where they are written without one *and* the venue documents it.
    stamp : str
        ``open`` or ``close``: which end of a bar its stamps are.
    unit : str
        What its amounts count, where the layout says so: ``coins``, ``quote``; ``ccxt``: what ccxt's methods give for
        the venue; ``untold``: either coins or quote, so that the caller must say it; empty: coins, as far as nothing
        speaks against it.
    marks : tuple of str
        Further columns that must be there for it to be this layout.
    constants : mapping
        Columns of ours that have one value for all rows.
    sides : str
        ``one`` where the column counts one side whatever the venue's rule says.
    venue : str
        Whose reply it is, where no other venue names its columns so: its rule holds.
    """

    name: str
    tables: tuple[str, ...]
    columns: Mapping[str, str]
    zone: str = ""
    stamp: str = OPEN
    unit: str = ""
    marks: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    sides: str = ""
    venue: str = ""


@lru_cache(maxsize=4096)
def fold(name: Any) -> str:
    """A column name as it is compared: letters of any script and figures, in lower case.

    >>> fold("Taker buy volume"), fold("quoteVolume"), fold("quote_volume")
    ('takerbuyvolume', 'quotevolume', 'quotevolume')
    """
    return re.sub(r"[\W_]+", "", str(name).lower())


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _all(role: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, role)


_TRADED = {
    **_all("volume", "volume", "vol"),
    **_all("base_volume", "base_volume", "base_vol", "home_notional", "base_token_volume", "volume_base",
           "base_asset_volume", "volume_from", "volume_traded"),
    **_all("either_volume", "either_volume", "vol_ccy", "amount", "volume_ccy"),
    **_all("quote_volume", "quote_volume", "quote_asset_volume", "quote_av", "quote_vol", "vol_quote",
           "vol_ccy_quote", "volume_ccy_quote", "volume_quote", "turnover", "foreign_notional", "usd_volume",
           "volume_to", "volume_usd", "volume_notional", "sum", "cost"),
    **_all("trades", "trades", "count", "number_of_trades", "num_trades", "trade_count", "trades_count"),
    **_all("taker_buy_volume", "taker_buy_base_asset_volume", "tb_base_av", "taker_base_vol", "taker_buy_base_volume",
           "taker_buy_base", "taker_buy_volume", "buy_volume"),
    **_all("taker_buy_quote_volume", "taker_buy_quote_volume", "taker_buy_quote_asset_volume", "tb_quote_av",
           "taker_quote_vol", "taker_buy_quote", "buy_quote_volume"),
    **_all("close_time", "close_time", "close_timestamp", "time_close", "end_timestamp"),
    **_all("symbol", "symbol", "instrument_name", "instrument", "ticker", "pair", "inst_id",
           "contract_code"),
    **_all("vwap", "vwap", "volume_weighted_average", "weighted_average"),
}  # fmt: skip
_LONG = {**_same(*PRICES), **_all("open", "open_price", "price_open"),
         **_all("high", "high_price", "price_high", "max"), **_all("low", "low_price", "price_low", "min"),
         **_all("close", "close_price", "price_close"), **_TRADED}  # fmt: skip
_UPBIT = {
    "candle_date_time_utc": "time",
    "opening_price": "open",
    "high_price": "high",
    "low_price": "low",
    "trade_price": "close",
    "candle_acc_trade_volume": "volume",
    "candle_acc_trade_price": "quote_volume",
}  # its timestamp is that of the last trade
_TIMES = ("id", "time", "timestamp", "ts", "date", "datetime", "open_time")
_HTX = {"amount": "volume", "trade_turnover": "quote_volume",  # vol counts contracts
        **{theirs: ours for theirs, ours in _LONG.items() if theirs not in ("amount", "vol")},
        **_all("time", *_TIMES)}  # fmt: skip
# Of BitMEX volume counts contracts, and turnover satoshis or millionths of a dollar.
_BITMEX = {
    **{"timestamp": "time", "home_notional": "volume", "foreign_notional": "quote_volume"},
    **{theirs: ours for theirs, ours in _LONG.items() if not ours.endswith("volume")},
}
_SHORT = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "T": "close_time", "s": "symbol",
          "n": "trades", "q": "quote_volume", "V": "taker_buy_volume", "Q": "taker_buy_quote_volume", "vw": "vwap",
          "sum": "quote_volume"}  # fmt: skip


def _candles(name: str, *times: str, **more: Any) -> Layout:
    return Layout(name, CANDLE_TABLES, {**_LONG, **_all("time", *times)}, **more)


METRICS = "Binance metrics archive"
_VALUE = _all("value", "open_interest_value", "sum_open_interest_value", "open_interest_usd", "oi_usd",
              "open_interest_in_usd", "open_interest_quote", "value_usd", "value")  # fmt: skip
_SYMBOL = _all("symbol", "symbol", "instrument_name", "inst_id", "contract", "contract_code", "ticker", "pair",
               "coin")  # fmt: skip
_INTERVAL = _all("interval_hours", "interval_hours", "funding_interval_hours", "funding_interval",
                 "collect_cycle", "granularity", "interval_seconds", "interval")  # fmt: skip


def _interest(name: str, time: str, *amounts: str, **more: Any) -> Layout:
    return Layout(name, ("open_interest",), {time: "time", **_all("open_interest", *amounts), **_VALUE, **_SYMBOL},
                  **{"stamp": INSTANT, **more})  # fmt: skip


def _funding(name: str, time: str, *rates: str, **more: Any) -> Layout:
    return Layout(name, ("funding_rate",), {time: "time", **_all("funding_rate", *rates), **_INTERVAL, **_SYMBOL},
                  **{"stamp": INSTANT, **more})  # fmt: skip


def _liquidations(name: str, time: str, long: str, short: str, **more: Any) -> Layout:
    return Layout(name, ("liquidations",), {time: "time", long: "long", short: "short", **_SYMBOL}, **more)


def _trades(name: str, time: str, price: str, quantity: str, **more: Any) -> Layout:
    sides = {"taker_buy": "taker_buy", "is_buyer_maker": "buyer_maker", "m": "buyer_maker", "side": "side"}
    columns = {time: "time", price: "price", quantity: "quantity", **sides, "symbol": "symbol", "coin": "symbol"}
    return Layout(name, ("trades",), columns, **more)


def _events(name: str, columns: Mapping[str, str], **more: Any) -> Layout:
    return Layout(name, ("liquidations",), {**columns, **_all("symbol", "symbol")}, **more)


EVENTS = ("Binance liquidation archive", "Tardis liquidations", "liqlab events")
LAYOUTS: tuple[Layout, ...] = (
    Layout("BitMEX buckets", CANDLE_TABLES, _BITMEX, stamp=CLOSE, marks=("home_notional", "foreign_notional")),
    _candles("Yahoo", "date", "datetime", "time", marks=("adj_close",), unit=QUOTE),
    _candles("CoinMarketCap", "time_open", marks=("market_cap",), unit=QUOTE),
    _candles("CoinMarketCap, closes", "timestamp", stamp=CLOSE, marks=("market_cap",), unit=QUOTE),
    _candles("Binance klines", "open_time"),
    Layout("Upbit", CANDLE_TABLES, _UPBIT, zone="UTC"),
    _candles("CryptoDataDownload", "unix", "unix_timestamp"),
    Layout("HTX contracts", CANDLE_TABLES, _HTX, marks=("trade_turnover",), venue="htx"),
    _candles("HTX", *_TIMES, marks=("amount", "vol", "count"), venue="htx"),
    _candles("liqlab, TradingView", "time"),
    _candles("ccxt", "timestamp", unit=CCXT),
    _candles("freqtrade", "date"),
    _candles("others", "datetime", "start", "start_time", "started_at", "open_timestamp", "time_open",
             "time_period_start", "start_timestamp", "ts", "ticks", "id", "bucket", "mts", "exchange_timestamp"),
    Layout("venues' replies", CANDLE_TABLES, {**_all("time", "t", *_TIMES), **_SHORT, **_TRADED}),
    _candles("stamped by closes", "close_time", "close_timestamp", "time_close", "time_period_end", "end_time",
             stamp=CLOSE),
    _interest(METRICS, "create_time", "sum_open_interest", zone="UTC", sides="one"),
    _interest("OKX", "ts", "oi_ccy", sides="one"),
    _interest("HTX", "ts", "volume", marks=("amount_type",), venue="htx"),
    _interest("Bitget", "ts", "size"),
    _interest("Tardis", "timestamp", "open_interest", marks=("local_timestamp",)),
    _interest("Binance openInterestHist", "timestamp", "sum_open_interest", sides="one"),
    _interest("ccxt", "timestamp", "open_interest_amount", unit=CCXT),
    _interest("liqlab", "time", "open_interest"),
    _interest("Bybit", "timestamp", "single_open_interest", sides="one"),
    _interest("others", "timestamp", "open_interest"),
    _interest("others", "ts", "open_interest"),
    _interest("others", "date", "open_interest"),
    _interest("others", "datetime", "open_interest"),
    _interest("Coinalyze, Coinglass", "t", "o", unit=UNTOLD),
    _interest("Coinalyze, Coinglass", "time", "open", unit=UNTOLD, marks=("high", "low", "close")),
    *(Layout("in quote", ("open_interest",), {time: "time", **_all("open_interest", *list(_VALUE)[:-1]), **_SYMBOL},
             stamp=INSTANT, unit=QUOTE)
      for time in ("timestamp", "time", "date", "datetime", "ts", "create_time", "t")),
    _funding("Kraken", "timestamp", "relative_funding_rate", constants={"interval_hours": 1.0}),
    _funding("Deribit", "timestamp", "interest_1h", constants={"interval_hours": 1.0}),
    _funding("Deribit", "timestamp", "interest_8h", constants={"interval_hours": 8.0}),
    _funding("liqlab", "time", "funding_rate"),
    _funding("Binance funding archive", "calc_time", "last_funding_rate"),
    _funding("Binance fundingRate", "funding_time", "realized_rate", "funding_rate"),
    _funding("Bybit", "funding_rate_timestamp", "funding_rate"),
    _funding("ccxt", "timestamp", "funding_rate", unit=CCXT),
    _funding("KuCoin", "timepoint", "funding_rate"),
    _funding("MEXC", "settle_time", "funding_rate"),
    _funding("dYdX", "effective_at", "rate"),
    _funding("Gate", "t", "r"),
    _funding("others", "date", "funding_rate"),
    _funding("others", "datetime", "funding_rate"),
    _funding("freqtrade", "date", "open", marks=("high", "low", "close")),
    _funding("Coinbase International", "event_time", "funding_rate"),
    _funding("Coinalyze, Coinglass", "t", "o", unit=UNTOLD, marks=("h", "l", "c")),
    _funding("Coinalyze, Coinglass", "time", "open", unit=UNTOLD, marks=("high", "low", "close")),
    _liquidations("liqlab", "time", "long", "short"),
    _liquidations("Coinalyze", "t", "l", "s"),
    *(_liquidations("Coinglass", time, f"{before}long_{middle}usd", f"{before}short_{middle}usd", unit=QUOTE)
      for time in ("time", "t", "create_time") for before in ("", "aggregated_")
      for middle in ("liquidation_", "liq_", "vol_", "")),
    _events(EVENTS[0], {"time": "time", "side": "side", "accumulated_fill_quantity": "quantity",
                        "average_price": "price"}, unit=COINS, marks=("order_status",)),
    _events(EVENTS[1], {"timestamp": "time", "side": "side", "amount": "quantity", "price": "price",
                        "exchange": "venue"}, marks=("local_timestamp",)),
    _events(EVENTS[2], _same("time", "side", "quantity", "price"), unit=COINS),
    _trades("Binance aggTrades", "transact_time", "price", "quantity", marks=("is_buyer_maker",)),
    _trades("Binance trades", "time", "price", "qty", marks=("is_buyer_maker",)),
    _trades("Binance interface", "T", "p", "q", marks=("m",)),
    _trades("Hyperliquid", "time", "px", "sz", marks=("side",)),
    _trades("liqlab", "time", "price", "quantity", marks=("taker_buy",)),
    *(_trades("others", time, "price", quantity, marks=(side,)) for side in ("side", "is_buyer_maker")
      for time in ("timestamp", "time", "ts") for quantity in ("amount", "size", "quantity", "qty")),
    Layout("liqlab", ("taker",), _same("time", "taker_buy_share")),
    Layout("liqlab", ("leverage_tiers",), _same(*TIER_COLUMNS)),
)  # fmt: skip


# Binance's archives of trades without names, by the place of their first true or false.
TRADE_ROWS: Mapping[int, tuple[str, ...]] = {
    6: ("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker",
        "is_best_match"),
    5: ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match"),
}  # fmt: skip


@dataclass(frozen=True)
class Arrangement:
    """Rows without names, as a venue orders them: for candles the roles of `Layout`, ``-`` for what is not needed."""

    name: str
    columns: tuple[str, ...]
    venues: tuple[str, ...] = ()


def _order(names: str) -> tuple[str, ...]:
    short = {"t": "time", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "q": "quote_volume",
             "n": "trades", "e": "either_volume", "T": "close_time"}  # fmt: skip
    return tuple(short.get(name, name) for name in names.split())


# ccxt's six come first: they are read so unless they cannot be meant.
ARRANGEMENTS: tuple[Arrangement, ...] = (
    Arrangement("ccxt", ("timestamp", *PRICES, "volume")),
    Arrangement("Bitfinex", _order("t o c h l v"), ("bitfinex",)),
    Arrangement("Coinbase", _order("t l h o c v"), ("coinbase", "coinbaseexchange")),
    Arrangement("Bybit", _order("t o h l c v q"), ("bybit", "bitget", "kucoinfutures", "aster", "toobit")),
    Arrangement("KuCoin spot", _order("t o c h l v q"), ("kucoin",)),
    Arrangement("Kraken OHLCVT", _order("t o h l c v n"), ("kraken",)),
    Arrangement("Kraken", _order("t o h l c vwap v n"), ("kraken",)),
    Arrangement("MEXC", _order("t o h l c v T q"), ("mexc",)),
    Arrangement("Bitget spot", _order("t o h l c v - q"), ("bitget",)),
    Arrangement("Gate spot", _order("t q c h l o v -"), ("gate",)),
    Arrangement("OKX", _order("t o h l c v e q -"), ("okx", "myokx", "okxus")),
    Arrangement("Phemex", _order("t - - o h l c v q symbol"), ("phemex",)),
    Arrangement("Binance klines", _order("t o h l c v T q n taker_buy_volume taker_buy_quote_volume -"),
                ("binance", "binanceusdm", "binancecoinm")),
)  # fmt: skip
# Rows of other tables without names: table, width → names, where the venue is told.
POSITIONS: Mapping[tuple[str, int], Arrangement] = {
    ("open_interest", 4): Arrangement("OKX", ("ts", "oi", "oi_ccy", "oi_usd"), ("okx", "myokx", "okxus")),
}
