"""What every venue is asked through: an instrument, an offer, a link; and the names of the kinds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.http import Failure
from liqlab.market.clock import timedelta

__all__ = ["BARS", "BOTH", "COINS", "CONTRACTS", "KINDS", "ONE", "QUOTE", "Instrument", "Link", "Offer", "Unit",
           "frame_of", "nearest_names", "period_for"]  # fmt: skip

KINDS = ("candles", "open_interest", "funding_rate", "mark_candles", "liquidations", "leverage_tiers")
BARS = ("candles", "mark_candles", "liquidations")  # rows that last; the others are instants
COINS, CONTRACTS, QUOTE = "coins", "contracts", "quote"  # what an amount counts
ONE, BOTH = "one", "both"  # sides: of two who trade one coin with each other one coin is counted, or two


@dataclass(frozen=True)
class Instrument:
    """One contract as its venue describes it.

    Parameters
    ----------
    exchange, symbol, id : str
        ``binanceusdm``, ``BTC/USDT:USDT``, and the venue's own name, ``BTCUSDT``.
    inverse : bool
        Margin and profit in the base coin; the contract is worth a fixed amount of quote.
    contract_size : float
        Worth of one contract [coins; quote if inverse]; 1 where amounts are in coins.
    listed : Timestamp, optional
        Before it there is nothing to ask for.
    pair : str
        Name of the pair where the venue files open interest under it.
    """

    exchange: str
    symbol: str
    id: str
    inverse: bool = False
    contract_size: float = 1.0
    listed: pd.Timestamp | None = None
    pair: str = ""

    @property
    def spot(self) -> bool:
        """Whether coins themselves change hands: ccxt writes the settlement of contracts after a colon."""
        return ":" not in self.symbol


@dataclass(frozen=True)
class Unit:
    """What a venue's numbers of one kind count, and where that is written.

    Parameters
    ----------
    kind : str
        candles (their volume), open_interest, liquidations, funding_rate or depth.
    linear, inverse : str
        ``coins``, ``contracts`` or ``quote``, of linear and of inverse contracts; empty: not known, so refused.
    sides : str
        ``one``: a coin that two traders exchange is counted once; ``both``: twice, and liqlab halves it.
    stamp : str
        What the stamp means: ``open`` of the bar, ``instant``.
    source : str
        Field of the reply and document.
    read : str
        Day on which the source was read.
    tested : str
        Versions of ccxt, or of the venue's own endpoints, whose replies the rule was tested with.
    """

    kind: str
    linear: str
    inverse: str = ""
    sides: str = ONE
    stamp: str = "open"
    source: str = ""
    read: str = ""
    tested: str = ""


@dataclass(frozen=True)
class Offer:
    """What a venue has of one kind.

    Parameters
    ----------
    origin : str
        Endpoint or method, for provenance.
    limit : int
        Rows of one request.
    periods : tuple of str
        Time frames that can be asked for; empty: those of the candles.
    reach : str
        How far back, as ``30d``; empty: to the listing, or not told.
    rows : int
        The venue keeps only so many of the newest rows; 0: no such rule is known.
    window : str
        Longest span of one request, as ``1h``; empty: `limit` rows.
    key : bool
        It needs an API key (from the environment).
    note : str
        What a user must know.
    """

    origin: str
    limit: int = 1000
    periods: tuple[str, ...] = ()
    reach: str = ""
    rows: int = 0
    window: str = ""
    key: bool = False
    note: str = ""


@dataclass(frozen=True, eq=False)
class Link:
    """An open way to a venue: the session and what was learnt on it. It holds no key."""

    exchange: str
    web: Any = field(repr=False)
    base: str = ""
    client: Any = field(default=None, repr=False)
    learnt: dict[str, Any] = field(default_factory=dict, repr=False)


def period_for(timeframe: str, periods: Iterable[str]) -> str:
    """The coarsest period that is not coarser than the time frame; the finest there is, where all are coarser.

    >>> period_for("1m", ["5m", "1h"]), period_for("2h", ["5m", "1h"])
    ('5m', '1h')
    """
    ordered = sorted(periods, key=timedelta)
    fine = [period for period in ordered if timedelta(period) <= timedelta(timeframe)]
    return fine[-1] if fine else ordered[0]


def nearest_names(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the closest ones, or a few."""
    names = sorted(map(str, known))
    by_fold = {other.upper(): other for other in names}
    near = difflib.get_close_matches(str(name).upper(), by_fold, n=4, cutoff=0.5)
    start = [other for other in names if other.partition("/")[0] == str(name).upper().partition("/")[0]]
    hints = list(dict.fromkeys([*(by_fold[other] for other in near), *start]))[:4]
    return f"did you mean {' or '.join(map(repr, hints))}?" if hints else f"there are {', '.join(names[:8])} …"


def frame_of(stamps: Any, columns: dict[str, Any], *, unit: str = "ms") -> pd.DataFrame:
    """A table from epoch stamps and columns of numbers or their texts, sorted, identical rows once.

    Raises
    ------
    Failure
        Where a number is none, or one stamp stands twice with different values: a garbled page, worth asking again.
    """
    try:
        numbers = {name: np.array(values, dtype="float64") for name, values in columns.items()}
        moments = np.array(stamps, dtype="int64").astype(f"datetime64[{unit}]")
        index = pd.DatetimeIndex(moments).as_unit("us").tz_localize("UTC")
    except (TypeError, ValueError, OverflowError):
        raise Failure("a page holds values that are no numbers") from None
    table = pd.DataFrame(numbers, index=index.rename("time"))
    if table.index.is_monotonic_increasing and table.index.is_unique:
        return table
    table = table.reset_index().drop_duplicates().set_index("time").sort_index(kind="stable")
    if not table.index.is_unique:
        raise Failure(f"a page holds {table.index[table.index.duplicated()][0]} twice with different values")
    return table
