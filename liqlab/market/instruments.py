"""What a symbol says: base, quote, settle coin, kind and expiry, in the spellings of the venues.

Only what a spelling is certain of is stated; the rest stays empty and agrees with anything. Letters of every script
count, and so do figures: ``1000SHIB`` is not ``SHIB``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Instrument", "contradiction", "parse_symbol"]

SPOT, PERPETUAL, FUTURE, OPTION = "spot", "perpetual", "future", "option"

# Longest first. Not TUSD and BUSD: DOTUSD and ARBUSD are dollars.
_QUOTES = ("FDUSD", "USDT", "USDC", "USDE", "DAI", "USD", "EUR", "GBP", "JPY", "KRW", "TRY", "BRL", "AUD", "CAD", "CHF",
           "XBT", "BTC", "ETH", "BNB")  # fmt: skip
_ALIASES = {"XBT": "BTC", "XXBT": "BTC", "XDG": "DOGE"}
_DATE = r"\d{6,8}|\d{1,2}[A-Z]{3}\d{2}|[FGHJKMNQUVXZ]\d{2}"
_SEPARATORS = re.compile(r"[-_/:.]")


@dataclass(frozen=True)
class Instrument:
    """One instrument as far as its symbol tells; an empty field is not known.

    Parameters
    ----------
    base, quote, settle : str
        ``BTC``, ``USDT``, ``USDT``, in capitals; BitMEX's and Kraken's ``XBT`` is ``BTC``.
    kind : str
        ``spot``, ``perpetual``, ``future`` or ``option``.
    expiry : str
        As the venue writes it, ``241227``.
    """

    base: str
    quote: str = ""
    settle: str = ""
    kind: str = ""
    expiry: str = ""

    @property
    def inverse(self) -> bool | None:
        """Whether it settles in its base coin; None where that is not known."""
        return self.settle == self.base if self.settle else None

    def __str__(self) -> str:
        pair = f"{self.base}/{self.quote}" if self.quote else self.base
        words = [self.kind, f"settled in {self.settle}" if self.settle else "", self.expiry]
        told = ", ".join(word for word in words if word)
        return f"{pair} ({told})" if told else pair


def parse_symbol(symbol: str, exchange: str = "") -> Instrument:
    """Read a symbol in ccxt's or in a venue's spelling.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``, ``BTCUSDT``, ``BTC-USDT-SWAP``, ``PF_XBTUSD``, ``XBTUSDTM``, ``BTC-PERPETUAL``,
        ``BTCUSDT_PERP.A``, ``BINANCE:BTCUSDT.P``, …
    exchange : str
        Decides what the spelling alone does not: ``XBTUSD`` is BitMEX's inverse perpetual, and a spot pair on Kraken.

    Examples
    --------
    >>> str(parse_symbol("XBTUSDTM")), str(parse_symbol("BTC-PERPETUAL")), str(parse_symbol("BTCUSDT"))
    ('BTC/USDT (perpetual, settled in USDT)', 'BTC/USD (perpetual, settled in BTC)', 'BTC/USDT')
    >>> parse_symbol("BTC/USD:BTC-241227").kind, parse_symbol("BTC/USD:BTC-241227").inverse
    ('future', True)
    """
    text = str(symbol).strip().upper()
    text = re.sub(r"^([^-_/:]+)[-_]([^-_/:]+):(?=[^:]+$)", r"\1/\2:", text)  # BTC-USDT:USDT, as some write ccxt's
    ccxt = re.fullmatch(r"([^/:]+)/([^/:]+?)(?::([^/:-]+)(?:-(\d{6})(?:-([^:]*))?)?)?", text)
    if ccxt:
        return _of_ccxt(*ccxt.groups())
    if exchange.lower() in _USDC_PERPETUALS:
        text = re.sub(r"^(\w+?)-?PERP(?:-INTX)?$", r"\1-USDC-PERP", text)
    text = re.sub(r"^[A-Z]{3,}:", "", text)  # a listing's venue: BINANCE:BTCUSDT.P
    for pattern, kind, settle in _SPELLINGS:
        found = re.fullmatch(pattern, text)
        if found:
            return _of_parts(found.groupdict(), kind, settle)
    base, quote = _split(text)
    if exchange.lower() == "bitmex" and quote == "USD" and base == "BTC":
        return Instrument(base, quote, base, PERPETUAL)
    if exchange.lower() == "bybit" and quote == "USD" and base:  # its linear ones are in USDT and USDC
        return Instrument(base, quote, base, PERPETUAL)
    if exchange.lower() == "htx" and "-" in text:  # its spot pairs have no hyphen
        return Instrument(base, quote, base if quote == "USD" else quote, PERPETUAL)
    return Instrument(base, quote)


def contradiction(one: Instrument, other: Instrument) -> str:
    """In what two instruments differ, in words; empty where nothing that both tell differs.

    >>> contradiction(parse_symbol("BTC/USDT:USDT"), parse_symbol("BTCUSDT_241227"))
    'perpetual against future'
    >>> contradiction(parse_symbol("BTC/USDT:USDT"), parse_symbol("BTC-USDT-SWAP"))
    ''
    """
    same_pair = one.quote and other.quote and one.base + one.quote == other.base + other.quote  # AR/BUSD is ARB/USD
    for name in ("kind", "settle", "expiry") if same_pair else ("base", "quote", "kind", "settle", "expiry"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine and theirs and mine != theirs and not (name == "expiry" and _same_day(mine, theirs)):
            return f"{mine} against {theirs}"
    return ""


def _same_day(one: str, other: str) -> bool:
    """Whether two expiries can be one: ``241227``, ``20241227``, ``27DEC24``, and ``Z24`` of any day of its month."""
    days = []
    for text in (one, other):
        if named := re.fullmatch(r"(\d{1,2})([A-Z]{3})(\d\d)", text):
            days.append(f"{named[3]}{_MONTHS.index(named[2]) + 1:02}{named[1]:>02}" if named[2] in _MONTHS else text)
        elif named := re.fullmatch(r"([FGHJKMNQUVXZ])(\d\d)", text):
            days.append(f"{named[2]}{'FGHJKMNQUVXZ'.index(named[1]) + 1:02}")
        else:
            days.append(text[-6:])
    return days[0].startswith(days[1]) or days[1].startswith(days[0])


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_USDC_PERPETUALS = ("bybit", "coinbase", "coinbaseinternational", "coinbaseadvanced")  # their BTCPERP, BTC-PERP
_PAIR = r"(?P<pair>[^.:]+?)"
# Spelling, kind, settle coin: "quote" or "base" of the pair; "usd": the base if the quote is USD, else the quote.
_SPELLINGS: tuple[tuple[str, str, str], ...] = (
    (r"T(?P<base>\w+)F0:(?P<quote>US)TF0", PERPETUAL, "quote"),  # Bitfinex
    (r"X(?P<base>[A-Z]{3})Z(?P<quote>USD|EUR|GBP|JPY|CAD)", SPOT, ""),  # Kraken
    (r"PERP_(?P<base>[^_]+)_(?P<quote>USD[TC])", PERPETUAL, "quote"),  # WOO, Orderly
    (r"SPOT_(?P<base>[^_]+)_(?P<quote>[^_]+)", SPOT, ""),
    (r"(?P<pair>\w+USD[TC]?)PERP", PERPETUAL, "usd"),
    (r"PF_" + _PAIR, PERPETUAL, "quote"),  # Kraken, several collaterals
    (r"PI_" + _PAIR, PERPETUAL, "base"),
    (r"FI_" + _PAIR + rf"_(?P<expiry>{_DATE})", FUTURE, "base"),
    (r"FF_" + _PAIR + rf"_(?P<expiry>{_DATE})", FUTURE, "quote"),
    (_PAIR + r"[-_](?:SWAP|PERP)(?:\.\w+)?", PERPETUAL, "usd"),  # OKX, Binance, Coinalyze
    (_PAIR + r"[-_]PERPETUAL", PERPETUAL, "deribit"),
    (_PAIR + r"\.P", PERPETUAL, "stable"),  # TradingView
    (_PAIR + r"[-_](?:UMCBL|CMCBL)", PERPETUAL, "quote"),  # Bitget
    (_PAIR + r"[-_]DMCBL", PERPETUAL, "base"),
    (r"(?P<pair>\w+USD[TC])M", PERPETUAL, "quote"),  # KuCoin
    (r"(?P<pair>\w+USD)M", PERPETUAL, "base"),
    (_PAIR + rf"[-_](?P<expiry>{_DATE})[-_][\d.D]+[-_][CP]", OPTION, ""),
    (_PAIR + rf"[-_](?P<expiry>{_DATE})(?:\.\w+)?", FUTURE, "usd"),
    (r"(?P<pair>(?:XBT|ETH|BTC)(?:USDT?)?)(?P<expiry>[FGHJKMNQUVXZ]\d{2})", FUTURE, ""),  # BitMEX
    (_PAIR + r"\.\w{1,2}", "", ""),  # Coinalyze: the venue's letter
)


def _of_ccxt(base: str, quote: str, settle: str | None, expiry: str | None, rest: str | None) -> Instrument:
    names = (_coin(base), _coin(quote), _coin(settle or ""))
    kind = SPOT if not settle else OPTION if rest else FUTURE if expiry else PERPETUAL
    return Instrument(*names, kind, expiry or "")


def _of_parts(parts: dict[str, str | None], kind: str, settle: str) -> Instrument:
    if "base" in parts:
        base, quote = _coin(parts["base"] or ""), {"US": "USDT"}.get(parts["quote"] or "", parts["quote"] or "")
    else:
        base, quote = _split(parts["pair"] or "")
    if settle == "deribit":  # BTC-PERPETUAL is worth dollars and settles in the coin; BTC_USDC-PERPETUAL in the quote
        settle, quote = ("quote", quote) if quote else ("base", "USD")
    elif kind in (PERPETUAL, FUTURE) and not quote:  # BTC-PERP, BTC-27DEC24
        quote, settle = "USD", ""
    if settle == "stable":  # BTCUSD.P settles in the coin on one venue, in dollars on another
        settle = "" if quote == "USD" else "quote"
    if settle == "usd":
        settle = "base" if quote == "USD" else "quote"
    coin = {"base": base, "quote": quote}.get(settle, "")
    return Instrument(base, quote, coin, kind, parts.get("expiry") or "")


def _split(pair: str) -> tuple[str, str]:
    """``BTC_USDT``, ``BTC-USDT`` and ``BTCUSDT`` → base and quote."""
    parts = [part for part in _SEPARATORS.split(pair) if part]
    if len(parts) == 2:
        return _coin(parts[0]), _coin(parts[1])
    whole = "".join(parts) if len(parts) > 2 else (parts[0] if parts else pair)
    for quote in _QUOTES:
        if whole.endswith(quote) and len(whole) > len(quote):
            return _coin(whole[: -len(quote)]), _coin(quote)
    return _coin(whole), ""


def _coin(name: str) -> str:
    return _ALIASES.get(name, name)
