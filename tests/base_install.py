"""What a plain installation can do: the wheel without extras in an empty environment, and the README's calls in it.

``python -m tests.base_install`` builds the wheel, looks at what it holds, installs it and runs `run` there. Every name
of the README's table is called; what needs an extra has to say which. Run by ``make test-base``, and by continuous
integration.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import zipfile
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
    bars, day = replace(market, path=None), pd.Timedelta("1D")
    per_quote = 1e-10  # a price that gives way by a basis point for a million
    return {
        "examples": lq.examples,
        "load_example": lambda: lq.load_example("tia-2023"),
        "read": lambda: lq.read(folder / "candles.csv", open_interest=folder / "oi.parquet", **names),
        "read_case": lambda: lq.read_case("xrp-squeeze"),
        "capabilities": lambda: lq.capabilities("binanceusdm"),
        "fetch_depth": lambda: lq.fetch_depth("BTC/USDT:USDT"),
        "Market": lambda: lq.Market(market.candles, open_interest=market.open_interest),
        "fetch": lambda: lq.fetch("BTC/USDT:USDT", start="2024-01-01", end="2024-01-02", store=folder / "store"),
        "liquidation_price": lambda: lq.liquidation_price(60_000, side="long", leverage=25),
        "bankruptcy_price": lambda: lq.bankruptcy_price(60_000, side="long", leverage=25),
        "Assumptions": lambda: lq.heatmap(bars, assumptions=lq.Assumptions(model="decay"), start=market.end - day),
        "law": lambda: lq.law({10: 0.5, 50: 0.5}),
        "heatmap": lambda: heat,
        "liquidation_map": lambda: snap,
        "levels": lambda: lq.levels(market, start=market.end - pd.Timedelta("12h")),
        "live": lambda: lq.live(bars),
        "follow": lambda: asyncio.run(_all(lq.follow(replay=bars, speed=None, start=market.end - day))),
        "watch": lambda: asyncio.run(_all(lq.watch(replay=bars, speed=None, start=market.end - day, to=[]))),
        "alerts": lambda: lq.alerts(heat),
        "load_live": lambda: lq.load_live(lq.live(bars).save(folder / "live.npz")),
        "expected_liquidations": lambda: lq.expected_liquidations(market),
        "balance": lambda: lq.balance(market),
        "explain": lambda: lq.explain(market, price=0.95 * price),
        "clusters": lambda: lq.clusters(heat),
        "track": lambda: lq.track(heat),
        "confluence": lambda: lq.confluence(by_leverage),
        "lookback_heatmaps": lambda: lq.lookback_heatmaps(
            market, lookbacks=["24h", "3d"], start=market.end - pd.Timedelta("3D")
        ),
        "model_heatmaps": lambda: lq.model_heatmaps(market, ["volume", "decay"], start=market.end - pd.Timedelta("1D")),
        "max_pain": lambda: lq.max_pain(heat),
        "cumulative": lambda: lq.cumulative(heat),
        "event_windows": lambda: lq.event_windows(market, [market.end - pd.Timedelta("3D")]),
        "sweeps": lambda: lq.sweeps(market, heat),
        "stop_zones": lambda: lq.stop_zones(lq.clusters(heat)),
        "assess_positions": lambda: lq.assess_positions(
            {"side": "long", "entry_price": price, "leverage": 10, "quantity": 0.1}, heat
        ),
        "indicators": lambda: lq.indicators(market),
        "cascade": lambda: lq.cascade(snap, depth=per_quote),
        "amplification": lambda: lq.amplification(snap, depth=per_quote),
        "critical_zones": lambda: lq.critical_zones(snap, depth=per_quote),
        "price_impact": lambda: lq.price_impact(market, draws=20),
        "observed_heatmap": lambda: lq.observed_heatmap(market),
        "magnet": lambda: lq.magnet(market, every="24h", paths=2),
        "claims": lambda: lq.claims(),
        "score": lambda: lq.score(lq.expected_liquidations(market), market.liquidations, market=market, resamples=50),
        "calibrate": lambda: lq.calibrate(market, resamples=4, share_of_volume=(0.1,)),
        "walk_forward": lambda: lq.walk_forward(market, folds=2, checks=2),
        "combine": lambda: lq.combine(
            [market, replace(market, exchange="bybit")], start=market.end - pd.Timedelta("1D")
        ),
        "explore": lambda: lq.explore(market),
        "scan": lambda: lq.scan([market], workers=1, progress=False),
        "simulate": lambda: lq.simulate(2, seed=1, warmup=1),
        "save": lambda: lq.save(heat, folder / "heat.csv"),
        "load_saved": lambda: lq.load_saved(lq.save(heat, folder / "heat.parquet")),
        "load": lambda: lq.load(market.symbol, timeframe=market.timeframe, store=stored(market, folder / "kept")),
        "plot": lambda: lq.plot.heatmap(heat, market),
        "show": lambda: lq.show(market),
    }


async def _all(coming: Any) -> list[Any]:
    """Everything that comes."""
    return [each async for each in coming]


def stored(market: Any, folder: Path) -> Path:
    """A store that holds the market's candles."""
    from liqlab.loaders import store

    key = store.Key("binanceusdm", market.symbol, "candles", market.timeframe)
    store.append(key, market.candles, market.start, market.end, store=folder, origin={"source": "an example"})
    return folder


NEEDS = {
    "fetch": "fetch",
    "load": "fetch",
    "fetch_depth": "fetch",
    "indicators": "research",
    "score": "research",
    "walk_forward": "research",
}  # what a plain installation says it needs


def run() -> None:
    """Every call once; without the extras."""
    import warnings

    import liqlab

    warnings.simplefilter("ignore")
    assert Path(sys.prefix) in Path(liqlab.__file__).parents, f"{liqlab.__file__} is not what was installed"
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


def belongs() -> set[str]:
    """What the wheel has to hold beside its own description: the package, the data and the notebooks, as committed."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    there = {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}
    shipped = {name for name in there if re.match(r"(data|notebooks)/(?!_)", name)} - {"data/build.py"}
    return {name for name in there if name.startswith("liqlab/")} | {f"liqlab/_shipped/{name}" for name in shipped}


def check_contents(wheel: Path) -> None:
    """The wheel holds what belongs into it and nothing else; git tells what does."""
    if not (ROOT / ".git").exists():
        print("not a clone: nothing tells which files belong into the wheel")
        return
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    wanted = belongs()
    must = {"liqlab/margin/leverage_tiers.csv", "liqlab/_shipped/data/registry.csv", "liqlab/report/theme/words.yml",
            "liqlab/_shipped/notebooks/cases/btc-56k-cascade.yml"}  # fmt: skip
    missing, more = sorted((wanted | must) - held), sorted(held - wanted)
    if missing or more:
        raise SystemExit(f"the wheel lacks {missing or 'nothing'} and holds what does not belong there: {more}")
    print(f"the wheel holds {len(held)} files, {wheel.stat().st_size / 2**20:.1f} MiB, and nothing else")


def main() -> None:
    """Build, install without extras at the locked versions, run there."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
        python, wheel = folder / "venv" / "bin" / "python", next(folder.glob("*.whl"))
        check_contents(wheel)
        plain = [line.rstrip(" \\") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line]
        (folder / "locked.txt").write_text("\n".join(plain), encoding="utf-8")
        command = [uv, "pip", "install", "--quiet", "--python", python, "-c", folder / "locked.txt", wheel]
        subprocess.run(command, check=True)
        code = f"import sys; sys.path.append({str(ROOT)!r}); from tests import base_install; base_install.run()"
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([python, "-c", code], check=True, cwd=folder, env=alone)


if __name__ == "__main__":
    main()
