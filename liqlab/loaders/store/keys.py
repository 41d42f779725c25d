"""What is kept under which name: keys, their columns, and the folders they stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liqlab.market.clock import timedelta
from liqlab.market.market import OPTIONAL_CANDLE_COLUMNS, PRICES

__all__ = ["COLUMNS", "DEPTH_BP", "FILE", "Key", "folder", "key_of", "month_file"]

FILE = "data.parquet"
_PARTS = ("exchange", "symbol", "kind", "timeframe")
_MAX_NAME = 200  # characters of one part of a path; file systems allow 255 bytes, and its name stands before it
DEPTH_BP = (5, 10, 25, 50, 100, 200, 500)  # distances from the mid price within which a book is summed up
_NO_TIMEFRAME = "-"  # an empty hive value would be read as NULL by some tools and refused by others


@dataclass(frozen=True)
class Columns:
    """Columns of one kind of table; a row may lack the optional ones (NaN) where its source does not tell them."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both, in the order in which they are written."""
        return (*self.required, *self.optional)


COLUMNS: Mapping[str, Columns] = {
    "candles": Columns((*PRICES, "volume"), OPTIONAL_CANDLE_COLUMNS),
    "mark_candles": Columns(PRICES),
    "open_interest": Columns(
        ("open_interest",),
        ("open_interest_value", "top_account_ratio", "top_position_ratio", "account_ratio", "taker_ratio"),
    ),
    "funding_rate": Columns(("funding_rate",), ("funding_interval_hours", "mark_price")),
    "liquidations": Columns(("long", "short"), ("orders",)),
    "taker": Columns(("taker_buy_share",)),
    "liquidation_events": Columns(("side", "price", "quantity"), ("average_price", "order_quantity")),
    "depth": Columns(("mid",), tuple(f"{side}_{bp}bp" for side in ("bid", "ask") for bp in DEPTH_BP)),
}


@dataclass(frozen=True)
class Key:
    """Name of one series in the store.

    Parameters
    ----------
    exchange : str
        ``binanceusdm``, ccxt's spelling.
    symbol : str
        ``BTC/USDT:USDT``, ccxt's spelling.
    kind : str
        One of candles, mark_candles, open_interest, funding_rate, liquidations, taker, liquidation_events, depth.
    timeframe : str
        ``5m``; empty for what has no regular step (funding).

    Examples
    --------
    >>> Key("binanceusdm", "BTC/USDT:USDT", "candles", "5m").folder("/data").as_posix()
    '/data/exchange=binanceusdm/symbol=BTC%2FUSDT%3AUSDT/kind=candles/timeframe=5m'
    """

    exchange: str
    symbol: str
    kind: str
    timeframe: str

    def __post_init__(self) -> None:
        for part in ("exchange", "symbol"):
            if not isinstance(getattr(self, part), str) or not getattr(self, part).strip():
                raise ValueError(f"a key of the store needs its {part}, got {getattr(self, part)!r}; pass "
                                 "exchange='binanceusdm', symbol='BTC/USDT:USDT'")  # fmt: skip
            if len(_encoded(getattr(self, part))) > _MAX_NAME:
                raise ValueError(f"{part} {getattr(self, part)[:20]!r}… is too long for a folder of the store: "
                                 f"{len(_encoded(getattr(self, part)))} characters where {_MAX_NAME} are allowed; "
                                 "pass it as ccxt spells it, such as BTC/USDT:USDT")  # fmt: skip
        if self.kind not in COLUMNS:
            raise ValueError(f"the store keeps no kind {self.kind!r}; it keeps {', '.join(COLUMNS)}")
        if self.timeframe:
            timedelta(self.timeframe)

    def folder(self, store: Any = None) -> Path:
        """The folder that holds the months of this series."""
        names = [f"{part}={_encoded(getattr(self, part) or _NO_TIMEFRAME)}" for part in _PARTS]
        return folder(store).joinpath(*names)

    def __str__(self) -> str:
        return f"{self.kind} of {self.symbol} on {self.exchange}{', ' + self.timeframe if self.timeframe else ''}"


def folder(path: Any = None) -> Path:
    """Where the store lies: the argument, else the environment variable LIQLAB_STORE, else the user's data folder.

    Parameters
    ----------
    path : path, optional
        A folder of one's own. It need not exist yet.

    Returns
    -------
    Path
        Absolute; nothing is created.

    Raises
    ------
    ValueError
        Where a file lies at this place.
    """
    if path is None:
        path = os.environ.get("LIQLAB_STORE") or None
    if path is None:
        from platformdirs import user_data_dir

        path = Path(user_data_dir("liqlab", appauthor=False)) / "store"
    place = Path(path).expanduser().absolute()
    if place.is_file():
        raise ValueError(f"the store must be a folder, but {place} is a file; pass another with store= or the "
                         "environment variable LIQLAB_STORE")  # fmt: skip
    return place


def month_file(key: Key, month: str, store: Any = None) -> Path:
    """The file of one month, ``2024-05``."""
    return key.folder(store) / f"month={month}" / FILE


def key_of(file: Path, store: Path) -> tuple[Key, str]:
    """Key and month that a file's place stands for.

    Raises
    ------
    ValueError
        Where the file lies outside the layout.
    """
    *folders, name = file.relative_to(store).parts
    given = dict(part.partition("=")[::2] for part in folders)
    month = given.get("month", "")
    if list(given) != [*_PARTS, "month"] or name != FILE or not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        layout = "/".join(f"{part}=…" for part in _PARTS)
        raise ValueError(f"not a place of the store's layout, {layout}/month=2024-05/{FILE}; move the file elsewhere")
    parts = {part: _decoded(given[part]) for part in _PARTS}
    if parts["timeframe"] == _NO_TIMEFRAME:
        parts["timeframe"] = ""
    return Key(**parts), month


def _encoded(text: str) -> str:
    """Percent-encoded but for letters, digits, ``_``, ``.`` and ``-``: a name that every file system takes."""
    return "".join(chr(b) if re.match(rb"[A-Za-z0-9_.-]", bytes([b])) else f"%{b:02X}" for b in text.encode())


def _decoded(name: str) -> str:
    return re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), name.encode()).decode()
