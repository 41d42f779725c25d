"""One call that saves anything: a figure or a market as a page, a map as a picture, maps and tables as data."""

from __future__ import annotations

import os
from dataclasses import fields, is_dataclass
from html import escape
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from liqlab.loaders.saved_files import write_saved
from liqlab.loaders.whole_file import checked_place, whole_file
from liqlab.maps._live import Live
from liqlab.maps.stacking import SEVERAL
from liqlab.market.arguments import checked
from liqlab.market.market import Market

__all__ = ["save"]

PICTURES, DATA = (".png", ".svg", ".pdf"), (".nc", ".parquet", ".csv")
ENDINGS = {
    "market": (".html",),
    "map": (".html", *PICTURES, *DATA),
    "moment": DATA,
    "maps": PICTURES,
    "table": (".parquet", ".csv"),
    "figure": (".html",),
}
REMEDIES = {
    "market": "its tables are saved one by one, lq.save(market.candles, 'candles.parquet'), and its map as a picture, "
    "lq.save(lq.heatmap(market), 'map.png')",
    "map": "choose one of these",
    "moment": "draw it as part of its map, lq.save(heat, 'map.png', at=…)",
    "maps": "save them one by one, or as one Dataset of lq.lookback_heatmaps or lq.model_heatmaps",
    "table": "a figure of it is saved as .html",
    "figure": "a picture is drawn from the map itself, lq.save(heat, 'map.png', zones=…); the page of a figure has a "
    "button that saves what it shows as PNG",
}


@checked()
def save(what: Any, path: str | os.PathLike[str], market: Market | None = None, **options: Any) -> Path:
    """Save a figure, a map, a table or a market; the ending of the name says as what.

    Parameters
    ----------
    what : HoloViews figure, Dataset, sequence of Datasets, DataFrame or Market
        ========================================  ================================================================
        a figure                                  ``.html``
        a map, or maps of several lookbacks or    ``.html``; ``.png``, ``.svg``, ``.pdf``; ``.nc``, ``.parquet``,
        models                                    ``.csv``
        a list of maps                            ``.png``, ``.svg``, ``.pdf``: side by side
        one moment of a map                       ``.nc``, ``.parquet``, ``.csv``
        a table                                   ``.parquet``, ``.csv``
        a market                                  ``.html``: its map, and where its data are from
        ========================================  ================================================================
    path : path-like
        A new file or a regular one, which is replaced once the new one is whole. Pages and pictures need neither a
        browser nor another host. ``.nc``, ``.parquet`` and ``.csv`` are read again with `liqlab.load_saved`.
    market : Market, optional
        Of a map: for the strip below it.
    **options
        Of pictures: those of `liqlab.plot.png`, such as ``zones=``, ``positions=``, ``observed=``, ``candles=``. Of the
        pages of maps and markets: those of `liqlab.plot.heatmap` and `liqlab.plot.show`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        What cannot be saved, or an option that has no meaning here.
    ValueError
        An ending that this cannot be saved as, a folder or device in place of a file, a table that such a file could
        not give back as it is.

    Examples
    --------
    >>> import tempfile, liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = lq.load_saved(lq.save(lq.clusters(heat), f"{folder}/zones.csv"))
    >>> table.equals(lq.clusters(heat)), table.attrs["symbol"]
    (True, 'BTC/USDT:USDT')
    """
    kind, ending = _kind_of(what), Path(path).suffix.lower()
    if ending not in ENDINGS[kind]:
        names = {"maps": "list of maps", "moment": "moment of a map"}
        raise ValueError(f"a {names.get(kind, kind)} is saved as {', '.join(ENDINGS[kind])}, got {Path(path).name!r}; "
                         f"{REMEDIES[kind]}")  # fmt: skip
    given = [name for name in ("market", *options) if name != "market" or market is not None]
    if given and (ending in DATA or kind == "figure" or (kind == "market" and market is not None)):
        raise TypeError(f"{', '.join(given)} {'has' if len(given) == 1 else 'have'} no meaning for a {kind} saved as "
                        f"{ending}; leave it out")  # fmt: skip
    checked_place(path)
    if ending in PICTURES:
        from liqlab.plot.save import png

        return png(what, path, market, **options)
    if ending in DATA:
        with whole_file(path) as part:
            write_saved(what, part, ending)
        return Path(path)
    text = _page(what, kind, market, options)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _kind_of(what: Any) -> str:
    from liqlab.plot.bokeh_hooks import is_figure

    if isinstance(what, Market):
        return "market"
    if isinstance(what, pd.DataFrame):
        return "table"
    if is_figure(what):
        return "figure"
    if isinstance(what, list | tuple) and what and all(_kind_of(each) == "map" for each in what):
        return "maps"
    if hasattr(what, "data_vars") and "notional" in what:
        return "map" if "time" in what["notional"].dims else "moment"
    _refuse(what)


def _refuse(what: Any) -> NoReturn:
    """Say of what is none of these what of it can be saved."""
    name = type(what).__name__
    if isinstance(what, Live):
        raise TypeError("a live map saves itself, live.save('btc.npz'), and goes on with lq.load_live; its map can be "
                        "saved here")  # fmt: skip
    if isinstance(what, pd.Series):
        raise TypeError("a Series is saved as a table; pass series.to_frame()")
    held = [each.name for each in fields(what) if isinstance(getattr(what, each.name), pd.DataFrame)
            ] if is_dataclass(what) and not isinstance(what, type) else []  # fmt: skip
    if held:
        raise TypeError(f"{name} holds tables, and these can be saved: " + ", ".join(
            f"lq.save(x.{each}, '{each}.parquet')" for each in held))  # fmt: skip
    raise TypeError(f"what: lq.save takes a figure, a map, a table or a market, got {name}")


# --- pages ---


def _page(what: Any, kind: str, market: Market | None, options: dict[str, Any]) -> str:
    """One HTML document with the figure, its scripts and what it was made from."""
    from bokeh.embed import components

    from liqlab import __version__
    from liqlab.plot.bokeh_hooks import bokeh_model
    from liqlab.report.figures import standalone

    figure = what if kind == "figure" else _figure(what, kind, market, options)
    script, div = components(standalone(bokeh_model(figure)))
    names = ["bokeh", *(name for name, marks in _PARTS.items() if any(f'"{mark}"' in script for mark in marks))]
    title = "liqlab figure" if kind == "figure" else f"{_symbol(what)} · estimated liquidation heatmap"
    return _DOCUMENT.format(version=escape(__version__), title=escape(title), scripts="\n".join(map(_library, names)),
                            div=div, script=script, about=_about(what, kind))  # fmt: skip


def _library(name: str) -> str:
    """A part of BokehJS from the installed package; bokeh.resources would add what other libraries ask hosts for."""
    import bokeh

    file = Path(bokeh.__file__).parent / "server" / "static" / "js" / f"{name}.min.js"
    return f"<script>\n{file.read_text(encoding='utf-8')}\n</script>"


def _figure(what: Any, kind: str, market: Market | None, options: dict[str, Any]) -> Any:
    from liqlab import plot

    if kind == "market":
        return plot.show(what, **options)
    if "lookback" in what.dims:
        return plot.lookback_heatmaps(what, **options)
    if any(dim in what.dims for dim in SEVERAL):
        return plot.explore(what, market, **options)
    return plot.heatmap(what, market, **options)


def _symbol(what: Any) -> str:
    return str(what.symbol if isinstance(what, Market) else what.attrs.get("symbol", "")) or "no symbol"


def _about(what: Any, kind: str) -> str:
    """Of a map what it was made from, of a market where its tables are from; a figure says it in its title."""
    if kind == "figure":
        return ""
    if kind == "market":
        rows = {name: " · ".join(str(told[part]) for part in ("exchange", "origin", "kind", "sha256") if told.get(part))
                for name, told in what.sources.items()}  # fmt: skip
        rows = {"candles": f"{what.timeframe}, {what.start:%Y-%m-%d %H:%M} to {what.end:%Y-%m-%d %H:%M} UTC"} | {
            f"source of {name}": text for name, text in rows.items()
        }
    else:
        rows = {name: str(text) for name, text in what.attrs.items() if name not in ("title", "provenance")}
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
    return f"<details><summary>What this was made from</summary><table>{cells}</table></details>"


_PARTS = {
    "bokeh-widgets": ("Slider", "RangeSlider", "Div", "Button", "Select", "Toggle", "CheckboxGroup",
                      "RadioButtonGroup", "CheckboxButtonGroup"),
    "bokeh-tables": ("DataTable",),
}  # fmt: skip
_DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="liqlab {version}">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; max-width: 76rem;
  padding: 0.75rem; }}
table {{ border-collapse: collapse; font-size: 0.85rem; }}
th {{ text-align: left; vertical-align: top; padding: 0.15rem 1rem 0.15rem 0; font-weight: 600; white-space: nowrap; }}
td {{ overflow-wrap: anywhere; }}
</style>
{scripts}
</head>
<body>
{div}
{script}
{about}
<p><small>Estimated from market data; nobody's account was read. Education, not advice. Made with liqlab
{version}.</small></p>
</body>
</html>
"""
