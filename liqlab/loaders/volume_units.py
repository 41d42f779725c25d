"""What amounts count: settled by the columns beside them, by the venue's rule, or refused with the numbers.

Turnover ÷ volume is a bar's mean price if the volume counts coins, so it must lie between low and high; value ÷ open
interest is the price of that instant. What these say weighs more than any name. A factor that is clearly a contract's
size is applied and said; where two readings are possible, or the rows are too few, both are shown and none is taken.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.layouts import COINS, QUOTE, UNTOLD, VOLUMES
from liqlab.loaders.unit_readings import CONTRACTS, FACES, INVERSE, of_thousands, readings, remedy_for

__all__ = ["BOTH", "HALVED", "MOST_PRICE", "SCALED", "SHARP", "STRAYS", "Claim", "are_coins_and_turnover",
           "candle_volume", "explains"]  # fmt: skip

BOTH = "both"
_FEWEST = 20  # rows from which a factor is believed
MOST_PRICE = 2e6  # dollars for a coin: none has ever cost a tenth of it; cents or a scale make more of a bitcoin
SCALED = ("; or are the prices whole numbers of a scale (Phemex: × 10,000)? Then divide the prices, and the turnover "
          "where there is one, by that scale first")  # fmt: skip
SHARP = 0.02  # so near to a round size a factor must lie
STRAYS = 0.05  # share of bars that may lie outside where a reading is chosen by its ratio
_PART = 1 << 15  # rows that a cache holds


@dataclass(frozen=True)
class Claim:
    """What is said of a table's unit before its numbers are looked at.

    Attributes
    ----------
    unit : str
        ``coins``, ``contracts``, ``quote``, ``untold``, or empty.
    by : str
        Who says so: ``units`` (the caller), the layout, or the venue; used in messages.
    size : float, optional
        Worth of one contract [coins; quote if inverse].
    inverse : bool
        Margin in the base coin.
    sides : str
        ``both`` where the venue counts a coin that two traders exchange twice.
    """

    unit: str = ""
    by: str = ""
    size: float | None = None
    inverse: bool = False
    sides: str = ""

    @property
    def sure(self) -> bool:
        """Said by the caller: what speaks against it is an error and not a better reading."""
        return self.by == "units"


def explains(volume: np.ndarray, turnover: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether two columns can be what was traded and its turnover, in whatever unit the first counts.

    Examples
    --------
    Contracts of 0.01 coins at 60,000: turnover ÷ volume is 600.

    >>> low, high = np.full(3, 59_000.0), np.full(3, 61_000.0)
    >>> explains(np.array([1.0, 5, 2]), np.array([600.0, 3000, 1200]), low, high)
    True
    >>> explains(np.array([1.0, 5, 2]), np.array([40.0, 7, 93]), low, high)
    False
    """
    on = (volume > 0) & (turnover > 0)
    if not on.any():
        return not (turnover > 0).any()
    mean, price = turnover[on] / volume[on], (low[on] + high[on]) / 2
    factors = [float(np.median(mean / price)), float(np.median(mean * price))]
    sizes = [10.0 ** np.round(np.log10(factors[0])), 10.0 ** np.round(np.log10(factors[1]))]
    linear = (mean >= sizes[0] * low[on] * 0.99) & (mean <= sizes[0] * high[on] * 1.01)
    inverse = (1 / mean >= low[on] / sizes[1] * 0.99) & (1 / mean <= high[on] / sizes[1] * 1.01)
    return bool(max(linear.mean(), inverse.mean()) >= 1 - STRAYS)


# --- candles ----------------------------------------------------------------------------------------------------------


def candle_volume(frame: pd.DataFrame, *, file: str, claim: Claim) -> tuple[pd.DataFrame, str]:
    """Volume [coins] and quote_volume of candles, from whichever columns hold them.

    Parameters
    ----------
    frame : DataFrame (time,)
        open, high, low, close and one or several of volume, base_volume, quote_volume, either_volume, vwap.
    file : str
        What to call it in messages.
    claim : Claim
        What the caller, the layout or the venue says of `volume`.

    Returns
    -------
    frame : DataFrame (time,)
        Without the columns that were only looked at.
    note : str
        What was taken or multiplied, empty where nothing was.

    Raises
    ------
    ValueError
        Where the columns contradict each other, or the unit is not told and cannot be seen.
    """
    pool = [name for name in VOLUMES if name in frame]
    chosen = _by_ratio(frame, pool, file)
    if chosen is None and "volume" in pool and "either_volume" in pool and "quote_volume" not in pool:
        frame, pool = frame.rename(columns={"either_volume": "quote_volume"}), ["volume", "quote_volume"]
    if chosen is not None:
        if claim.sure and claim.unit not in (COINS, ""):
            raise ValueError(f"{file}: {chosen[1]}/{chosen[0]} is the price of the bars, so {chosen[0]} counts coins, "
                             f"but units says {claim.unit!r}; leave it out")  # fmt: skip
        table, note = _taken(frame, *chosen)
    elif "volume" in pool and "quote_volume" in pool and (frame["quote_volume"] > 0).any():
        table, note = _by_factor(frame, file, claim)
    elif "base_volume" in pool:
        table, note = _taken(frame, "base_volume", "quote_volume" if "quote_volume" in pool else "")
    else:
        table, note = _by_claim(frame, pool, file, claim)
    if claim.sides == BOTH:
        table, note = _scaled(table, 0.5), "; ".join(filter(None, [note, HALVED]))
        if "quote_volume" in table:
            table = table.assign(quote_volume=table["quote_volume"] / 2)
    looked_at = {"base_volume", "either_volume", "vwap"} & set(table)
    return table.drop(columns=list(looked_at)) if looked_at else table, note


def are_coins_and_turnover(frame: pd.DataFrame, coins: str, turnover: str) -> bool:
    """Whether the ratio of two columns is the price of the bars."""
    columns = (frame[name].to_numpy() for name in (coins, turnover, "low", "high"))
    return _outside(*columns)[0] <= STRAYS


def _by_ratio(frame: pd.DataFrame, pool: list[str], file: str) -> tuple[str, str] | None:
    """The two columns whose ratio is the price: coins and turnover; by their names if these agree."""
    traded = {name: frame[name].to_numpy() for name in pool}
    low, high = frame["low"].to_numpy(), frame["high"].to_numpy()
    pairs = [(a, b) for a in pool for b in pool if a != b]
    pairs.sort(key=lambda pair: pair != ("volume", "quote_volume"))
    for pair in pairs:
        share, bad, count = _outside(traded[pair[0]], traded[pair[1]], low, high)
        if share <= STRAYS:
            if share:
                _warn_of_strays(frame, bad, count, file)
            return pair
    return None


def _warn_of_strays(frame: pd.DataFrame, bad: np.ndarray, traded: int, file: str) -> None:
    warnings.warn(f"{file}: in {int(bad.sum())} of {traded} bars quote_volume/volume lies outside [low, high], first "
                  f"{frame.index[np.flatnonzero(bad)[0]]}; their volumes may be wrong", stacklevel=2)  # fmt: skip


def _outside(coins: np.ndarray, turnover: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, Any, int]:
    """Share of traded bars whose mean price lies outside [low, high] (to 1 %), which, and how many were traded."""
    bad = coins > 0
    traded = int(bad.sum())
    for first in range(0, len(bad), _PART):
        part = slice(first, first + _PART)
        least, most = coins[part] * low[part], coins[part] * high[part]
        least *= 0.99
        most *= 1.01
        bad[part] &= (turnover[part] < least) | (turnover[part] > most)
    return (float(bad.sum()) / traded if traded else 1.0), bad, traded


def _taken(frame: pd.DataFrame, coins: str, turnover: str) -> tuple[pd.DataFrame, str]:
    """Volume from the column of coins, quote volume from that of the turnover; takers' volumes go along."""
    if (coins, turnover) == ("volume", "quote_volume"):
        return frame, ""
    taken = {"volume": frame[coins], **({"quote_volume": frame[turnover]} if turnover else {})}
    swapped = coins == "quote_volume"
    table = frame.drop(columns=[name for name in ("volume", "quote_volume") if name in frame])
    if swapped and "taker_buy_volume" in table:  # of coin-margined contracts the second column holds the coins
        table = table.drop(columns="taker_buy_volume")
        if "taker_buy_quote_volume" in table:
            table = table.rename(columns={"taker_buy_quote_volume": "taker_buy_volume"})
    place = int(table.columns.get_loc("close")) + 1  # type: ignore[arg-type]
    for number, (name, values) in enumerate(taken.items()):
        table.insert(place + number, name, values)
    return table, f"volume: the column that counts coins ({coins}), by its ratio to the turnover"


def _by_factor(frame: pd.DataFrame, file: str, claim: Claim) -> tuple[pd.DataFrame, str]:
    """Volume and turnover that do not go together: a contract's size, applied if it is clear, else refused."""
    volume, turnover = frame["volume"].to_numpy(), frame["quote_volume"].to_numpy()
    share, bad, traded = _outside(volume, turnover, frame["low"].to_numpy(), frame["high"].to_numpy())
    if traded == 0:
        return frame, ""
    if share <= 0.5:
        _warn_of_strays(frame, bad, traded, file)
        return frame, ""
    on = (volume > 0) & (turnover > 0)
    close = frame["close"].to_numpy()[on]
    mean, price, ratio = (
        float(np.median(x)) for x in (turnover[on] / volume[on], close, turnover[on] / volume[on] / close)
    )
    numbers = (f"quote_volume/volume is {mean:.6g} where the price is {price:.6g}, in {int(bad.sum())} of {traded} "
               "bars: volume looks like ")  # fmt: skip
    found = [one for one in readings(ratio, price) if one[2] != FACES or _explained(frame, *one[2:])]
    if claim.sure and claim.unit == QUOTE and any(unit == QUOTE for *_, unit, _ in found):
        return _by_claim(frame, ["volume"], file, claim)
    works = [one for one in found if _explained(frame, one[2], one[3])]
    stated = _stated(frame, claim, works)
    sharp = bool(works) and works == found and len(works) == 1 and abs(ratio / works[0][3] - 1) < SHARP
    scaled = of_thousands(works[0][3], volume[on], price) if sharp and works[0][2] == CONTRACTS else ""
    if stated is None and sharp and works[0][2] == CONTRACTS and traded >= _FEWEST and not claim.sure and not scaled:
        stated = works[0][2:]
    if stated is not None:
        return _converted(frame, *stated, file, numbers)
    if not found:
        raise ValueError(f"{file}: {numbers}nothing that is known: money and coin-margined contracts do not explain "
                         f"it, and no venue's contracts are of {ratio:.4g} coins; drop the column of the volume if the "
                         "other is surely the turnover (it becomes coins by the price of its bar), or drop that of the "
                         "turnover if the volume counts coins; where both are volumes, keep the one in coins and name "
                         f"it volume{_doubled(ratio)}{SCALED if price > MOST_PRICE else ''}")  # fmt: skip
    words = " or ".join(f"{what}; convert to coins: {how}" for what, how, *_ in found) + scaled
    few = f"; {traded} rows are too few to decide" if traded < _FEWEST and len(found) == 1 else ""
    raise ValueError(f"{file}: {numbers}{words}{few}; or say what it counts: {remedy_for('volume', works or found)}")


def _doubled(ratio: float) -> str:
    near = [factor for factor in (2.0, 0.5) if abs(ratio / factor - 1) < SHARP]
    return f" ({near[0]:g} may be both sides in one column and one side in the other: halve the former)" if near else ""


def _explained(frame: pd.DataFrame, unit: str, size: float) -> bool:
    """Whether a reading brings volume and turnover together in the bars."""
    if unit == QUOTE:
        return True
    if unit == FACES:
        on = frame["volume"] > 0
        return bool((np.abs(frame["quote_volume"][on] / frame["volume"][on] / size - 1) < SHARP).mean() >= 1 - STRAYS)
    scaled = frame.assign(volume=frame["volume"] * size)
    pair = ("volume", "quote_volume") if unit == CONTRACTS else ("quote_volume", "volume")
    return are_coins_and_turnover(scaled, *pair)


def _stated(frame: pd.DataFrame, claim: Claim, works: list[tuple[str, str, str, float]]) -> tuple[str, float] | None:
    """Unit and size as caller or venue state them, where the bars agree."""
    if claim.unit == CONTRACTS and claim.size is not None:
        told = [(unit, claim.size) for unit in (CONTRACTS, INVERSE, FACES)[claim.inverse :]]
        return next((one for one in told if _explained(frame, *one)), None)
    if claim.unit == CONTRACTS or claim.inverse:
        mine = (INVERSE, FACES) if claim.inverse else (CONTRACTS,)
        return next((one[2:] for one in works if one[2] in mine and len(works) == 1), None)
    return None


def _converted(frame: pd.DataFrame, unit: str, size: float, file: str, numbers: str) -> tuple[pd.DataFrame, str]:
    if unit == CONTRACTS:
        warnings.warn(f"{file}: {numbers}contracts of {size:g} coins each; multiplied by {size:g}", stacklevel=2)
        return _scaled(frame, size), f"volume: contracts of {size:g} coins each → coins"
    if unit == FACES:
        return _by_claim(frame.assign(volume=frame["quote_volume"]), ["volume"], file, Claim(QUOTE, "its turnover"))
    warnings.warn(f"{file}: {numbers}coin-margined contracts of {size:g} USD, and quote_volume like coins; the latter "
                  "is taken for the volume", stacklevel=2)  # fmt: skip
    money = frame["volume"] * size
    return _taken(frame.assign(either_volume=money), "quote_volume", "either_volume")


def _by_claim(frame: pd.DataFrame, pool: list[str], file: str, claim: Claim) -> tuple[pd.DataFrame, str]:
    """A volume alone: coins, unless something says otherwise."""
    unit = claim.unit
    if "volume" not in pool:
        if "quote_volume" not in pool:
            raise ValueError(f"{file}: its only volume is in a column that counts coins on one venue and money on "
                             "another; rename it to volume (coins) or turnover (quote)")  # fmt: skip
        frame, unit = frame.assign(volume=frame["quote_volume"]), QUOTE
    if unit in (COINS, ""):
        return frame, ""
    if unit == UNTOLD:
        raise ValueError(f"{file}: what its volume counts is not known ({claim.by}); pass units={{'volume': 'coins'}}, "
                         "'contracts' (with contract_size=) or 'quote'")  # fmt: skip
    if unit == CONTRACTS:
        if claim.size is None:
            raise ValueError(f"{file}: {claim.by} says that volume counts contracts, and nothing tells their size; "
                             f"pass contract_size={'100' if claim.inverse else '0.0001'} or what it is, or "
                             "units={'volume': 'coins'} if it is in coins already")  # fmt: skip
        worth = claim.size / frame["close"] if claim.inverse else claim.size
        note = f"volume: contracts of {claim.size:g} {'quote' if claim.inverse else 'coins'} each → coins"
        return _scaled(frame, worth), note
    mean = frame["vwap"] if "vwap" in frame else frame[["high", "low", "close"]].mean(axis=1)
    warnings.warn(f"{file}: volume is in quote and was divided by {'vwap' if 'vwap' in frame else 'the middle price'} "
                  "of its bar", stacklevel=2)  # fmt: skip
    return _scaled(frame.assign(quote_volume=frame["volume"]), 1 / mean), "volume: quote ÷ price of the bar → coins"


def _scaled(frame: pd.DataFrame, factor: Any) -> pd.DataFrame:
    names = [name for name in ("volume", "taker_buy_volume") if name in frame]
    return frame.assign(**{name: frame[name] * factor for name in names})


HALVED = "sides: both → one"
