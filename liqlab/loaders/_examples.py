"""The examples that come with liqlab: real markets, offline, every file checked against its sha256.

What a case is stands in ``data/cases.yml``, written by hand; what its files hold stands in ``data/registry.csv``,
written by ``data/build.py``. Nothing is downloaded here.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from liqlab.margin.tiers import default_tiers
from liqlab.market.arguments import checked
from liqlab.market.clock import utc
from liqlab.market.market import TABLES, Market

__all__ = ["examples", "folder", "load_example"]

INSTANTS = ("open_interest", "funding_rate")
TIERS = "leverage_tiers.csv"  # its line in the registry; the file is part of `liqlab.margin`
Registry = dict[str, dict[str, str]]  # file -> its line of registry.csv


def examples() -> pd.DataFrame:
    """The cases that `load_example` knows.

    Returns
    -------
    DataFrame (case,)
        symbol, exchange, timeframe; start, end [UTC, half-open]: all there is; window_start, window_end [UTC]: the part
        worth looking at first, what lies before it is warm-up; has: the tables of the market, a proxy with the exchange
        it comes from; lacks: the tables that it has not; teaches: one sentence; in_claims: whether it is one of the
        markets that the table of `claims` was made of.

    Examples
    --------
    >>> examples().loc["btc-2024-05", "symbol"]
    'BTC/USDT:USDT'
    >>> examples().loc["btc-2024-05", "has"]
    'candles, open_interest (proxy: bybit), funding_rate, leverage_tiers'
    """
    return describe_cases(folder("data"))


@checked()
def load_example(name: str) -> Market:
    """Load one of the cases that come with liqlab.

    Parameters
    ----------
    name : str
        A case name from `examples`, such as ``"btc-2024-05"``.

    Returns
    -------
    Market
        Its tables cropped to the case, with `Market.sources` filled: for each table exchange, origin, kind (``own``,
        or ``proxy`` where it is of another exchange or market), note, file and the file's sha256. Open interest that
        stands in for the market's own: also sides (``both → one``: it was halved), the factor scale that it was
        multiplied by afterwards, and scale_low and scale_high, 5 and 95 % of the hours in which that was measured.

    Raises
    ------
    ValueError
        If there is no such case (the message lists the names), or a file is not the one that was published.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> market = load_example("btc-2024-05")
    >>> float(market.candles.loc["2024-05-01", "low"].min())
    56537.7
    """
    return load_case(name, folder("data"))


def folder(name: str) -> Path:
    """Where liqlab keeps what it ships beside its code.

    Parameters
    ----------
    name : str
        ``"data"`` or ``"notebooks"``.

    Returns
    -------
    Path
        ``liqlab/_shipped/<name>`` of an installed package, else ``<name>/`` of the repository around it.
    """
    if name not in ("data", "notebooks"):
        raise ValueError(f"liqlab ships the folders 'data' and 'notebooks', got {name!r}; pass one of these")
    package = Path(__file__).resolve().parents[1]
    places = [package / "_shipped" / name, package.parent / name]
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"liqlab's folder {name!r} is neither at {places[0]} nor at {places[1]}; install liqlab from its wheel, or run "
        "it from a complete clone of the repository"
    )


# --- the same, from any folder (data/build.py looks at what it has just made) ---------------------------------------


def describe_cases(root: Path) -> pd.DataFrame:
    """The table of `examples`, from the data folder `root`."""
    tiers, registry = default_tiers(), _registry(root)
    priced = set(zip(tiers["exchange"], tiers["symbol"], strict=True))
    rows = {}
    for name, case in _cases(root).items():
        start, end, window_start, window_end = map(utc, [*case["range"], *case["window"]])
        has, lacks = _inventory(case, registry, (case["exchange"], case["symbol"]) in priced)
        rows[name] = {
            "symbol": case["symbol"], "exchange": case["exchange"], "timeframe": case["timeframe"],
            "start": start, "end": end, "window_start": window_start, "window_end": window_end,
            "has": ", ".join(has), "lacks": ", ".join(lacks), "teaches": case["teaches"],
            "in_claims": case.get("in_claims", True),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("case")


def load_case(name: str, root: Path) -> Market:
    """The market of `load_example`, from the data folder `root`."""
    cases = _cases(root)
    if name not in cases:
        near = difflib.get_close_matches(str(name), cases, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no example is called {name!r}; {hint}there are: {', '.join(cases)}")
    case, registry = cases[name], _registry(root)
    start, end = map(utc, case["range"])
    tables: dict[str, Any] = {}
    sources: dict[str, dict[str, str]] = {}
    for table, stem in case["tables"].items():
        file = f"{stem}.parquet"
        tables[table] = crop(_read_table(root, registry, file), start, end, instants=table in INSTANTS)
        sources[table] = _source(registry[file])
    tiers = default_tiers()
    tiers = tiers[(tiers["exchange"] == case["exchange"]) & (tiers["symbol"] == case["symbol"])]
    if not tiers.empty:
        tables["leverage_tiers"], sources["leverage_tiers"] = tiers, _source(registry[TIERS])
    names = {key: case[key] for key in ("symbol", "exchange", "timeframe")}
    return Market(**tables, **names, sources=sources)


def crop(table: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp, *, instants: bool) -> pd.DataFrame:
    """Rows of [start, end); where stamps are instants the end itself belongs to it: it closes the last bar."""
    inside = (table.index >= start) & ((table.index <= end) if instants else (table.index < end))
    return table[inside]


def _inventory(case: dict[str, Any], registry: Registry, priced: bool) -> tuple[list[str], list[str]]:
    """What the case has, proxies labelled, and which tables of a `Market` it lacks."""
    has: list[str] = []
    lacks: list[str] = []
    for table in (*TABLES, "leverage_tiers"):
        if table == "leverage_tiers":
            (has if priced else lacks).append(table)
        elif table in case["tables"]:
            entry = registry[f"{case['tables'][table]}.parquet"]
            has.append(f"{table} (proxy: {entry['exchange']})" if entry["kind"] == "proxy" else table)
            if table == "candles" and "taker_buy_volume" in entry["columns"].split():
                has.append("taker (as taker_buy_volume)")
        elif table != "taker" or "taker (as taker_buy_volume)" not in has:
            lacks.append(table)
    return has, lacks


def _source(entry: dict[str, str]) -> dict[str, str]:
    """What `Market.sources` says of a table; of a stand-in also how it was brought to the size of the case's venue."""
    scaled = [key for key in ("sides", "scale", "scale_low", "scale_high") if entry[key]]
    return {key: entry[key] for key in ("exchange", "origin", "kind", "note", "sha256", "file", *scaled)}


def _cases(root: Path) -> dict[str, Any]:
    return _yaml(root)["cases"]


def _yaml(root: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same result, ten times sooner where it was compiled in
    return yaml.load(_bytes(root / "cases.yml"), Loader=loader)  # both are safe loaders


def _registry(root: Path) -> Registry:
    lines = csv.DictReader(io.StringIO(_bytes(root / "registry.csv").decode("utf-8")))
    return {line["file"]: line for line in lines}


def _read_table(root: Path, registry: Registry, file: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(_checked(root, registry, file))).set_index("time")


def _checked(root: Path, registry: Registry, file: str) -> bytes:
    """The bytes of a file, if they are those that the registry knows."""
    content = _bytes(root / file)
    found, known = hashlib.sha256(content).hexdigest(), registry[file]["sha256"]
    if found != known:
        raise ValueError(
            f"{root / file} is not the file that liqlab was published with: sha256 {found}, registry.csv says {known}; "
            f"restore it with `git checkout -- data/{file}` or reinstall liqlab (own figures are read by lq.read)"
        )
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} is missing; restore it with `git checkout -- data/{path.name}`, reinstall liqlab, or make all "
            "files again with `python data/build.py --raw FOLDER`"
        ) from error
