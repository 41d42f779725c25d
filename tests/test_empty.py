"""What is empty is refused in words that say what to give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import liqlab as lq
from liqlab.market import Market
from liqlab.validation import recovery
from tests.markets import market

ONE = [(100, 101, 99, 100, 10)]


def layered() -> Any:
    return lq.heatmap(market(ONE * 40), "volume", by_leverage=True)


def nothing_explained(of: Market) -> Any:
    return lq.explain(of, 90.0, model="volume").iloc[:0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lq.confluence(layered(), leverages=[]), "two (layers|heatmaps) or more, got"),
        (lambda: lq.claims([]), "claims needs one market or more, got none"),
        (lambda: lq.claims(""), "the table of claims has no part ''; it has all"),
        (lambda: lq.magnet({}), "magnet needs one market or more, got none"),
        (lambda: recovery([]), "recovery needs one simulation or more, got none"),
        (
            lambda: lq.calibrate(lq.load_example("btc-2024-07"), share_of_volume=()),
            "share_of_volume is empty; pass one number",
        ),
        (lambda: lq.plot.explain(nothing_explained(market(ONE * 40)), market(ONE * 40)), "no bar to mark"),
    ],
)
def test_empty_is_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
