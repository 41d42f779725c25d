"""What a plain installation can do: the wheel without extras in an empty environment, and the README's calls in it.

``python -m tests.base_install`` builds the wheel, installs it and runs `run` there. Every name of the README's table is
called; what needs an extra has to say which. Run by ``make test-base``, and by continuous integration.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def named() -> set[str]:
    """The calls that the README's table names."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("## What it can do") : text.index("## What it is not")]
    return set(re.findall(r"`lq\.(\w+)", table.partition("\n\nThree")[0]))


def calls() -> dict[str, Callable[[], Any]]:
    """One real call for each of them, on a month of hourly candles with observed liquidations."""
    from dataclasses import replace

    import pandas as pd

    import liqlab as lq

    market = lq.load_example("btc-2024-07")
    heat = lq.heatmap(market, start=market.end - pd.Timedelta("10D"))
    snap = lq.liquidation_map(heat)
    price = float(snap["close"])
    folder = Path(tempfile.mkdtemp())
    market.candles.to_csv(folder / "candles.csv")
    market.open_interest.to_parquet(folder / "oi.parquet")
    names = {"symbol": market.symbol, "exchange": market.exchange}
    by_leverage = lq.heatmap(market, start=market.end - pd.Timedelta("2D"), by_leverage=True)
    bars = replace(market, path=None)
    per_quote = 1e-10  # a price that gives way by a basis point for a million
    return {
        "examples": lq.examples,
        "load_example": lambda: lq.load_example("tia-2023"),
        "read": lambda: lq.read(folder / "candles.csv", open_interest=folder / "oi.parquet", **names),
        "fetch": lambda: lq.fetch("BTC/USDT:USDT", start="2024-01-01", end="2024-01-02", store=folder / "store"),
        "liquidation_price": lambda: lq.liquidation_price(60_000, side="long", leverage=25),
        "heatmap": lambda: heat,
        "liquidation_map": lambda: snap,
        "levels": lambda: lq.levels(market, start=market.end - pd.Timedelta("12h")),
        "live": lambda: lq.live(bars),
        "expected_liquidations": lambda: lq.expected_liquidations(market),
        "balance": lambda: lq.balance(market),
        "explain": lambda: lq.explain(market, price=0.95 * price),
        "clusters": lambda: lq.clusters(heat),
        "track": lambda: lq.track(heat),
        "confluence": lambda: lq.confluence(by_leverage),
        "lookback_heatmaps": lambda: lq.lookback_heatmaps(market, ["24h", "3d"], start=market.end - pd.Timedelta("3D")),
        "max_pain": lambda: lq.max_pain(heat),
        "sweeps": lambda: lq.sweeps(market, heat),
        "stop_zones": lambda: lq.stop_zones(lq.clusters(heat)),
        "assess_positions": lambda: lq.assess_positions(
            {"side": "long", "entry_price": price, "leverage": 10, "quantity": 0.1}, heat
        ),
        "indicators": lambda: lq.indicators(market),
        "cascade": lambda: lq.cascade(snap, depth=per_quote),
        "amplification": lambda: lq.amplification(snap, depth=per_quote),
        "critical_zones": lambda: lq.critical_zones(snap, depth=per_quote),
        "score": lambda: lq.score(lq.expected_liquidations(market), market.liquidations, market=market, resamples=50),
        "calibrate": lambda: lq.calibrate(market, resamples=4, share_of_volume=(0.1,)),
        "walk_forward": lambda: lq.walk_forward("open_interest", market, folds=2, checks=2),
        "combine": lambda: lq.combine(
            [market, replace(market, exchange="bybit")], start=market.end - pd.Timedelta("1D")
        ),
        "simulate": lambda: lq.simulate(2, seed=1, warmup=1),
        "plot": lambda: lq.plot.heatmap(heat, market),
        "show": lambda: lq.show(market),
    }


NEEDS = {
    "fetch": "fetch",
    "indicators": "research",
    "score": "research",
    "walk_forward": "research",
}  # what a plain installation says it needs


def run() -> None:
    """Every call once; without the extras."""
    import warnings

    warnings.simplefilter("ignore")
    known = calls()
    missing = sorted(named() - set(known))
    assert not missing, f"the README names {', '.join(missing)}: add a call for each here"
    wrong = []
    for name, call in known.items():
        try:
            call()
        except ImportError as error:
            if f"liqlab[{NEEDS.get(name)}]" not in str(error):
                wrong.append(f"{name}: {type(error).__name__}: {error}")
        except Exception as error:  # all of them are told together
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if name in NEEDS:
                wrong.append(f"{name} works without liqlab[{NEEDS[name]}]: take it off the list")
    print(f"{len(known) - len(wrong)} passed, {len(wrong)} failed")
    if wrong:
        raise SystemExit("\n".join(wrong))


def main() -> None:
    """Build, install without extras at the locked versions, run there."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
        python, wheel = folder / "venv" / "bin" / "python", next(folder.glob("*.whl"))
        plain = [line.rstrip(" \\") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line]
        (folder / "locked.txt").write_text("\n".join(plain), encoding="utf-8")
        command = [uv, "pip", "install", "--quiet", "--python", python, "-c", folder / "locked.txt", wheel]
        subprocess.run(command, check=True)
        code = f"import sys; sys.path.append({str(ROOT)!r}); from tests import base_install; base_install.run()"
        subprocess.run([python, "-c", code], check=True, cwd=folder)


if __name__ == "__main__":
    main()
