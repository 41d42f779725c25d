"""The contract: names and signatures, a light import, rooms that know only what lies before them, house style."""

from __future__ import annotations

import inspect
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import liqlab as lq
from liqlab import models

PACKAGE = Path(lq.__file__).parent

# --- names and signatures: what users type ----------------------------------------------------------------------------

BOOK = "market, model='open_interest'"
TIERS = "exchange=None, symbol=None, as_of=None, leverage_tiers=None"
PUBLIC = {
    "Calibration": (
        "law, share_of_volume, same_bar_share, model, loss, source, throttle, step, profile, ensemble, members, tilt, "
        "beyond, silent, reached, distance, span, more=<factory>"
    ),
    "Case": (
        "case, title='', answers='', model='open_interest', story='', start='', end='', lookback='', price_step=0, "
        "price_low=0, price_high=0, frozen=<factory>, told=<factory>, told_width=0, episodes=<factory>, later_case='', "
        "squeeze='', swept_side='long'"
    ),
    "Law": "name, leverage, long, short, reason='', spread=1",
    "Market": (
        "candles, open_interest=None, funding_rate=None, liquidations=None, taker=None, path=None, mark_candles=None, "
        "leverage_tiers=None, symbol='', exchange='', timeframe='', sources=<factory>"
    ),
    "amplification": "snap, *, depth=None, shocks=None, price=None, scale=1.0",
    "event_windows": "market, times, *, before='24h', after='24h', sign=1",
    "balance": f"{BOOK}, *, by_leverage=False, same_bar_share=0.5, **options",
    "Scores": "table, curve, gain, forecasts, observed, kinds, about=<factory>",
    "Simulation": "market, positions, path",
    "Walk": "folds, scores, estimated, observed, checks",
    "bankruptcy_price": (
        "entry_price, *, side, leverage=None, quantity=None, exchange=None, symbol=None, wallet_balance=None, "
        "added_margin=0.0, taker_fee=None, formula=None"
    ),
    "calibrate": (
        "market, *, model='open_interest', loss='censored', prior='measured', "
        "share_of_volume=(0.05, 0.1, 0.2, 0.3, 0.5, 0.8), resamples=100, level=0.9, seed=0, position_notional=10000.0, "
        "**options"
    ),
    "cascade": "snap, *, depth=None, shock=-0.03, price=None, scale=1.0",
    "capabilities": "exchange=None",
    "check_candles": "candles, *, name='candles'",
    "check_funding_rate": "funding_rate",
    "check_leverage_tiers": "tiers",
    "check_liquidations": "liquidations",
    "check_mark_candles": "candles",
    "check_open_interest": "open_interest",
    "check_taker": "taker",
    "Magnet": "table, assets, curves, trials, about",
    "claims": "markets=None, *, seed=0",
    "magnet": (
        "market, heat=None, *, model='open_interest', horizon='24h', most_age='7d', every='4h', start=None, paths=48, "
        "seed=0, **options"
    ),
    "plot.forest": "result, *, comparison='mirror'",
    "plot.claims_table": "table, *, title=None",
    "plot.magnet": "result",
    "clusters": "heat, at=None, *, width=0.003, false_alarms=0.2, market=None",
    "combine": "markets, model='open_interest', *, start=None, end=None, price_range=None, price_step=None, **options",
    "critical_zones": "snap, *, depth=None, price=None, scale=1.0",
    "confluence": "heat, at=None, *, leverages=None, width=0.003, zones=None",
    "cumulative": "heat, at=None",
    "summarise_periods": "market, spans",
    "examples": "",
    "explain": f"{BOOK}, *, price, at=None, price_step=None, lookback=None, same_bar_share=0.5, **options",
    "expected_liquidations": f"{BOOK}, *, unit='quote', same_bar_share=0.5, **options",
    "fetch": (
        "symbol, *, exchange='binanceusdm', timeframe='5m', start, end=None, kinds=None, store=None, progress=True, "
        "volume_unit='', archive=False"
    ),
    "fetch_depth": "symbol, *, exchange='binanceusdm'",
    "heatmap": (
        f"{BOOK}, *, start=None, end=None, lookback=None, time_step=None, price_range=None, price_step=None, "
        "by_leverage=False, same_bar_share=0.5, law='measured', **options"
    ),
    "indicators": (
        "market, *, rsi=14, atr=14, vwap='1d', funding_window='30d', open_interest_change='24h', "
        "long_short_ratio=None, stale='24h'"
    ),
    "law": "law='measured'",
    "levels": f"{BOOK}, *, start=None, end=None, at=None, same_bar_share=0.5, **options",
    "liquidation_map": "heat, at=None",
    "liquidation_price": (
        f"entry_price, *, side, leverage=None, quantity=None, {TIERS}, wallet_balance=None, "
        "maintenance_margin_rate=None, maintenance_amount=None, other_maintenance_margin=0.0, "
        "other_unrealised_pnl=0.0, added_margin=0.0, taker_fee=None, funding_rate=0.0, max_leverage=None, "
        "formula=None, hedge_quantity=None, hedge_entry_price=None, hedge_maintenance_margin_rate=None, "
        "hedge_maintenance_amount=None"
    ),
    "Live": "state, ladder, memory, edges, about",
    "live": f"{BOOK}, *, price_range=None, price_step=None, same_bar_share=0.5, **options",
    "load_example": "name",
    "load_live": "path",
    "plot.calibration": "result, *, level=0.9, kind='pointwise'",
    "plot.uncertainty": "heat, *, at=None, ylim=None, title=None",
    "plot.candles": "table, *, marks=None, quote='quote', title='Candles', height=380",
    "match_controls": "sweeps, controls, *, volatility=1.5, penetration=0.5, hours=4.0",
    "observed_heatmap": "market, *, events=None, start=None, end=None, time_step=None, price_step=None",
    "plot.events": "tables, *, title='Price around events'",
    "plot.amplification": "table, *, zones=None, mark=None, title=None",
    "plot.cascade": "result, *, table=None, title=None",
    "plot.indicators": "table, *, columns=None, start=None, end=None, under=None",
    "max_pain": "heat, at=None, *, width=0.003",
    "plot.clusters": "table, *, ylim=None, start=None, end=None, top=6",
    "plot.confluence": "table, *, ylim=None, width=None",
    "plot.cumulative": "table, *, xlim=None, pain=None",
    "plot.lookback_heatmaps": "maps, *, cmap='purple-yellow', ylim=None, columns=2",
    "plot.explain": "table, market, *, top=12",
    "plot.explore": "heats, market=None, *, cmap='purple-yellow', ylim=None, title=None",
    "plot.four_maps": "heat, market=None, *, at=None, depth=None, events=None, stops=None, ylim=None",
    "plot.heatmap": (
        "heat, market=None, *, cmap='purple-yellow', logz=True, threshold=0.0, ylim=None, at=None, "
        "positions=None, zones=None, strip=True, profile=True, title=None"
    ),
    "plot.law": "law='measured', *, tiers=None, position_notional=10000.0",
    "plot.levels": "table, *, quote='quote', title='Estimated liquidation levels'",
    "plot.liquidation_map": "heat, *, at=None, ylim=None, marks=(), width=None",
    "plot.observed_heatmap": (
        "seen, *, cmap='black-yellow', logz=True, ylim=None, strip=True, profile=True, title=None"
    ),
    "plot.png": "heat, path, *, cmap='purple-yellow', ylim=None, title=None, width=10.0, dpi=110",
    "plot.show": "case, model='open_interest', *, start=None, end=None, **options",
    "plot.sweeps": (
        "table, heat, *, cmap='purple-yellow', logz=True, threshold=0.0, ylim=None, zones=True, title=None"
    ),
    "assess_positions": "held, heat, *, at=None, leverage_tiers=None, buffer=0.001",
    "price_impact": "market, *, start=None, end=None, signed=None, draws=1000, seed=0",
    "read": (
        "candles, *, symbol='', exchange='', timeframe='', open_interest=None, funding_rate=None, liquidations=None, "
        "taker=None, path=None, mark_candles=None, leverage_tiers=None, timezone=None"
    ),
    "show": "case, model='open_interest', *, start=None, end=None, **options",
    "plot.scoreboard": "result, *, placebos=(), score='spearman', side='both'",
    "read_case": "name, **given",
    "score": (
        "estimated, observed, *, market=None, baselines=True, unit=None, observed_unit='coins', price=None, step=None, "
        "resamples=1000, level=0.95, seed=0"
    ),
    "walk_forward": (
        "model, market, *, fit=None, embargo='1d', folds=3, score=None, checks=12, seed=0, unit='coins', **options"
    ),
    "simulate": (
        "days=30, *, timeframe='5m', seed=0, price=60000.0, start='2024-01-01', volatility=0.025, "
        "positions_per_day=9000.0, position_notional=20000.0, cross_share=0.45, added_margin_share=0.2, "
        "maker_turnover=3.0, magnet=0.0, throttled=False, open_interest_every='', open_interest_missing=0.0, "
        "warmup=20.0"
    ),
    "stop_zones": "zones, *, price=None, stop=None, side=None, at=None, buffer=0.001",
    "sweeps": (
        "market, heat, *, zones=None, width=0.003, top_n=3, impulse=1.0, within=3, beyond=1.0, atr_bars=14, "
        "horizons=('1h', '4h', '24h'), buffer_atr=0.1"
    ),
    "swing_controls": (
        "market, sweeps=None, *, swing_bars=10, window='7d', width=None, start=None, end=None, impulse=1.0, within=3, "
        "beyond=1.0, atr_bars=14, horizons=('1h', '4h', '24h'), buffer_atr=0.1"
    ),
    "swing_sweeps": "market, *, side, window='7d', horizon='24h'",
    "tiers_for": "exchange, symbol, as_of=None, *, leverage_tiers=None",
    "tiers_from_ccxt": ("tiers, *, symbol, exchange, as_of, notional_per_unit=None, contract_size=None, price=None"),
    "track": "heat, *, width=0.003, false_alarms=0.2, patience=4",
    "model_heatmaps": "market, models=None, **options",
    "lookback_heatmaps": "market, lookbacks=('12h', '24h', '3d', '7d', '30d'), model='open_interest', **options",
    "compare_levels": "heat, path, expected, *, moments, width",
}
MODELS = {
    "decay": {"share_of_volume": 1.0, "half_life": "7d", "half_life_exponent": 1.0},
    "open_interest": {
        "share_of_volume": 0.1,
        "open_interest_scale": 1.0,
        "days_of_volume": 0.3,
        "closing": "by_age",
    },
    "volume": {"share_of_volume": 1.0},
}


def public() -> dict[str, Any]:
    """Every name a user may type, with what it stands for; the names of `plot` with their room before them."""
    found = {name: getattr(lq, name) for name in lq.__all__ if name != "plot"}
    return found | {f"plot.{name}": getattr(lq.plot, name) for name in lq.plot.__all__ if name != "SCALES"}


def signature(function: Any) -> str:
    """Parameters with their kinds and defaults, without types."""
    given = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in given.parameters.values()]
    return str(given.replace(parameters=bare, return_annotation=inspect.Signature.empty))[1:-1]


def test_public_names_and_signatures_are_those_written_here() -> None:
    """A changed name, order, kind or default breaks somebody's notebook: it is changed here too, on purpose."""
    assert {name: signature(thing) for name, thing in public().items()} == PUBLIC


def test_models_and_their_options_are_those_written_here() -> None:
    assert {name: models.options_of(name) for name in models.names()} == MODELS


def test_every_public_name_resolves_is_listed_and_comes_from_the_package() -> None:
    assert set(lq.__all__) <= set(dir(lq))
    for name, thing in public().items():
        assert thing.__module__.startswith("liqlab."), name
    with pytest.raises(AttributeError, match=r"liqlab has no 'heat_map'; it has: .*heatmap"):
        _ = lq.heat_map


def test_options_are_keyword_only() -> None:
    """At most three things are told by their place; what has a default and is no such thing is told by its name."""
    for name, thing in public().items():
        if inspect.isfunction(thing):
            by_place = [p for p in inspect.signature(thing).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
            assert len(by_place) <= 3, name


# --- a light import -------------------------------------------------------------------------------------------------

HEAVY = ["xarray", "numba", "hvplot", "holoviews", "bokeh", "panel", "ccxt", "papermill", "matplotlib", "scipy"]


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=PACKAGE.parent).stdout


@pytest.mark.parametrize(
    "use",
    [
        "None",
        "liqlab.liquidation_price(60_000, side='long', leverage=25)",
        "liqlab.load_example('btc-2024-05')",
        "dir(liqlab), liqlab.check_candles, liqlab.read, liqlab.law({10: 1})",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(use: str) -> None:
    code = f"import sys, json, liqlab; {use}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    assert json.loads(fresh(code)) == []


def test_importing_liqlab_costs_no_more_than_importing_pandas() -> None:
    """Medians of fresh processes, taken in turns; a busy machine gets three chances."""

    def seconds(module: str) -> float:
        return float(fresh(f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"))

    ratios = []
    for _ in range(3):
        pairs = [(seconds("liqlab, liqlab.market, liqlab.margin"), seconds("pandas")) for _ in range(5)]
        ours, pandas = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios.append(ours / pandas)
        if ratios[-1] <= 1.3:
            return
    raise AssertionError(f"import liqlab costs {ratios} times import pandas")


# --- house style ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, thing in public().items() if inspect.isfunction(thing)])
def test_public_functions_are_documented(name: str) -> None:
    """Parameters names each of them, and no other; Returns says what comes back."""
    function = public()[name]
    text = inspect.getdoc(function) or ""
    assert re.search(r"\n\nReturns\n-------\n\S", text)
    section = re.search(r"\n\nParameters\n----------\n(.*?)(?:\n\n\w+\n---|$)", text, re.DOTALL)
    heads = re.findall(r"^(?! )(.+?)(?: : |$)", section[1], re.MULTILINE) if section else []
    named = [parameter.strip(" *") for head in heads for parameter in head.split(",")]
    assert sorted(named) == sorted(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", models.names())
def test_models_state_idea_equation_assumptions_and_references(name: str) -> None:
    text = inspect.getdoc(models.find(name)) or ""
    for word in ("Idea:", "Equation:", "Parameters\n", "Returns\n", "Assumptions\n", "References\n"):
        assert word in text, f"{name}: no {word.strip()}"


def test_frozen_results_do_not_compare_arrays() -> None:
    """``==`` of tables would be an array; results are told apart by identity."""
    law = lq.law({10: 1.0})
    assert law == law
    assert law != lq.Law("own", law.leverage, law.long, law.short)
    with pytest.raises(AttributeError):
        law.name = "other"
    assert np.isclose(law.long.sum(), 1.0)
