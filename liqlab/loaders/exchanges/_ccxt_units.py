"""What ccxt does not tell, as data: unit, sides, stamps and page sizes, one row for each venue.

A venue that is not in the table is not guessed at: the caller is asked for the unit. A contract size of 1 does not mean
that volumes are in coins (hibachi and btse count quote). Each row was read in ccxt's own source (`parse_ohlcv`,
`parse_open_interest`, `parse_liquidation` of the version named) and in the document that it names. Rows say what a
*reply* looks like; parsing (`_ccxt_parse`) looks at the reply and refuses one of another shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from liqlab.loaders.exchanges._instruments import BOTH, COINS, CONTRACTS, ONE, QUOTE, Instrument, Unit

READ, TESTED = "2026-11-28", "ccxt 4.5.85, 4.5.90"


@dataclass(frozen=True)
class Count:
    """What an amount counts on linear contracts, on inverse ones and on spot markets; empty: not known.

    On spot markets ccxt's candles and books are in the base coin unless a row says otherwise.
    """

    linear: str = ""
    inverse: str = ""
    spot: str = COINS
    sides: str = ONE

    def of(self, item: Instrument) -> str:
        """The unit of one instrument."""
        return self.spot if item.spot else self.inverse if item.inverse else self.linear


@dataclass(frozen=True)
class Interest:
    """A venue's open interest: where its number stands, what it counts, how its history is asked for.

    Parameters
    ----------
    linear, inverse : tuple of str
        Field and unit. A field is one of ccxt's row, or ``info.name`` or ``info.2`` (a place) of the venue's own.
    sides : str
        ``one`` or ``both``.
    limit : int
        Rows of one request; 0: there is no history to ask for, only the number of this moment.
    periods : tuple of str
        Time frames of the history.
    rows : int
        The venue keeps only so many of the newest rows; 0: no such rule is known.
    single : str
        Field of the venue's row that counts one side, where newer replies have it.
    unit_field : str
        Field of the venue's row that tells the unit; `unit_values` says how. It goes before `linear` and `inverse`.
    width : int
        Number of places of the venue's own row; one of another shape is refused with `other_width`.
    """

    linear: tuple[str, str]
    inverse: tuple[str, str]
    sides: str = ONE
    limit: int = 0
    periods: tuple[str, ...] = ()
    rows: int = 0
    single: str = ""
    unit_field: str = ""
    unit_values: Mapping[str, str] = field(default_factory=dict)
    width: int = 0
    other_width: str = ""


@dataclass(frozen=True)
class Forced:
    """How a venue writes a liquidation: whose side its field means, and what its size counts.

    `means`: ``position`` (buy or long = a long was liquidated), ``order`` (sell = a long was), or ``sign`` (a signed
    size of the position). `left` was not filled; `turnover` [quote] proves the unit where the row has it.
    """

    side: str
    means: str
    size: str
    stamp: str
    price: str
    left: str = ""
    unit: str = CONTRACTS
    per_second: int = 1000
    turnover: str = ""


@dataclass(frozen=True)
class Row:
    """One venue.

    Parameters
    ----------
    exchanges : tuple of str
        ccxt's names; those that share their code share the row.
    source : str
        Fields and documents.
    volume, depth : Count
        What candles and order books count.
    open_interest : Interest, optional
        None: not offered, or its unit is not known.
    liquidations : tuple of Forced
        The first rule whose fields a row has decides.
    asked : tuple of (str, int), optional
        Longest window and rows of one request for liquidations; None: they cannot be asked for, see `no_liquidations`.
    rate_hours : int
        Hours that a funding rate is for, where that is not the distance of the stamps.
    funding_limit : int
        Rows of one request for funding rates.
    newest : mapping
        Kind → rows that the venue keeps.
    read, tested : str
        Day on which the sources were read; versions of ccxt that the row was tested with.
    """

    exchanges: tuple[str, ...]
    source: str
    volume: Count = Count()
    depth: Count = Count()
    open_interest: Interest | None = None
    liquidations: tuple[Forced, ...] = ()
    asked: tuple[str, int] | None = None
    no_liquidations: str = ""
    rate_hours: int = 0
    funding_limit: int = 100
    newest: Mapping[str, int] = field(default_factory=dict)
    read: str = READ
    tested: str = TESTED


_USUAL = ("5m", "15m", "30m", "1h", "4h", "1d")
_BINANCE = (Forced("S", "order", "z", "T", "ap"), Forced("side", "order", "executedQty", "time", "avgPrice"))
_BINANCE_OI = Interest(("openInterestAmount", COINS), ("openInterestAmount", CONTRACTS))
_HTX_5 = ("volume", "liquidation_time", "bankrupt_price", "", CONTRACTS, 1000, "trade_turnover")

ROWS = (
    Row(("binance",), "Binance futures APIs through ccxt; its candles lack the taker-buy volume",
        Count(COINS, COINS), Count(COINS, CONTRACTS), _BINANCE_OI, _BINANCE),
    Row(("binanceusdm",), "Binance, USD-M liquidation order streams (z: accumulated fill)",
        Count(COINS, COINS), Count(COINS), _BINANCE_OI, _BINANCE),
    Row(("binancecoinm",), "Binance, COIN-M liquidation order streams (z in contracts)",
        Count(COINS, COINS), Count("", CONTRACTS), _BINANCE_OI, _BINANCE),
    Row(("aster",), "Aster API, klines: base volume", Count(COINS)),
    Row(("bybit", "bybiteu", "bybitid"),
        "Bybit V5, Get Open Interest: openInterest is the sum of both sides (told since 2023-11), singleOpenInterest "
        "one side (since 2026-06); inverse in USD; All Liquidation: S is the side of the position, p the bankruptcy "
        "price",
        Count(COINS, COINS), Count(COINS, QUOTE),
        Interest(("openInterestAmount", COINS), ("openInterestValue", QUOTE), BOTH, 200, _USUAL,
                 single="singleOpenInterest"),
        (Forced("S", "position", "v", "T", "p"),),
        no_liquidations="it is on the live stream allLiquidation only", funding_limit=200),
    Row(("okx", "myokx", "okxus"),
        "OKX V5, Get candlesticks (volCcy), Get contract open interest history (oi, oiCcy, oiUsd of the instrument), "
        "Liquidation orders channel (sz in contracts, bkPx); up to ccxt 4.5.84 the history was of all contracts of a "
        "coin in USD",
        Count(COINS, COINS), Count(CONTRACTS, CONTRACTS),
        Interest(("info.2", COINS), ("info.2", COINS), ONE, 100, ("5m", "1h", "1d"), rows=1440, width=4,
                 other_width="three columns are the open interest and the volume [USD] of all contracts of the coin, "
                 "as ccxt asked for them up to 4.5.84: pip install 'ccxt>=4.5.85'"),
        (Forced("posSide", "position", "sz", "ts", "bkPx"), Forced("side", "order", "sz", "ts", "bkPx")),
        no_liquidations="ccxt has no method for it, and the venue keeps a few days only"),
    Row(("gate", "gateeu"),
        "Gate API v4, contract_stats (open_interest: total size in contracts; a public comparison of 2026-09 finds it "
        "twice the contract's position_size, the venue does not say so: it is not halved), liq_orders (size of the "
        "position, order_size of the order, left unfilled), candlesticks (v in contracts; 7d counts from a Thursday)",
        Count(CONTRACTS, CONTRACTS), Count(CONTRACTS, CONTRACTS),
        Interest(("openInterestAmount", CONTRACTS), ("openInterestAmount", CONTRACTS), ONE, 100, _USUAL),
        (Forced("size", "sign", "order_size", "time", "fill_price", left="left", per_second=1),
         Forced("size", "sign", "size", "time", "fill_price", left="left", per_second=1)),
        asked=("1h", 1000), funding_limit=1000),
    Row(("hyperliquid",), "Hyperliquid API, candleSnapshot: v in coins; liquidations are not published as such",
        Count(COINS), Count(COINS), no_liquidations="they are not published as such", funding_limit=500,
        newest={"candles": 5000}),
    Row(("htx",),
        "HTX USDT-margined and coin-margined swap APIs: kline amount, vol and open interest are 'the sum of both buy "
        "and sell sides'; swap_his_open_interest: amount_type 1 contracts, 2 coins; v5 liquidation orders: volume and "
        "amount in contracts, v3: amount in coins; days and weeks open at 16:00 UTC",
        Count(COINS, COINS, sides=BOTH), Count(CONTRACTS, CONTRACTS),
        Interest(("openInterestAmount", COINS), ("openInterestAmount", COINS), BOTH, 200, ("1h", "4h", "12h", "1d"),
                 200, unit_field="amount_type", unit_values={"1": CONTRACTS, "2": COINS}),
        (Forced("position_side", "position", *_HTX_5),
         Forced("side", "order", *_HTX_5),
         Forced("direction", "order", "amount", "created_at", "price", unit=COINS, turnover="trade_turnover")),
        asked=("1h", 50), funding_limit=50),
    Row(("bitget",), "Bitget API v2, mix candles: base volume", Count(COINS), Count(COINS)),
    Row(("kucoinfutures", "kucoin"), "KuCoin futures, klines and order books in lots (contracts)",
        Count(CONTRACTS, CONTRACTS), Count(CONTRACTS, CONTRACTS)),
    Row(("mexc",), "MEXC contract API, kline vol in contracts", Count(CONTRACTS, CONTRACTS),
        Count(CONTRACTS, CONTRACTS)),
    Row(("bitfinex",), "Bitfinex API v2, candles in coins; status liquidations are of all symbols",
        Count(COINS), Count(COINS), liquidations=(Forced("5", "sign", "5", "2", "11"),),
        no_liquidations="its rows are of all symbols at once, some of them triggers and some executions"),
    Row(("deribit",),
        "Deribit, public/get_book_summary_by_instrument: open_interest in coins of linear contracts, in USD of inverse "
        "ones (ccxt writes both into openInterestValue but for dated linear ones); get_funding_rate_history: hourly "
        "rows, ccxt takes interest_8h",
        Count(COINS, COINS), Count(COINS, QUOTE),
        Interest(("info.open_interest", COINS), ("info.open_interest", QUOTE)), rate_hours=8,
        no_liquidations="what ccxt calls so are bankruptcies of a session, without a side"),
    Row(("krakenfutures",), "Kraken futures, charts: coins of linear contracts, contracts of 1 USD of inverse ones",
        Count(COINS, CONTRACTS), Count(COINS, CONTRACTS)),
    Row(("bingx",), "BingX swap v3, klines: base volume", Count(COINS)),
    Row(("dydx",), "dYdX indexer, candles: baseTokenVolume", Count(COINS)),
    Row(("blofin",), "BloFin, candlesticks: the base volume beside that in contracts", Count(COINS, COINS)),
    Row(("backpack",), "Backpack, klines: volume beside quoteVolume", Count(COINS)),
    Row(("grvt",), "GRVT, candlestick: volume_b, base", Count(COINS)),
    Row(("lighter",), "Lighter, candles: v base beside V quote", Count(COINS)),
    Row(("derive",), "Derive, candles: volume_contracts", Count(CONTRACTS)),
    Row(("hibachi",), "Hibachi, klines: volumeNotional", Count(QUOTE)),
    Row(("btse",), "BTSE, candles: volume in quote currency, spot too", Count(QUOTE, spot=QUOTE)),
    Row(("paradex",), "Paradex, markets/klines: the document does not tell the unit of the volume", Count()),
    Row(("kraken",), "Kraken spot, OHLC: volume in coins", Count(), newest={"candles": 720}),
    # a further venue: one row above this line, with `read` and `tested` of its own
)  # fmt: skip
_BY_EXCHANGE = {name: row for row in ROWS for name in row.exchanges}
EXCHANGES = tuple(_BY_EXCHANGE)
UNKNOWN = Row((), "")


def row_of(exchange: str) -> Row:
    """The venue's row; of a venue without one, an empty row: what its contracts count is not known."""
    return _BY_EXCHANGE.get(exchange, UNKNOWN)


def in_coins(amount: Any, price: Any, unit: str, item: Instrument, sides: str = ONE) -> Any:
    """Amounts in coins, one side counted.

    Examples
    --------
    Ten contracts of 0.0001 BTC; ten of 100 USD at 50,000; an open interest of 10 coins that counts both sides.

    >>> in_coins(10, 50_000, "contracts", Instrument("gate", "BTC/USDT:USDT", "", contract_size=0.0001))
    0.001
    >>> in_coins(10, 50_000, "contracts", Instrument("okx", "BTC/USD:BTC", "", inverse=True, contract_size=100.0))
    0.02
    >>> in_coins(10, 50_000, "coins", Instrument("htx", "BTC/USDT:USDT", ""), "both")
    5.0
    """
    counted = amount / 2 if sides == BOTH else amount
    if unit == COINS:
        return counted
    worth = counted * item.contract_size if unit == CONTRACTS else counted
    return worth / price if item.inverse or unit == QUOTE else worth


def units(exchange: str) -> tuple[Unit, ...]:
    """What the numbers of a venue count, kind by kind; nothing of a venue without a row."""
    row = row_of(exchange)
    if row is UNKNOWN:
        return ()
    about = {"source": row.source, "read": row.read, "tested": row.tested}
    found = [Unit("candles", row.volume.linear, row.volume.inverse, row.volume.sides, "open", **about)]
    if row.open_interest is not None:
        rule = row.open_interest
        found.append(Unit("open_interest", rule.linear[1], rule.inverse[1], rule.sides, "instant", **about))
    if row.liquidations:
        kinds = "/".join(dict.fromkeys(rule.unit for rule in row.liquidations))
        found.append(Unit("liquidations", kinds, kinds, ONE, "instant", **about))
    if row.depth.linear or row.depth.inverse:
        found.append(Unit("depth", row.depth.linear, row.depth.inverse, ONE, "instant", **about))
    hours = f"rate of {row.rate_hours} h" if row.rate_hours else "rate of the interval"
    return (*found, Unit("funding_rate", hours, hours, ONE, "instant", **about))
