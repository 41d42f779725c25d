"""What open interest counts: settled by its value and the price of the instant, by the venue's rule, or refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from liqlab.loaders.layouts import COINS, QUOTE, UNTOLD
from liqlab.loaders.unit_readings import CONTRACTS, NEAR, readings, remedy_for, thousands
from liqlab.loaders.volume_units import BOTH, HALVED, SHARP, STRAYS, Claim
from liqlab.market.clock import nanoseconds

__all__ = ["in_coins_at", "open_interest", "price_at"]


def price_at(candles: pd.DataFrame, index: pd.Index, step: pd.Timedelta) -> np.ndarray:
    """Price [quote] of each moment: the open of the candle that begins then, else the middle of the one it lies in.

    NaN where no candle is; the close of the last candle counts as well.
    """
    opens, moments = nanoseconds(candles.index), nanoseconds(index)
    row = np.searchsorted(opens, moments, side="right") - 1
    inside = (row >= 0) & (moments <= opens[row] + step.as_unit("ns").value)
    first, last = candles["open"].to_numpy()[row], candles["close"].to_numpy()[row]
    at = (moments - opens[row]) / step.as_unit("ns").value
    return np.where(inside, np.where(at == 0, first, np.where(at == 1, last, (first + last) / 2)), np.nan)


def open_interest(
    frame: pd.DataFrame, candles: pd.DataFrame, step: pd.Timedelta, *, file: str, claim: Claim
) -> tuple[pd.DataFrame, str, float | None]:
    """Open interest [coins], by its value where there is one.

    Parameters
    ----------
    frame : DataFrame (time,)
        open_interest and, where known, value [quote].
    candles : DataFrame (time,)
        Their prices tell what the value belongs to.
    step : Timedelta
        Length of a candle.
    file, claim
        As in `candle_volume`.

    Returns
    -------
    frame : DataFrame (time,)
        open_interest [coins].
    note : str
    size : float or None
        Contract size that was seen.
    """
    amount = frame["open_interest"].to_numpy()
    price = price_at(candles, frame.index, step)
    note, size = "", claim.size
    seen = _per_amount(frame, price)
    if seen is not None:
        ratio, middle, count = seen
        if 1 / NEAR < ratio < NEAR:
            if claim.sure and claim.unit not in (COINS, ""):
                raise ValueError(f"{file}: value ÷ open interest is {middle:.6g}, the price, so it counts coins, but "
                                 f"units says {claim.unit!r}; leave it out")  # fmt: skip
            return _one_side(frame[["open_interest"]], "", claim, None)
        size = _size_of(ratio, middle, count, file, claim, float(np.nanmedian(price)))
    if claim.unit == UNTOLD:
        raise ValueError(f"{file}: nothing in this layout tells whether it counts coins or money; pass "
                         "units={'open_interest': 'coins'} or 'quote', as it was asked for")  # fmt: skip
    if claim.unit in (COINS, ""):
        return _one_side(frame[["open_interest"]], note, claim, None)
    if claim.unit == CONTRACTS and size is None:
        raise ValueError(f"{file}: {claim.by} says that open interest counts contracts, and nothing tells their size; "
                         "pass contract_size=0.0001 or what it is, or units={'open_interest': 'coins'} if it is in "
                         "coins already")  # fmt: skip
    coins = in_coins_at(amount, price, Claim(claim.unit, claim.by, size, claim.inverse), file, "open_interest")
    kept = np.isfinite(coins)
    what = f"contracts of {size:g} {'quote' if claim.inverse else 'coins'} each" if claim.unit == CONTRACTS else "quote"
    if seen is not None:
        warnings.warn(f"{file}: value ÷ open interest is {middle:.6g} where the price is {np.nanmedian(price):.6g}: "
                      f"{what} ({claim.by}); converted to coins", stacklevel=2)  # fmt: skip
    table = pd.DataFrame({"open_interest": coins[kept]}, index=frame.index[kept])
    return _one_side(table, f"{what} → coins", claim, size if claim.unit == CONTRACTS else None)


def _one_side(
    table: pd.DataFrame, note: str, claim: Claim, size: float | None
) -> tuple[pd.DataFrame, str, float | None]:
    if claim.sides != BOTH:
        return table, note, size
    return table / 2, "; ".join(filter(None, [note, HALVED])), size


def _per_amount(frame: pd.DataFrame, price: np.ndarray) -> tuple[float, float, int] | None:
    """Medians of value ÷ amount ÷ price and of value ÷ amount, and of how many rows."""
    if "value" not in frame:
        return None
    amount, value = frame["open_interest"].to_numpy(), frame["value"].to_numpy()
    on = (amount > 0) & (value > 0) & np.isfinite(price)
    if not on.any():
        return None
    each = value[on] / amount[on]
    ratio = each / price[on]
    middle = float(np.median(ratio))
    if (np.abs(ratio / middle - 1) > NEAR - 1).mean() > STRAYS:  # a column that is no value tells nothing
        return None
    return middle, float(np.median(each)), int(on.sum())


def _size_of(ratio: float, middle: float, count: int, file: str, claim: Claim, price: float) -> float | None:
    """The contract size that value ÷ amount shows, if the venue or the caller says that contracts are counted."""
    found = readings(ratio, price)
    numbers = f"value ÷ open interest is {middle:.6g} where the price is {price:.6g}, in the median of {count} row(s)"
    units = {unit for _, _, unit, _ in found}
    if claim.unit == QUOTE and QUOTE in units:
        return None
    sizes = [size for _, _, unit, size in found if unit == CONTRACTS and abs(ratio / size - 1) < NEAR - 1]
    if claim.unit == CONTRACTS and sizes and (claim.size is None or abs(claim.size / sizes[0] - 1) < SHARP):
        return sizes[0]
    if claim.unit == CONTRACTS and claim.inverse and claim.size is not None:
        return claim.size
    if not found:
        raise ValueError(f"{file}: {numbers}: no unit explains it, so one of the two columns is something else, or of "
                         "another market; drop the column of the value if the other counts coins")  # fmt: skip
    words = " or ".join(f"{what}; convert to coins: {how}" for what, how, *_ in found)
    words += "".join(thousands(size, "value", "open interest") for *_, size in found)
    raise ValueError(f"{file}: {numbers}: open interest looks like {words}; name the venue with exchange=, or say what "
                     f"it counts: {remedy_for('open_interest', found)}")  # fmt: skip


def in_coins_at(amount: np.ndarray, price: np.ndarray, claim: Claim, file: str, name: str) -> np.ndarray:
    """Amounts in coins; where a price is needed and none is known: NaN, or an error if it is known nowhere."""
    if claim.unit == CONTRACTS and not claim.inverse:
        return amount * float(claim.size or 1.0)
    if not np.isfinite(price).any():
        raise ValueError(f"{file}: {name} in {claim.unit} needs prices to become coins, and no candle covers it; "
                         "pass candles of the same time")  # fmt: skip
    worth = amount * float(claim.size or 1.0) if claim.unit == CONTRACTS else amount
    return worth / price
