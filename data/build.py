"""Make the tables of this folder from the raw figures: ``python data/build.py --raw FOLDER``.

FOLDER holds the raw parquet files, leverage_tiers.csv and a manifest.csv with their sha256; every file that is used is
verified first. What is made, and from what, stands in cases.yml. The same figures give the same bytes. Files are
replaced only after every case made from them has loaded without an error or a warning.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # a bare clone has liqlab beside data/, not installed

from liqlab.loaders import _examples  # noqa: E402, RUF100 (only after the line above)
from liqlab.margin.tiers import FILE as TIER_FILE  # noqa: E402, RUF100
from liqlab.market import market  # noqa: E402, RUF100
from liqlab.market.checks import TIER_COLUMNS  # noqa: E402, RUF100

LIMIT = 12_000_000
CANDLES = (*market.PRICES, "volume", "taker_buy_volume")
RESAMPLE = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
COMPLETE = 0.99  # a taker volume is believed where its own source saw this share of the hour's volume
SIDES = {"both": 2, "one": 1}  # how often a coin of open interest is counted
SPREAD = (0.05, 0.95)  # of the hours in which a factor was measured, beside their median


# --- raw figures: nothing is read that is not what the manifest says ------------------------------------------------


def read_manifest(raw: Path, tiers: dict[str, Any]) -> pd.DataFrame:
    """The raw folder's list of files, indexed by file; the tiers, which it does not list, are added from cases.yml."""
    path = raw / "manifest.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; pass --raw the folder that holds the raw figures and manifest.csv")
    manifest = pd.read_csv(path, index_col="file", keep_default_na=False, dtype=str)
    if tiers["raw"] not in manifest.index:
        manifest.loc[tiers["raw"]] = [tiers.get(str(column), "") for column in manifest]
    return manifest


def read_raw(raw: Path, manifest: pd.DataFrame, file: str) -> pd.DataFrame:
    """One raw table, after its sha256 has been found to be the manifest's; stamps in microseconds."""
    path = raw / file
    if file not in manifest.index or not path.is_file():
        where = "listed in manifest.csv" if file not in manifest.index else "there"
        raise FileNotFoundError(f"raw file {file} is not {where}, in {raw}; the build needs it, add it to the folder")
    known, found = str(manifest.loc[file, "sha256"]), hashlib.sha256(path.read_bytes()).hexdigest()
    if found != known:
        raise ValueError(f"raw file {path} is not the one of manifest.csv: sha256 {found}, manifest says {known}; "
                         "fetch the file again")  # fmt: skip
    if file.endswith(".csv"):
        return pd.read_csv(path)
    table = pd.read_parquet(path)
    return table.set_axis(pd.DatetimeIndex(table.index).as_unit("us").rename("time"))


# --- recipes: raw table(s) -> our table. No value is stamped before it was complete, none is interpolated -----------


def bars(figures: pd.DataFrame) -> pd.DataFrame:
    """Candles or liquidations as they are, in our columns."""
    return figures[[column for column in (*CANDLES, "long", "short") if column in figures]]


def hours(figures: pd.DataFrame) -> pd.DataFrame:
    """Finer candles -> complete hours."""
    return to_hours(figures)


def instants(figures: pd.DataFrame) -> pd.DataFrame:
    """Open interest or funding as it is: one value, true at its stamp."""
    return figures[[column for column in ("open_interest", "funding_rate") if column in figures]]


def stand_in(figures: pd.DataFrame, *, sides: str, factor: float) -> pd.DataFrame:
    """Open interest of another venue: counted on one side, then brought to the size of the case's venue."""
    return instants(figures) * (factor / SIDES[sides])


def hour_ends(figures: pd.DataFrame) -> pd.DataFrame:
    """Hours with an opening and a closing open interest -> instants; only the last closing value is needed."""
    last = pd.Series(figures["open_interest_close"].iloc[-1], index=figures.index[-1:] + pd.Timedelta("1h"))
    return pd.concat([figures["open_interest_open"], last]).rename("open_interest").to_frame()


def hours_with_taker(fine: pd.DataFrame, taker: pd.DataFrame) -> pd.DataFrame:
    """Fine candles resampled to hours, with the taker volume of a second source where that source is complete.

    The second source misses minutes of some hours (extremes among them), so it gives nothing but the taker volume.
    """
    hours = to_hours(fine)
    seen = taker["volume"].reindex(hours.index)
    amount = taker["taker_buy_volume"].reindex(hours.index)
    return hours.assign(taker_buy_volume=amount.where(seen >= COMPLETE * hours["volume"]))


RECIPES: dict[str, Callable[..., pd.DataFrame]] = {
    recipe.__name__: recipe for recipe in (bars, hours, instants, stand_in, hour_ends, hours_with_taker)
}


def to_hours(fine: pd.DataFrame) -> pd.DataFrame:
    """Complete hours of finer candles."""
    per_hour = pd.Timedelta("1h") // market.step_of(fine)
    grouped = fine.resample("1h")
    return grouped.agg(RESAMPLE)[grouped.size() == per_hour]


# --- the size of one venue's open interest in that of another ------------------------------------------------------


def ratios(spec: dict[str, Any], raw: Path, manifest: pd.DataFrame) -> dict[str, pd.Series]:
    """By asset: own open interest ÷ one side of the other venue's, at each instant that both know."""
    found = {}
    for asset, pair in spec["scale"]["pairs"].items():
        own, other = (read_raw(raw, manifest, pair[role]) for role in ("own", "other"))
        one_side = instants(other)["open_interest"] / SIDES[spec["scale"]["sides"]]
        found[asset] = (hour_ends(own)["open_interest"] / one_side).dropna().rename(asset)
    return found


def scale_of(entry: dict[str, Any], spec: dict[str, Any], known: dict[str, pd.Series]) -> dict[str, Any]:
    """The factor of a stand-in, to two decimals: the median hour of the assets it was measured on, and the spread."""
    hours = pd.concat([known[asset] for asset in entry["scale"]])
    low, high = (round(float(hours.quantile(q)), 2) for q in SPREAD)
    return {"sides": f"{spec['scale']['sides']} → one", "scale": round(float(hours.median()), 2), "scale_low": low,
            "scale_high": high, "note": entry["note"] + "; " + _scale_words(entry["scale"], hours)}  # fmt: skip


def _scale_words(assets: list[str], hours: pd.Series) -> str:
    first, last = hours.index.min(), hours.index.max()
    return (f"halved (both sides are counted), then brought to the size of the case's venue by the median ratio of "
            f"{len(hours):,} hours of {' and '.join(assets)}, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}; assumed "
            f"at other times{'' if len(assets) == 1 else ' and for this asset'}")  # fmt: skip


# --- writing --------------------------------------------------------------------------------------------------------


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """float64 as it is; plain pages under zstd are half the size of dictionary pages here."""
    stamps = pd.DatetimeIndex(table.index).as_unit("us")
    columns = {"time": pa.array(stamps.asi8, pa.timestamp("us", tz="UTC"))}
    columns |= {str(name): pa.array(table[name].to_numpy("float64"), pa.float64()) for name in table}
    pq.write_table(pa.table(columns), path, compression="zstd", compression_level=15, use_dictionary=False,
                   column_encoding={"time": "DELTA_BINARY_PACKED"})  # fmt: skip


def write_tiers(tiers: pd.DataFrame, path: Path) -> None:
    """The maintenance tiers, checked and sorted, whole numbers without a point."""
    checked = market.check_leverage_tiers(tiers)
    checked["as_of"] = checked["as_of"].dt.strftime("%Y-%m-%d")
    for column in checked.select_dtypes("float"):
        checked[column] = [repr(int(x)) if x == int(x) else repr(x) for x in checked[column].tolist()]
    checked.to_csv(path, index=False, lineterminator="\n")


def make_table(entry: dict[str, Any], raw: Path, manifest: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """One of our tables: the recipe over its raw figures, cropped."""
    figures = {role: read_raw(raw, manifest, file) for role, file in entry["raw"].items()}
    start, end = map(market.utc, entry["range"])
    instants_ = entry["recipe"] in ("instants", "stand_in", "hour_ends")
    return _examples.crop(RECIPES[entry["recipe"]](**figures, **options), start, end, instants=instants_)


def make_file(
    stem: str, spec: dict[str, Any], raw: Path, manifest: pd.DataFrame, known: dict[str, pd.Series], out: Path
) -> dict[str, Any]:
    """Make one parquet and return its line of the registry; `known`: the ratios of `ratios`."""
    entry, path = spec["files"][stem], out / f"{stem}.parquet"
    scale = scale_of(entry, spec, known) if "scale" in entry else {}
    options = {"sides": spec["scale"]["sides"], "factor": scale["scale"]} if scale else {}
    table = make_table(entry, raw, manifest, **options)
    write_parquet(table, path)
    rows = manifest.loc[list(entry["raw"].values())]
    users = [case for case in spec["cases"].values() if stem in case["tables"].values()]
    own = {rows["exchange"].iloc[0] == case["exchange"] for case in users}
    if len(own) != 1:
        raise ValueError(f"{stem}: used by no case, or as own by one and as proxy by another; correct cases.yml")
    return {
        **_file_facts(path),
        "rows": len(table), "columns": " ".join(table.columns),
        "first": f"{table.index[0]:%Y-%m-%d %H:%M}", "last": f"{table.index[-1]:%Y-%m-%d %H:%M}",
        "timeframe": market.timeframe_of(market.step_of(table)), "exchange": rows["exchange"].iloc[0],
        "symbol": rows["symbol"].iloc[0], "kind": "own" if own.pop() else "proxy",
        "sides": "", "scale": "", "scale_low": "", "scale_high": "",
        "origin": "; ".join(dict.fromkeys(rows["origin"])), "note": entry.get("note", ""), **scale,
        "raw": " ".join(rows.index), "raw_sha256": " ".join(rows["sha256"]),
    }  # fmt: skip


def make_tiers(spec: dict[str, Any], raw: Path, manifest: pd.DataFrame, out: Path) -> dict[str, Any]:
    """Make leverage_tiers.csv and return its line of the registry."""
    entry, path = spec["tiers"], out / _examples.TIERS
    tiers = read_raw(raw, manifest, entry["raw"])
    write_tiers(tiers, path)
    return {
        **_file_facts(path),
        "rows": len(tiers), "columns": " ".join(TIER_COLUMNS), "first": tiers["as_of"].min(),
        "last": tiers["as_of"].max(), "timeframe": "", "kind": "own", "sides": "", "raw": entry["raw"],
        "raw_sha256": entry["sha256"], **{key: entry[key] for key in ("exchange", "symbol", "origin", "note")},
    }  # fmt: skip


def _file_facts(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


# --- the tables of README.md ----------------------------------------------------------------------------------------


def markdown(table: pd.DataFrame) -> str:
    """A DataFrame (without its index) as a markdown table."""
    lines = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def cases_text(spec: dict[str, Any], out: Path) -> str:
    """The cases: one table of facts, then one line each in words."""
    known = _examples.describe_cases(out)
    days = {key: known[key].dt.strftime("%Y-%m-%d") for key in ("start", "end", "window_start", "window_end")}
    facts = pd.DataFrame({
        "case": "`" + known.index + "`", "market": known["symbol"] + " on " + known["exchange"],
        "candles": known["timeframe"], "range": days["start"] + " … " + days["end"],
        "look first at": days["window_start"] + " … " + days["window_end"],
        "has": known["has"], "lacks": known["lacks"],
    })  # fmt: skip
    words = [
        f"- `{name}`: {case['title']}. *Teaches:* {case['teaches']}{'' if case['teaches'].endswith('?') else '.'}"
        + (f" *Mind:* {case['caution']}." if "caution" in case else "")
        for name, case in spec["cases"].items()
    ]
    return markdown(facts) + "\n\n" + "\n".join(words)


def files_text(registry: pd.DataFrame) -> str:
    """Every file: what is in it, where it comes from, its sha256."""
    origins = {origin: number for number, origin in enumerate(dict.fromkeys(registry["origin"]), 1)}
    facts = pd.DataFrame({
        "file": "`" + registry["file"] + "`", "exchange": registry["exchange"], "kind": registry["kind"],
        "rows": registry["rows"].map("{:,}".format), "columns": registry["columns"],
        "first … last (UTC)": registry["first"] + " … " + registry["last"],
        "bytes": registry["bytes"].map("{:,}".format), "origin": registry["origin"].map(origins),
        "note": registry["note"], "sha256": "`" + registry["sha256"] + "`",
    })  # fmt: skip
    total = f"{len(registry)} files, {registry['bytes'].sum() / 1e6:.2f} MB in all."
    listed = "\n".join(f"{number}. {origin}" for origin, number in origins.items())
    return f"{total}\n\n{markdown(facts)}\n\nOrigins:\n\n{listed}"


def scales_text(registry: pd.DataFrame, known: dict[str, pd.Series], spec: dict[str, Any]) -> str:
    """By how much each stand-in was multiplied, and how steady the measured ratio was."""
    lines = registry[registry["sides"] != ""]
    low, high = (lines[name].map("{:.2f}".format) for name in ("scale_low", "scale_high"))
    used = pd.DataFrame({
        "file": "`" + lines["file"] + "`", "exchange": lines["exchange"], "sides": lines["sides"],
        "factor": lines["scale"].map("{:.2f}".format), "5 to 95 % of the hours": low + " … " + high,
        "measured on": [" and ".join(spec["files"][file.removesuffix(".parquet")]["scale"]) for file in lines["file"]],
    })  # fmt: skip
    weeks = {asset: hours.resample("7D").median() for asset, hours in known.items()}
    steady = "; ".join(f"{asset} {', '.join(f'{x:.2f}' for x in week)}" for asset, week in weeks.items())
    first = min(week.index[0] for week in weeks.values())
    return f"{markdown(used)}\n\nMedians of the ratio by week, from {first:%Y-%m-%d} on: {steady}."


def agreement_text(spec: dict[str, Any], raw: Path, manifest: pd.DataFrame) -> str:
    """Where two raw tables tell of the same hours: how far they agree."""
    rows = []
    for pair in spec["agreement"]:
        coarse, fine = (read_raw(raw, manifest, pair[role]) for role in ("coarse", "fine"))
        hours = to_hours(fine)
        shared = coarse.index.intersection(hours.index)
        apart = (coarse.loc[shared, list(market.PRICES)] / hours.loc[shared, list(market.PRICES)] - 1).abs()
        column, stamp = apart.max().idxmax(), apart.max(axis=1).idxmax()
        volume = (coarse.loc[shared, "volume"] / hours.loc[shared, "volume"] - 1).abs()
        same = manifest.loc[pair["coarse"], "exchange"] == manifest.loc[pair["fine"], "exchange"]
        rows.append({
            "pair": pair["title"], "hours": f"{len(shared):,}",
            "equal prices": f"{float((apart < 1e-9).to_numpy().mean()):.1%}",
            "median difference": f"{float(np.median(apart)):.3%}",
            "largest": f"{float(apart.max().max()):.3%} ({column}, {stamp:%Y-%m-%d %H:%M})",
            "volume off by > 1 %": f"{int((volume > 0.01).sum())} hours" if same else "another market",
        })  # fmt: skip
    return markdown(pd.DataFrame(rows))


def write_readme(path: Path, sections: dict[str, str]) -> None:
    """Our README with generated text between its marks ``<!-- begin: name -->`` and ``<!-- end: name -->``."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    for name, content in sections.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(begin)
        after = rest.partition(end)[2]
        if not found or not after:
            raise ValueError(f"README.md lacks the marks {begin} … {end}; put them where the table shall stand")
        text = f"{before}{begin}\n{content}\n{end}{after}"
    path.write_text(text, encoding="utf-8", newline="\n")


# --- all of it ------------------------------------------------------------------------------------------------------


def build(raw: Path, out: Path) -> None:
    """Make every file of the data folder `out` from the raw figures in `raw`."""
    spec = yaml.safe_load((HERE / "cases.yml").read_text(encoding="utf-8"))
    manifest = read_manifest(raw, spec["tiers"])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(suffix=".tmp", dir=out) as name:
        draft = Path(name)
        shutil.copyfile(HERE / "cases.yml", draft / "cases.yml")
        known = ratios(spec, raw, manifest)
        lines = [make_file(stem, spec, raw, manifest, known, draft) for stem in spec["files"]]
        registry = pd.DataFrame([*lines, make_tiers(spec, raw, manifest, draft)])
        registry.to_csv(draft / "registry.csv", index=False, lineterminator="\n")
        write_readme(draft / "README.md", {
            "cases": cases_text(spec, draft), "files": files_text(registry),
            "scales": scales_text(registry, known, spec), "agreement": agreement_text(spec, raw, manifest),
        })  # fmt: skip
        check(draft, spec)
        if out.resolve() == HERE:  # the tiers are part of the package
            os.replace(draft / _examples.TIERS, TIER_FILE)
        for path in sorted(draft.iterdir()):
            os.replace(path, out / path.name)


def check(draft: Path, spec: dict[str, Any]) -> None:
    """Load every case, warnings as errors; refuse a folder that is too large."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in spec["cases"]:
            _examples.load_case(name, draft)
    size = sum(path.stat().st_size for path in draft.iterdir())
    if size > LIMIT:
        raise ValueError(f"data/ would hold {size:,} bytes, at most {LIMIT:,} are allowed; crop a range in cases.yml")


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, build, and end with a plain message where the raw figures are not what they must be."""
    parser = argparse.ArgumentParser(description="make the tables of data/ from the raw figures")
    parser.add_argument("--raw", type=Path, required=True, help="folder of the raw figures, with manifest.csv")
    parser.add_argument("--out", type=Path, default=HERE, help="where to write (default: the folder of this script)")
    chosen = parser.parse_args(arguments)
    try:
        build(chosen.raw, chosen.out)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"build.py: {error}") from error


if __name__ == "__main__":
    main()
