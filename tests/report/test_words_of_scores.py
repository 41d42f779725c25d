"""Answers of the scoring pages: who is ahead, what was learned, and what is said where little is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from liqlab.report.words_of_scores import (
    agreement_answer,
    default_answer,
    law_answer,
    lead_words,
    positions_answer,
    scores_answer,
)


class Board:
    """Stands for `Scores`: one row for the rival, and the level of its intervals."""

    def __init__(self, *lead: float) -> None:
        self.lead, self.about = lead, {"level": 0.95}

    def of(self, score: str, side: str) -> pd.DataFrame:
        return pd.DataFrame([self.lead], index=["move"], columns=["lead", "lead_low", "lead_high"])


@pytest.mark.parametrize(("lead", "words"), [
    ((0.1, 0.05, 0.2), "ahead by **0.100** (0.050 to 0.200)"),
    ((-0.1, -0.2, -0.05), "behind by **0.100** (0.050 to 0.200)"),
    ((0.1, 0.0, 0.2), "not told apart (**+0.100**, +0.000 to +0.200)"),
    ((np.nan, np.nan, np.nan), "not compared: too few days"),
])  # fmt: skip
def test_the_interval_says_who_is_ahead(lead: tuple[float, float, float], words: str) -> None:
    assert lead_words(*lead) == words
    boards: Any = {"btc": Board(*lead), "eth": Board(0.3, 0.2, 0.4)}
    said = scores_answer(boards, "move")
    assert f"on btc {words}; on eth ahead by **0.300** (0.200 to 0.400)." in said
    assert "(95% intervals)" in said


def test_a_law_that_was_hardly_learned_says_so() -> None:
    half = pd.DataFrame([[0.124, 0.008, 0.222]], index=pd.MultiIndex.from_tuples([("long", 0.5)]),
                        columns=["distance_from_entry", "low", "high"])  # fmt: skip
    classes = pd.DataFrame({"learned": [0.0, 0.3, 0.31, 0.9]})
    leads = pd.DataFrame({"lead": [0.05, -0.01], "lead_low": [0.01, -0.1], "lead_high": [0.1, 0.1]})
    said = law_answer(half, classes, leads)
    assert "2 of 4 classes of leverage were learned" in said
    assert "within **12.4%** of their entry (90 % interval 0.8% to 22.2%)" in said
    assert "in 1 of 2 comparisons, by -0.010 to +0.050" in said


def test_maps_agree_as_far_as_their_pairs() -> None:
    said = agreement_answer({("a", "b"): 0.2, ("a", "c"): 0.6}, pd.Series({"a": 1.0, "b": 20.0, "c": 5.0}))
    assert "two of the 3 maps" in said
    assert "agree at **0.40** in rank correlation (from pair to pair 0.20 to 0.60)" in said
    assert "by a factor of 20" in said
    assert "nothing to be compared with" in agreement_answer({}, {"a": 1.0})


@pytest.mark.parametrize(("lows", "word"), [((-0.1, -0.2), "Hardly"), ((0.1, -0.2), "In part"), ((0.1, 0.2), "Yes")])
def test_true_positions_are_known_as_far_as_the_rule_is_beaten(lows: tuple[float, float], word: str) -> None:
    rows = {}
    for (coin, side), low in zip((("BTC", "long"), ("ETH", "short")), lows, strict=True):
        at = (coin, side, "10-80 %")
        rows[(*at, "map")] = {"value": 0.1}
        rows[(*at, "placebo: another day")] = {"value": 0.08}
        rows[(*at, "nearer is more")] = {"value": 0.05, "lead": low + 0.1, "lead_low": low, "lead_high": low + 0.2}
    scores = pd.DataFrame(rows).T.rename_axis(["coin", "side", "band", "forecast"])
    said = positions_answer(scores, "10-80 %")
    first = (lows[0], "BTC longs") if lows[0] > lows[1] else (lows[1], "ETH shorts")
    assert said.startswith(f"{word}: 10-80 % away")
    assert f"most clearly by **{first[0] + 0.1:+.2f}** ({first[1]}; 90% interval {first[0]:+.2f} to" in said
    assert said.endswith("is 0.10, that of another day's map 0.08.")


def test_the_default_is_good_for_order_and_for_dollars_within_a_factor() -> None:
    factors = pd.DataFrame({"factor": [0.5, 0.25], "low": [0.4, 0.2], "high": [0.6, 0.3]}, index=["long", "short"])
    said = default_answer(factors, pd.DataFrame({"default": [0.8, 0.9], "move": [0.7, 0.75]}))
    assert "rank correlation 0.80 to 0.90, where *move × volume* has 0.70 to 0.75" in said
    assert "**0.50 published ones for longs** (90 % interval 0.40 to 0.60), 0.25 for shorts (0.20 to 0.30)" in said
