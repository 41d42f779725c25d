"""``python -m liqlab.engine.warm [together] [lookback] [apart]``: compile the ledger now, into numba's cache.

Each word is one kind of run: what most maps need; those with a lookback; those by leverage. Default: all.
"""

from __future__ import annotations

import sys

import numpy as np

from liqlab.engine.ledger import run_ledger
from liqlab.engine.records import Columns, Ladder, Steps

KINDS = ("together", "lookback", "apart")


def warm(kind: str) -> None:
    """Run two steps of a small ledger of one kind."""
    cells, bars = np.array([100, 90]), np.zeros(2, np.int64)
    steps = Steps(cells, cells, cells, cells, np.ones((2, 2)), np.array([2.0, 1.5]), bars)
    ladder = Ladder(np.array([10.0, 20.0]), np.full((2, 2), 5), np.full((2, 2), 0.5), bars, np.array([1.0, 2.0]))
    columns = Columns(np.array([1]), np.array([1 if kind == "lookback" else 0]), np.array([1.0, 1.005, 1.01]))
    run_ledger(steps, ladder, columns=columns, flows=True, by_level=kind == "apart")


if __name__ == "__main__":
    for word in sys.argv[1:] or KINDS:
        warm(word)
