"""Shares of the opened coins by leverage: the class that every law is, told or measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Law", "leverage_name", "limits"]


@dataclass(frozen=True, eq=False)
class Law:
    """Shares of the opened coins by leverage.

    Attributes
    ----------
    name : str
        Shown in legends.
    leverage : ndarray (class,)
        Leverages, ascending.
    long, short : ndarray (class,)
        Share of the coins opened on that side, each sums to 1.
    reason : str
        Why these shares: the evidence, or the lack of it.
    spread : int or sequence of int
        Leverage levels per class, one number for all or one for each. 1: positions of a class stand exactly at its
        leverage. More: a class stands for the leverages half-way to its neighbours as well, evenly in log leverage; it
        keeps its label.
    exact : float
        Share [0..1] of every spread class that stands exactly at its leverage nevertheless, as one more level.
    """

    name: str
    leverage: np.ndarray
    long: np.ndarray
    short: np.ndarray
    reason: str = ""
    spread: int | Sequence[int] = 1
    exact: float = 0.0

    def __post_init__(self) -> None:
        leverage = np.asarray(self.leverage, float)
        if leverage.ndim != 1 or not leverage.size or not (leverage >= 1).all() or (np.diff(leverage) <= 0).any():
            raise ValueError(f"a law's leverages must be >= 1 and ascending, got {leverage.tolist()}; pass 25 for 25x")
        object.__setattr__(self, "leverage", leverage)
        spread = np.asarray(self.spread)
        if spread.shape not in ((), leverage.shape) or (spread < 1).any() or (spread != spread.astype(int)).any():
            raise ValueError("a law's spread must be a whole number of leverage levels >= 1, or one for each of its "
                             f"{leverage.size} classes; got {self.spread!r}")  # fmt: skip
        if not 0 <= self.exact < 1:
            raise ValueError(f"a law's exact share must lie in [0, 1), got {self.exact!r}; spread=1 puts all there")
        for side in ("long", "short"):
            object.__setattr__(self, side, _shares(getattr(self, side), leverage, side))

    @property
    def counts(self) -> np.ndarray:
        """Leverage levels of every class (class,), the exact one among them."""
        spread = np.broadcast_to(np.asarray(self.spread, int), self.leverage.shape)
        return spread + (spread > 1) if self.exact else spread

    @property
    def leverage_levels(self) -> np.ndarray:
        """Leverages at which positions stand (leverage_level,), ascending; `leverage` where nothing is spread."""
        return self._levels()[0]

    @property
    def level_shares(self) -> np.ndarray:
        """Share of the coins at every leverage level (side, leverage_level); long first."""
        return np.repeat(np.stack([self.long, self.short]), self.counts, axis=1) * self._levels()[1]

    def _levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Leverages of the levels, and the share of its class that stands at each."""
        if len(self.leverage) == 1:
            return np.repeat(self.leverage, self.counts), np.repeat(1 / self.counts, self.counts)
        levels, shares = [], []
        for own, low, high, count in zip(self.leverage, *limits(self.leverage), self.counts, strict=True):
            n = count - (self.exact > 0) * (count > 1)
            level = low * (high / low) ** ((np.arange(n) + 0.5) / n) if count > 1 else np.array([own])
            share = np.full(n, 1 / n)
            if count > n:
                at = int(np.searchsorted(level, own))
                level, share = np.insert(level, at, own), np.insert(share * (1 - self.exact), at, self.exact)
            levels.append(level)
            shares.append(share)
        return np.concatenate(levels), np.concatenate(shares)

    @property
    def labels(self) -> np.ndarray:
        """Class of every leverage level (leverage_level,)."""
        return np.repeat(self.leverage, self.counts)

    @property
    def ranges(self) -> np.ndarray:
        """Lowest and highest leverage that each class stands for (class, 2); twice its own where it is not spread."""
        own = np.stack([self.leverage, self.leverage], axis=1)
        if len(self.leverage) == 1:
            return own
        return np.where(self.counts[:, None] == 1, own, np.stack(limits(self.leverage), axis=1))

    def named(self, leverages: Any) -> str:
        """Classes by the leverages that they stand for, neighbours joined: ``10x 25x``, ``3.9–22x``.

        >>> import liqlab as lq
        >>> lq.law("retail").named([10, 25]), lq.law("measured").named([5, 10, 20, 125])
        ('10x 25x', '3.9–22x 112–125x')
        """
        told: list[list[float]] = []
        for low, high in self.ranges[np.isin(self.leverage, np.asarray(leverages, float))]:
            if told and low < high and told[-1][1] == low:
                told[-1][1] = high
            else:
                told.append([low, high])
        return " ".join(leverage_name(low, high) for low, high in told)

    def record(self) -> dict[str, Any]:
        """As JSON has it, for `recorded`."""
        return {"name": self.name, "leverage": self.leverage.tolist(), "long": self.long.tolist(),
                "short": self.short.tolist(), "reason": self.reason,
                "spread": np.broadcast_to(self.spread, self.leverage.shape).tolist(), "exact": self.exact}  # fmt: skip

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Law:
        """The very law of a record: its shares are not normalised again, which could change their last digit."""
        law = cls(**record)
        for side in ("long", "short"):
            object.__setattr__(law, side, np.array(record[side], float))
        return law

    def __repr__(self) -> str:
        shares = (f"{x:g}x {a:.1%}/{b:.1%}" for x, a, b in zip(self.leverage, self.long, self.short, strict=True))
        return f"Law {self.name!r} (long/short): {', '.join(shares)}"


def leverage_name(low: float, high: float) -> str:
    """What a class of leverage is called by the leverages that it stands for.

    >>> leverage_name(10, 10), leverage_name(7.07, 14.1), leverage_name(86.6, 111.8)
    ('10x', '7.1–14x', '87–112x')
    """
    return f"{low:g}x" if low == high else f"{_figures(low)}–{_figures(high)}x"


def _figures(leverage: float) -> str:
    """Two figures of a leverage, three from 100 on."""
    return f"{leverage:.2g}" if leverage < 99.5 else f"{leverage:.3g}"


def limits(leverage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leverages for which each class stands: half-way to its neighbours, in logs."""
    middle = np.sqrt(leverage[1:] * leverage[:-1])
    # nobody has less than 1x, and the highest class is a venue's limit, which nobody passes
    low = np.concatenate([[max(leverage[0] ** 2 / middle[0], 1.0)], middle])
    return low, np.append(middle, leverage[-1])


def _shares(share: Any, leverage: np.ndarray, side: str) -> np.ndarray:
    weight = np.asarray(share, float)
    if weight.shape != leverage.shape or not np.isfinite(weight).all() or (weight < 0).any() or weight.sum() <= 0:
        raise ValueError(f"a law's {side} shares must be >= 0, one for each of {leverage.size} leverages, with a "
                         f"positive sum; got {weight.tolist()}")  # fmt: skip
    return weight / weight.sum()
