"""What funding rates are written in: fractions or per cent, told by the caller or seen; and hours from any unit."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from liqlab.loaders.column_names import Parsed
from liqlab.loaders.exchanges._ccxt_parse import rate_hours
from liqlab.loaders.interest_units import price_at
from liqlab.loaders.layouts import CCXT, UNTOLD, fold

__all__ = ["FRACTION", "PERCENT", "fractions", "with_hours"]

FRACTION, PERCENT = "fraction", "percent"
_FEWEST = 20  # rows from which a size is believed
_LEAST_PERCENT, _MOST_FRACTION = 5e-3, 2e-4  # medians: .5 % per interval is no usual rate, nor is .0002 %


def fractions(parsed: Parsed, frame: pd.DataFrame, candles: pd.DataFrame, step: pd.Timedelta, said: str,
              file: str) -> tuple[pd.DataFrame, str]:  # fmt: skip
    """Funding rates as fractions per interval.

    Parameters
    ----------
    parsed : Parsed
        What the table was found as.
    frame : DataFrame (time,)
        funding_rate.
    candles, step
        Their prices tell a rate from a price.
    said : str
        ``fraction`` or ``percent`` where the caller says it.
    file : str
        What to call it in messages.

    Returns
    -------
    frame : DataFrame (time,)
    note : str

    Raises
    ------
    ValueError
        Where the layout leaves it open and the rates' size does not tell.
    """
    said = said or (PERCENT if _named_percent(parsed) else "")
    bars = parsed.layout.unit == UNTOLD
    if bars:
        _refuse_prices(frame["funding_rate"], price_at(candles, frame.index, step), file)
    unit = said or (_seen(frame["funding_rate"], file) if bars else FRACTION)
    note = "the open of each bar; for how long a rate is, its bars do not tell" if bars else ""
    if unit == FRACTION or _has_signs(parsed):
        return frame, note
    if not said:
        middle = float(frame["funding_rate"].abs().median())
        warnings.warn(f"{file}: rates of {middle:.4g} in the middle are per cent and were divided by 100; pass "
                      "units={'funding_rate': 'fraction'} if they are not", stacklevel=2)  # fmt: skip
    return frame.assign(funding_rate=frame["funding_rate"] / 100), "; ".join(filter(None, [note, "per cent ÷ 100"]))


def with_hours(parsed: Parsed, frame: pd.DataFrame, exchange: str) -> pd.DataFrame:
    """Rates of ccxt's rows with the hours that they are for, where the venue's are not for the distance of the rows."""
    if parsed.layout.unit != CCXT or "interval_hours" in frame:
        return frame
    infos = list(parsed.found["info"]) if "info" in parsed.found else []
    hours = rate_hours(frame["funding_rate"].to_numpy(), infos, exchange)
    return frame.assign(interval_hours=float(hours)) if hours else frame


def _named_percent(parsed: Parsed) -> bool:
    """Whether the name of the rates' column says so: ``Funding Rate (%)``."""
    return any("%" in str(name) and fold(name) in ("fundingrate", "rate") for name in parsed.found.columns)


def _has_signs(parsed: Parsed) -> bool:
    """Whether a per-cent sign stands behind the numbers, which are divided already."""
    rates = [fold(name) for name, ours in parsed.layout.columns.items() if ours == "funding_rate"]
    columns = [name for name in parsed.found.columns if fold(name) in rates]
    return any(str(value).strip().endswith("%") for name in columns for value in parsed.found[name].head(1))


def _refuse_prices(rates: pd.Series, price: np.ndarray, file: str) -> None:
    near = np.abs(np.log(rates.where(rates > 0).to_numpy() / price)) < np.log(2)
    if near.mean() > 0.5:
        raise ValueError(f"{file}: the values given as funding are the prices of the candles ({rates.iloc[0]:.6g}): "
                         "these are candles; pass the table of the rates")  # fmt: skip


def _seen(rates: pd.Series, file: str) -> str:
    paid = rates[rates != 0].abs()
    middle = float(paid.median()) if len(paid) else 0.0
    if len(paid) >= _FEWEST and not _MOST_FRACTION < middle < _LEAST_PERCENT:
        return PERCENT if middle >= _LEAST_PERCENT else FRACTION
    raise ValueError(f"{file}: bars of a funding rate are fractions or per cent, and neither the layout nor their size "
                     f"(in the middle {middle:.4g}, {len(paid)} rows other than 0) tells which; pass "
                     "units={'funding_rate': 'percent'} or 'fraction'")  # fmt: skip
