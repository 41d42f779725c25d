"""The file of a live map: written whole under a seal, and taken over only after every part of it was checked.

The kernels read and write memory by the numbers of a state, so nothing reaches them that could point outside an array
or has no meaning as coins. The file is an .npz that numpy opens; the comment at its end names the form and the sha256
of all bytes before these 64 digits.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from liqlab import models
from liqlab.engine.contracts import FAR, MIN_SCALE
from liqlab.engine.ledger import check_same_bar_share
from liqlab.engine.records import Ladder, State
from liqlab.maps.sealed_file import MAX_FILE, check_seal, sealed, unpacked
from liqlab.market import checks
from liqlab.market.arguments import path_of
from liqlab.market.clock import timedelta
from liqlab.market.provenance import Provenance
from liqlab.models import Bars
from liqlab.models._bars import PER_BAR

__all__ = ["read_state", "write_state"]

MAX_CELL = 2_000_000  # cells from price 1, e^±100: beyond, a price is no number
MAX_TOTAL = 1e18  # coins
FIRST, LAST = 1_230_768_000 * 10**9, 7_258_118_400 * 10**9  # 2009 … 2200 [ns]
_FLOATS = (*checks.PRICES, "volume", "taker_share", "recent_volume")  # of the last bar
_KEPT = ("count", "level", "stamps", "since")  # of the memory, as JSON
LIVE_ENTRIES = ("spread", "ordered")  # how a live map may put entries
_REMEDY = "start it anew with lq.live and its history, and save it again"


def write_state(
    path: str | Path,
    state: State,
    ladder: Ladder,
    *,
    memory: Mapping[str, Any],
    edges: np.ndarray,
    about: dict[str, Any],
) -> Path:
    """Write a live map to one file, under a temporary name first; `read_state` gives back the same arguments."""
    path = path_of(path, "path")
    arrays = {f"state_{f.name}": getattr(state, f.name) for f in fields(State)}
    arrays |= {f"ladder_{f.name}": getattr(ladder, f.name) for f in fields(Ladder)}
    arrays |= {"volume": memory["volume"], "edges": edges}
    last: Bars = memory["last"]
    bar = {"step": last.step} | {name: getattr(last, name)[-1].item() for name in PER_BAR}
    kept = {name: memory[name] for name in _KEPT} | {"last": bar}
    out = io.BytesIO()
    text = json.dumps(_without_nan({**about, "memory": kept}), allow_nan=False)
    np.savez_compressed(out, allow_pickle=False, about=np.array(text),
                        **{name: array for name, array in arrays.items() if array is not None})  # fmt: skip
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(sealed(out.getvalue()))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        told = f"the live map cannot be saved ({error.strerror}); save it where you may write, the map itself stays"
        raise OSError(error.errno, told, str(path)) from error
    finally:
        if not path.is_dir() and path.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return path


def read_state(path: str | Path) -> tuple[State, Ladder, dict[str, Any], np.ndarray, dict[str, Any]]:
    """State, ladder, memory, edges and what else was told of a live map.

    Raises
    ------
    FileNotFoundError
    ValueError
        Where the file is not what was written, of another form, or holds what no live map can be; the message says
        which part, and what to do.
    """
    path = path_of(path, "path")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}; Live.save writes one")
    if not path.is_file() or path.stat().st_size > MAX_FILE:
        raise ValueError(f"{path} is no saved live map: not a file, or larger than {MAX_FILE / 1e9:g} GB; {_REMEDY}")
    data = path.read_bytes()
    try:
        check_seal(data)
        about, arrays = _parts(data)
        state, ladder = _state(arrays), _ladder(arrays)
        told = about.pop("memory")
        _check_ladder(ladder)
        _check_ledger(state, ladder)
        _check_memory(told, arrays["volume"], state)
        _check_edges(arrays["edges"])
        _check_about(about, told["last"]["step"])
        level = math.nan if told["level"] is None else told["level"]
        last = _last_bar(told["last"], about["attrs"])
        memory = {**told, "level": level, "volume": arrays["volume"], "last": last}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, SyntaxError, EOFError, MemoryError,
            RecursionError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:  # fmt: skip
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} cannot be carried on: {reason}; {_REMEDY}") from error
    return state, ladder, memory, arrays["edges"], about


# --- parts ------------------------------------------------------------------------------------------------------------


def _parts(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    arrays = unpacked(data)
    text = str(arrays.pop("about"))
    about = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(about, dict) or not isinstance(about.get("memory"), dict):
        raise ValueError("what it tells of itself is no mapping with a memory")
    return about, arrays


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: null stands for it."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _last_bar(told: Mapping[str, Any], attrs: Mapping[str, str]) -> Bars:
    import xarray as xr

    made = Provenance.of(xr.Dataset(attrs=attrs))
    arrays: dict[str, Any] = {name: np.array([math.nan if told[name] is None else told[name]]) for name in PER_BAR}
    return Bars(step=told["step"], **arrays, open_interest_before=math.nan, taker_use=made.taker,
                open_interest_source=made.sources.get("open_interest", {}))  # fmt: skip


def _refuse_constant(name: str) -> None:
    raise ValueError(f"what it tells of itself holds {name}, which is no number")


def _state(arrays: Mapping[str, np.ndarray]) -> State:
    given: dict[str, Any] = {f.name: arrays[f"state_{f.name}"] for f in fields(State)}
    _want(given["origin"], "state_origin", int, ())
    return State(**(given | {"origin": int(given["origin"])}))


def _ladder(arrays: Mapping[str, np.ndarray]) -> Ladder:
    return Ladder(**{f.name: arrays[f"ladder_{f.name}"] for f in fields(Ladder)
                     if f.name != "close_rate" or "ladder_close_rate" in arrays})  # fmt: skip


# --- checks ---------------------------------------------------------------------------------------------------------


def _want(array: np.ndarray, name: str, kind: type, shape: tuple[int, ...]) -> None:
    """Type and shape of an array."""
    dtype = np.dtype(np.int64 if kind is int else np.float64)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, where {dtype} {shape} is needed")


def _range(array: np.ndarray, name: str, low: float, high: float) -> None:
    """Every number in [low, high]; NaN is in no range."""
    inside = (array >= low) & (array <= high)
    if not inside.all():
        raise ValueError(f"{name} holds {array[~inside].flat[0]!s}, where numbers in [{low:g}, {high:g}] are allowed")


def _check_ladder(ladder: Ladder) -> None:
    levels = ladder.leverage.size
    if levels == 0:
        raise ValueError("ladder_leverage is empty")
    _want(ladder.leverage, "ladder_leverage", float, (levels,))
    _want(ladder.cells, "ladder_cells", int, (2, levels))
    _want(ladder.share, "ladder_share", float, (2, levels))
    _want(ladder.tier_version, "ladder_tier_version", int, (levels,))
    _range(ladder.leverage, "ladder_leverage", 1e-9, 1e9)
    _range(ladder.cells, "ladder_cells", 1, MAX_CELL)
    _range(ladder.share, "ladder_share", 0, 1)
    _range(ladder.tier_version, "ladder_tier_version", 0, levels - 1)
    if (np.diff(ladder.tier_version) < 0).any():
        raise ValueError("ladder_tier_version does not ascend")
    if ladder.close_rate is not None:
        _want(ladder.close_rate, "ladder_close_rate", float, (levels,))
        _range(ladder.close_rate, "ladder_close_rate", 1e-9, 1e9)


def _check_ledger(state: State, ladder: Ladder) -> None:
    """Shapes fit together, every index lies in its array, and the coins of a group are those of its cells."""
    group, group_version, _ = ladder.rate_groups
    levels, groups, size = len(group), len(group_version), state.entries.shape[-1]
    wide = size + ladder.span
    _want(state.entries, "state_entries", float, (2, groups, size))
    _want(state.settled, "state_settled", float, (2, groups, wide))
    _want(state.swept, "state_swept", float, (2, groups, wide))
    _want(state.marks, "state_marks", int, (2, 5))
    _want(state.amounts, "state_amounts", float, (2, groups, 2))
    _want(state.total, "state_total", float, (2, 1))
    _want(state.standing, "state_standing", float, (2, levels))
    if not 0 < size <= 2 * MAX_CELL or not -MAX_CELL <= state.origin <= state.origin + size - 1 <= MAX_CELL:
        raise ValueError(f"its grid of {size} cells from {state.origin} leaves [-{MAX_CELL}, {MAX_CELL}]")
    for marks in state.marks:
        _check_marks(marks, size)
    for name in ("entries", "settled", "swept"):
        _range(getattr(state, name), f"state_{name}", 0, MAX_TOTAL / MIN_SCALE)
    _range(state.amounts[:, :, 0], "state_amounts", 0, MAX_TOTAL / MIN_SCALE)
    _range(state.amounts[:, :, 1], "the scale in state_amounts", MIN_SCALE, 1)
    _range(state.total, "state_total", -1e-6 * MAX_TOTAL, MAX_TOTAL)
    if not (np.isnan(state.standing) | ((state.standing >= 0) & (state.standing <= MAX_TOTAL))).all():
        raise ValueError(f"state_standing holds numbers outside of [0, {MAX_TOTAL:g}]")
    _check_coins(state, ladder, group)


def _check_marks(marks: np.ndarray, size: int) -> None:
    """Each a cell of the grid, or none at all."""
    reach, lowest, low, high, age = marks.tolist()
    nothing = (low, high) == (FAR, -FAR)
    if not (
        (reach == -FAR or -MAX_CELL <= reach < size)
        and (lowest == FAR or 0 <= lowest < size)
        and (nothing or 0 <= low <= high < size)
        and 0 <= age < MAX_CELL
    ):
        raise ValueError(f"state_marks holds {marks.tolist()}, which are no cells of a grid of {size}")


def _check_coins(state: State, ladder: Ladder, group: np.ndarray) -> None:
    """What was touched is within what was opened there, and what stands makes up the amounts."""
    for side in range(2):
        low, high = (int(x) for x in state.marks[side, 2:4])
        for number in range(state.entries.shape[1]):
            opened, touched = state.entries[side, number], state.swept[side, number]
            if opened[: max(low, 0)].any() or opened[max(high, -1) + 1 :].any():
                raise ValueError(f"state_entries of side {side} holds openings outside of those that state_marks tells")
            mine = group == number
            cells, shares = ladder.cells[side, mine], ladder.share[side, mine]
            waiting = np.zeros(touched.size)
            for away, share in zip(cells, shares, strict=True):
                waiting[cells.max() - away :][: opened.size] += share * opened
            if (touched > waiting * (1 + 1e-9)).any():
                raise ValueError(f"state_swept of side {side}, group {number} is not within what was opened there")
            ever = state.settled[side, number].sum() + waiting.sum()
            if abs(ever - touched.sum() - state.amounts[side, number, 0]) > 1e-6 * ever + 1e-9:
                raise ValueError("state_amounts are not the coins that stand by state_settled and state_entries")


def _check_memory(memory: Mapping[str, Any], volume: np.ndarray, state: State) -> None:
    last, count = memory["last"], _whole(memory, "count")
    _check_last(last, count)
    _want(volume, "volume", float, (volume.size,))
    if not 1 <= volume.size <= count + 1:
        raise ValueError(f"volume holds {volume.size} sums for {count} bars")
    _range(volume, "volume", 0, 1e300)
    if (np.diff(volume) < 0).any():
        raise ValueError("volume, a running sum, falls")
    _check_coin(memory, "level")
    stamps, since = (_whole_list(memory, name) for name in ("stamps", "since"))
    ascend = stamps == sorted(stamps) and all(FIRST <= stamp <= last["close_time"] for stamp in stamps)
    if len(stamps) > 4 or not ascend:
        raise ValueError(f"stamps of open interest are {stamps}, where up to four ascend to the last close")
    cells = state.origin, state.origin + state.entries.shape[2] - 1
    if not (len(since) == 3 and since[0] >= 1 and cells[0] <= since[1] <= since[2] <= cells[1]):
        raise ValueError(f"since is {since}, where bars and two cells of the grid are needed")


def _check_last(last: Mapping[str, Any], count: int) -> None:
    """The last bar, as models see it."""
    close, step, recent = (_whole(last, name) for name in ("close_time", "step", "recent_bars"))
    if not FIRST <= close <= LAST:
        raise ValueError(f"its last bar closes at {close} ns since 1970, which is not between 2009 and 2200")
    if not 10**9 <= step <= 400 * 86_400 * 10**9:
        raise ValueError(f"its time frame is {step} ns, which is not between a second and 400 days")
    covered, after_gap = last["candles_covered"], last["after_gap"]
    if type(covered) is not int or not 0 <= covered <= count or recent > count or type(after_gap) is not bool:
        raise ValueError(f"its last bar covers {covered!r} candles, {recent} of them recent, after a gap "
                         f"{after_gap!r}; it knows {count}")  # fmt: skip
    if any(type(last[name]) is not float for name in _FLOATS):
        raise ValueError(f"its last bar is {last}, where {', '.join(_FLOATS)} must be decimal numbers")
    checks.bar(last, None, None)
    _check_coin(last, "open_interest")
    if not 0 <= last["taker_share"] <= 1 + 1e-9 or not 0 <= last["recent_volume"] <= 1e300:
        raise ValueError(f"taker_share and recent_volume of its last bar are {last['taker_share']!r} and "
                         f"{last['recent_volume']!r}, where a share and coins >= 0 are needed")  # fmt: skip


def _check_coin(told: Mapping[str, Any], name: str) -> None:
    value = told[name]
    if value is not None and (type(value) is not float or not 0 <= value <= MAX_TOTAL):
        raise ValueError(f"{name} is {value!r}, where coins >= 0 are needed")


def _whole(memory: Mapping[str, Any], name: str) -> int:
    value = memory[name]
    if type(value) is not int or not 0 < value < 2**63:
        raise ValueError(f"{name} is {value!r}, where a whole number > 0 is needed")
    return value


def _whole_list(memory: Mapping[str, Any], name: str) -> list[int]:
    value = memory[name]
    if not isinstance(value, list) or any(type(each) is not int or abs(each) >= 2**63 for each in value):
        raise ValueError(f"{name} is {value!r}, where a list of whole numbers is needed")
    return value


def _check_edges(edges: np.ndarray) -> None:
    _want(edges, "edges", float, (max(edges.size, 2),))
    _range(edges, "edges", 1e-40, 1e40)
    if (np.diff(edges) <= 0).any():
        raise ValueError("edges, those of the price bins, do not ascend")


def _check_about(about: Mapping[str, Any], step: int) -> None:
    """Model, options and words."""
    options, known = about["options"], models.options_of(about["model"])
    if not isinstance(options, dict) or set(options) != set(known):
        raise ValueError(f"options are {options!r}, where the model {about['model']} has {', '.join(known)}")
    share = about["same_bar_share"]
    if type(share) not in (int, float):
        raise ValueError(f"same_bar_share is {share!r}, where a number in [0, 1] is needed")
    check_same_bar_share(share)
    if about["entries"] not in LIVE_ENTRIES:
        raise ValueError(f"entries is {about['entries']!r}, where {' or '.join(LIVE_ENTRIES)} is needed")
    attrs = about["attrs"]
    if not isinstance(attrs, dict) or not all(isinstance(value, str) for value in attrs.values()):
        raise ValueError("attrs must be a mapping of names to text")
    if timedelta(attrs["timeframe"]).as_unit("ns").value != step or attrs["model"] != about["model"]:
        raise ValueError(f"its time frame or model is not that of its attrs, {attrs['timeframe']} and {attrs['model']}")
