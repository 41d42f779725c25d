"""A saved live map: no changed byte is read as good, and no number that is none reaches a kernel."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import liqlab as lq
from liqlab.maps._live import live, load_live
from liqlab.maps.sealed_file import sealed
from tests.maps.test_live import BINS, part

FLIPS = 1000 if os.environ.get("LIQLAB_LONG") == "1" else 150


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    market = part(lq.load_example("btc-2024-05"), "2024-04-27", "2024-04-28")
    return live(market, **BINS).save(tmp_path_factory.mktemp("live") / "map.npz")


def with_other(saved: Path, target: Path, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Path:
    """The saved map with changed arrays or words, under a seal that fits."""
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("about")))
    change(arrays, about)
    out = io.BytesIO()
    np.savez_compressed(out, about=np.array(json.dumps(about)), **arrays)
    target.write_bytes(sealed(out.getvalue()))
    return target


def test_a_map_sealed_anew_is_read(saved: Path, tmp_path: Path) -> None:
    same = with_other(saved, tmp_path / "same.npz", lambda arrays, about: None)
    np.testing.assert_array_equal(load_live(same).notional, load_live(saved).notional)


def test_no_flipped_bit_is_read_as_good(saved: Path, tmp_path: Path) -> None:
    data, rng, file = saved.read_bytes(), np.random.default_rng(4), tmp_path / "flipped.npz"
    for place in [*rng.integers(0, len(data), FLIPS), 0, len(data) - 1, len(data) - 65, len(data) - 90]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(flipped))
        with pytest.raises(ValueError, match=r"flipped\.npz cannot be carried on: .*start it anew with lq\.live"):
            load_live(file)
    for cut in (0, 1, 10, 64, 100, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        with pytest.raises(ValueError, match="cannot be carried on: it carries no seal"):
            load_live(file)


def _put(name: str, place: Any, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(arrays: dict[str, Any], about: dict[str, Any]) -> None:
        arrays[name][place] = value

    return change


def _shaped(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda arrays, about: arrays.update({name: make(arrays[name])})


def _tell(**values: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda arrays, about: about.update(values)


def _remember(**values: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda arrays, about: about["memory"].update(values)


def _last(**values: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda arrays, about: about["memory"]["last"].update(values)


WRONG: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], Any], str]] = {
    "entries short": (_shaped("state_entries", lambda a: a[:, :, :-5]), r"state_settled is float64 \(2, \d+, \d+\)"),
    "swept short": (_shaped("state_swept", lambda a: a[:, :-1]), "state_swept is float64"),
    "settled short": (_shaped("state_settled", lambda a: a[:, :, 1:]), "state_settled is float64"),
    "marks long": (_shaped("state_marks", lambda a: np.tile(a, 2)), "state_marks is int64"),
    "float32": (_shaped("state_entries", lambda a: a.astype(np.float32)), "state_entries is float32"),
    "other order": (_shaped("ladder_tier_version", lambda a: a[::-1] + np.arange(len(a))[::-1]),
                    "ladder_tier_version (does not ascend|holds)"),
    "swept order": (_shaped("state_swept", lambda a: a[:, :, ::-1].copy()), "not within what was opened there"),
    "index outside": (_put("state_marks", (0, 0), 10**9), r"state_marks holds \[1000000000, .* no cells of a grid"),
    "index below": (_put("state_marks", (1, 1), -7), "state_marks holds .*-7"),
    "hull": (_put("state_marks", (0, 3), 10**9), "state_marks holds"),
    "half a hull": (_put("state_marks", (0, 2), 2**62), "state_marks holds"),
    "narrow hull": (_put("state_marks", (0, slice(2, 4)), 0), "openings outside of those that state_marks tells"),
    "settled": (_put("state_settled", (0, 0, 9), 1e12), "state_amounts are not the coins that stand"),
    "cells": (_put("ladder_cells", (0, 0), 0), "ladder_cells holds 0"),
    "far cells": (_put("ladder_cells", (0, 0), 2**62), "ladder_cells holds"),
    "NaN": (_put("state_entries", (0, 0, 9), np.nan), "state_entries holds nan"),
    "infinite": (_put("state_total", (0, 0), np.inf), "state_total holds inf"),
    "much": (_put("state_amounts", (0, 0, 0), 1e12), "state_amounts are not the coins that stand"),
    "too much": (_put("state_entries", (0, 0, 9), 1e257), "state_entries holds 1e\\+257"),
    "negative": (_put("state_swept", (0, 0, 9), -1.0), "state_swept holds -1.0"),
    "scale": (_put("state_amounts", (0, 0, 1), 0.0), "the scale in state_amounts holds 0.0"),
    "share": (_put("ladder_share", (0, 0), np.nan), "ladder_share holds nan"),
    "edges": (_shaped("edges", lambda a: a[::-1].copy()), "edges, those of the price bins, do not ascend"),
    "edges NaN": (_put("edges", 4, np.nan), "edges holds nan"),
    "volume": (_put("volume", 4, 1e12), "volume, a running sum, falls"),
    "origin": (_shaped("state_origin", lambda a: a + 2**40), "its grid of"),
    "lacks": (lambda arrays, about: arrays.pop("state_marks"), "it lacks 'state_marks'"),
    "share of bar": (_tell(same_bar_share=7), r"same_bar_share is a share in \[0, 1\], got 7"),
    "share NaN": (_tell(same_bar_share=float("nan")), "holds NaN, which is no number"),
    "share text": (_tell(same_bar_share="0.5"), "same_bar_share is '0.5'"),
    "model": (_tell(model="magic"), "no model is called 'magic'"),
    "options": (_tell(options={"x": 1}), "options are .* where the model open_interest has"),
    "attrs": (_tell(attrs=[]), "attrs must be a mapping"),
    "1970": (_last(close_time=86_400 * 10**9), "which is not between 2009 and 2200"),
    "close": (_last(close_time=1.5), "close_time is 1.5, where a whole number > 0"),
    "step": (_last(step=1), "its time frame is 1 ns"),
    "other step": (_last(step=3_600 * 10**9), "its time frame or model is not that of its attrs"),
    "covered": (_last(candles_covered=-1), "covers -1 candles"),
    "recent": (_last(recent_bars=10**6), "1000000 of them recent"),
    "gap": (_last(after_gap=0), "after a gap 0"),
    "price text": (_last(open="1"), "open, high, low, .* must be decimal numbers"),
    "taker share": (_last(taker_share=2.0), "taker_share and recent_volume of its last bar are 2.0"),
    "recent volume": (_last(recent_volume=-1.0), "taker_share and recent_volume of its last bar are .*-1.0"),
    "interest": (_last(open_interest=-1.0), "open_interest is -1.0, where coins >= 0"),
    "words": (lambda arrays, about: about["attrs"].pop("provenance"), "attribute 'provenance' is missing"),
    "level": (_remember(level=-1.0), "level is -1.0, where coins"),
    "stamps": (_remember(stamps=[2**70]), "stamps is .*where a list of whole numbers"),
    "since": (_remember(since=[1, 5, 4]), "since is"),
    "bars": (_shaped("volume", lambda a: np.concatenate([np.zeros(9), a])), "volume holds .* sums for .* bars"),
    "last": (_last(low=-1.0), "no candle"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_what_no_live_map_can_be_is_refused_in_words(fault: str, saved: Path, tmp_path: Path) -> None:
    change, message = WRONG[fault]
    file = with_other(saved, tmp_path / "wrong.npz", change)
    with pytest.raises(ValueError, match=rf"(?s)wrong\.npz cannot be carried on: .*{message}"):
        load_live(file)


def test_places_where_no_map_is(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.npz; Live\.save writes one"):
        load_live(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="is no saved live map"):
        load_live(tmp_path)
    ledger = load_live(saved)
    with pytest.raises(OSError, match="the live map cannot be saved"):
        ledger.save(tmp_path / "no" / "folder.npz")
    with pytest.raises(OSError, match="the live map cannot be saved"):
        ledger.save(tmp_path)
    newer = saved.read_bytes()[:-64].replace(b"live map 3 ", b"live map 4 ") + b"0" * 64
    (tmp_path / "newer.npz").write_bytes(newer)
    with pytest.raises(ValueError, match="its form is number 4, this liqlab knows 3: upgrade liqlab"):
        load_live(tmp_path / "newer.npz")
    assert not list(tmp_path.glob(".*"))
