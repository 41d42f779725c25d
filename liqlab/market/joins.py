"""Causal joins: what was known of a coarser table at the close of every candle."""

from __future__ import annotations

import numpy as np

from liqlab.market.clock import nanoseconds, step_of
from liqlab.market.market import Market
from liqlab.market.provenance import TakerUse


def taker_share(market: Market) -> tuple[np.ndarray, TakerUse]:
    """Taker-buy share [0..1] of every candle, ½ where it is not known, and what was used.

    The candle's own taker-buy volume is complete at its close; a coarser share is used from its completion on.
    """
    candles = market.candles
    if "taker_buy_volume" in candles:
        volume, buy = candles["volume"].to_numpy(), candles["taker_buy_volume"].to_numpy()
        share = np.divide(buy, volume, out=np.full(len(volume), np.nan), where=volume > 0)
        return _halves(share, "candle")
    if market.taker is not None:
        known_at = nanoseconds(market.taker.index) + step_of(market.taker).as_unit("ns").value
        share = at_close(market, known_at, market.taker["taker_buy_share"].to_numpy())
        return _halves(share, "coarser")
    return _halves(np.full(len(candles), np.nan), "none")


def at_close(market: Market, known_at: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Last value known at every candle's close, NaN before the first (backward join on the moment of completion)."""
    row = row_at_close(market, known_at)
    return np.where(row >= 0, value[np.maximum(row, 0)], np.nan)


def row_at_close(market: Market, known_at: np.ndarray) -> np.ndarray:
    """Last row of a table, complete at ascending moments [ns], that is known at every candle's close; −1 before."""
    close = nanoseconds(market.candles.index) + market.step.as_unit("ns").value
    first = np.searchsorted(close, known_at)  # each row's first candle: fewer look-ups than the other way round
    return np.cumsum(np.bincount(first, minlength=len(close) + 1)[: len(close)]) - 1


def _halves(share: np.ndarray, kind: str) -> tuple[np.ndarray, TakerUse]:
    unknown = np.isnan(share)
    return np.where(unknown, 0.5, share), TakerUse(kind, len(share), int(unknown.sum()))
