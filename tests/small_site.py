"""A small folder of notebooks with everything that real ones have: figures, formulas, tables, folded text, cases."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SETUP = """import holoviews as hv
import numpy as np
import pandas as pd
hv.extension("bokeh", inline=True, logo=False)
import hvplot.pandas  # after the extension, in the same cell"""

HEAT = """times = pd.date_range("2024-05-01", periods=48, freq="1h")
values = np.random.default_rng(seed).gamma(0.5, size=(40, 48))
edge = (times[0], 55_000, times[-1], 61_000)
image = hv.Image(values, bounds=edge, kdims=["time", "price"], vdims="notional").opts(cmap="viridis", tools=["hover"])
price = pd.Series(58_000 + np.cumsum(np.random.default_rng(1).normal(size=48) * 150), times)
wicks = hv.Segments((times, price - 200, times, price + 200), kdims=["time", "price", "t1", "p1"])
(image * wicks.opts(color="white")).opts(title="estimated notional [USDT]", responsive=True, height=320)"""

BOKEH = """from bokeh.plotting import figure, output_notebook, show
output_notebook(hide_banner=True)
chart = figure(title="bars and a line [USDT]", width=500, height=250)
chart.vbar(x=[1, 2, 3], top=[seed, 2, 5], width=0.8)
chart.line([1, 2, 3], [2, 1, 4], color="black")
show(chart)"""

EXPLORED = """import holoviews as hv
import liqlab as lq
hv.extension("bokeh", inline=True, logo=False)
import hvplot.pandas"""

EXPLORE = """market = lq.load_example("btc-2024-05")
models = ("open_interest", "volume")
span = {"start": "2024-05-01", "end": "2024-05-02", "by_leverage": True}
heats = lq.model_heatmaps(market, models, price_step=50, **span)
lq.plot.explore(heats, market)"""

CURVE = """close = market.candles["close"].iloc[-200:]
close.hvplot.line(color="black", title="close [USDT]", responsive=True, height=260)"""

FORMULAS = r"""# Where would a 25x long be liquidated?

**You will** read a formula, a map and a table.

The price $P = E\,\frac{1 - 1/\lambda}{1 - m}$ of a long with leverage $\lambda \ge 1$, and

$$
\begin{aligned}
\text{opened} &= \text{standing} + \text{liquidated} + \text{closed} \\
\Delta\mathrm{OI}_t &= \mathrm{OI}_{t+1} - \mathrm{OI}_t, \qquad \sum_{i=1}^{n} w_i = 1, \quad i = 1, \dots, n
\end{aligned}
$$"""

SOLUTION = r"""## Exercises

1. What is $P$ for $E = 60\,000$?

<details><summary>Solution</summary>

At $\lambda = 25$ and $m = 0.004$ it is **57 831**.

</details>

*Education, not advice.*"""

PARAMETERS = """seed: int = 0  # of the random numbers
leverages: list = [10, 25]  # drawn
title: str = ""  # of the page"""


def write_notebook(path: Path, *cells: str, answers: str = "What a page answers.", minutes: int = 5) -> Path:
    """A notebook of these cells: Markdown where a cell starts with # or *, the parameters where it annotates `seed`."""
    make = nbformat.v4
    notebook = make.new_notebook(metadata={
        "kernelspec": {"name": "not-installed-anywhere", "display_name": "Python", "language": "python"},
        "liqlab": {"answers": answers, "minutes": minutes},
    })  # fmt: skip
    for cell in cells:
        if cell.startswith(("#", "*")):
            notebook.cells.append(make.new_markdown_cell(cell))
        else:
            tags = {"tags": ["parameters"]} if cell.startswith("seed:") else {}
            notebook.cells.append(make.new_code_cell(cell, metadata=tags))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def write_notebooks(folder: Path) -> Path:
    """Four notebooks and two cases."""
    table = "pd.DataFrame(np.arange(60).reshape(3, 20) * 1234.5, columns=[f'column_{i}' for i in range(20)])"
    lines = "price.to_frame('close').hvplot.line(title='close [USDT]', height=260, width=700)"
    side_by_side = "hv.Curve(price.to_numpy(), label='left') + hv.Histogram(np.histogram(values), label='right')"
    write_notebook(folder / "00_quickstart.ipynb", FORMULAS, PARAMETERS, SETUP, "## The map", HEAT, "*A table.*", table,
                   "## Two figures", lines, side_by_side, SOLUTION, answers="Where longs are liquidated.")  # fmt: skip
    write_notebook(folder / "01_plain.ipynb", "# What is a page without figures?", "seed: int = 1  # told below",
                   "print('seed', seed, 'word ' * 60)", minutes=2)  # fmt: skip
    write_notebook(folder / "02_explore.ipynb", "# What can be chosen?", "seed: int = 1  # told below", EXPLORED,
                   EXPLORE, "*What we see.*", CURVE)  # fmt: skip
    case = "seed: int = 2  # of the random numbers\ntitle: str = ''  # of the page"
    write_notebook(folder / "06_case_study.ipynb", "# What did the map know?", case, BOKEH, "*What we see.*")
    cases = folder / "cases"
    cases.mkdir()
    (cases / "rise.yml").write_text("seed: 3\ntitle: What did the map know before the rise?\n", encoding="utf-8")
    (cases / "fall.yml").write_text("seed: 4\n", encoding="utf-8")
    return folder


def build(folder: Path) -> Path:
    """The small site, built in `folder`; returns the site's folder."""
    from liqlab.report.build import build_site

    build_site(folder / "site", notebooks=write_notebooks(folder / "notebooks"))
    return folder / "site"


def shared(factory: pytest.TempPathFactory) -> Path:
    """The small site, built by the worker that asks first; the others wait for it. Nobody writes into it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all workers of this run
    folder = root / "small-site"
    with (root / "small-site.lock").open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "site").is_dir():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            build(folder)
    return folder / "site"


def requests_in(html: str) -> list[str]:
    """Addresses that a browser would fetch from another host: resources, not links that a reader may follow."""
    found = re.findall(
        r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc\s*=\s*[\"']?((?:https?:)?//[^\"' >]+)", html
    )
    found += re.findall(r"<link\b[^>]*\bhref\s*=\s*[\"']?((?:https?:)?//[^\"' >]+)", html)
    styles = "".join(re.findall(r"<style\b.*?</style>", html, re.DOTALL))
    return found + re.findall(r"(?:@import\s+|url\()[\"']?((?:https?:)?//[^\"') ]+)", styles)
