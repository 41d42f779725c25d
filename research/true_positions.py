"""Make the small tables of true positions, forced orders and auto-deleveraging from the raw figures.

``python -m research.true_positions --raw FOLDER`` writes ``data/positions-2026-02.csv.gz`` (BTC, ETH and SOL of the
largest accounts, at moments `APART` apart) and ``data/positions.csv`` (what only needs to be read: who has no reachable
price in another week, the tiers that single forced orders paid, 10 October 2025 by ticker). Raw files are verified by
the sha256 of their manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.margin import tiers_for
from liqlab.validation._positions import classes_of_positions

DATA = Path(__file__).resolve().parents[1] / "data"
COINS = ("BTC", "ETH", "SOL")
APART = pd.Timedelta("4h")
LARGEST = "hyperliquid_positions_majors_2026-02-04_2026-02-14.parquet"
OVER_5M = "hyperliquid_positions_over5M_BTC_ETH_SOL_2026-08-20_2026-08-22.parquet"
ORDERS = "binanceusdm_BTCUSDT_liquidation_events_2024-12-04_2024-12-06.parquet"
OCTOBER = "hyperliquid_liquidations_adl_by_ticker_2025-10-10.csv"
PAUSE = pd.Timedelta("1h")  # between two orders: the recording stopped


def read_raw(raw: Path, file: str) -> pd.DataFrame:
    """A raw table whose sha256 is the manifest's."""
    known = pd.read_csv(raw / "manifest.csv", index_col="file").loc[file, "sha256"]
    content = (raw / file).read_bytes()
    if hashlib.sha256(content).hexdigest() != known:
        raise SystemExit(f"{raw / file} is not the file of manifest.csv; fetch it again")
    return pd.read_csv(io.BytesIO(content)) if file.endswith(".csv") else pd.read_parquet(io.BytesIO(content))


def positions(raw: pd.DataFrame) -> pd.DataFrame:
    """Positions in one form: time, coin, account, side, coins, entry, liquidation_price, mark."""
    named = raw["side"].astype(str).str.lower() if "side" in raw else np.where(raw["size"] > 0, "long", "short")
    table = pd.DataFrame({
        "time": raw["time"].dt.floor("s"), "coin": raw["coin"].astype(str), "account": raw["account"].astype("int32"),
        "side": named, "coins": raw["size"].abs(), "entry": raw["entry"], "liquidation_price": raw["liq"],
        "mark": raw["mark"],
    })  # fmt: skip
    return table[table["coin"].isin(COINS) & (table["coins"] > 0)].sort_values(["time", "coin", "account"])


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """The first moment, and each that comes `APART` or more after the last one kept."""
    kept: list[Any] = []
    for moment in sorted(table["time"].unique()):
        if not kept or moment - kept[-1] >= APART:
            kept.append(moment)
    return table[table["time"].isin(kept)].reset_index(drop=True)


def write_positions(table: pd.DataFrame, path: Path) -> None:
    """Six significant digits: far finer than any band. The same figures give the same bytes."""
    table.to_csv(
        path, index=False, float_format="%.6g", lineterminator="\n", compression={"method": "gzip", "mtime": 0}
    )


def unreachable(table: pd.DataFrame, where: str) -> list[dict[str, Any]]:
    """Share of the value by class, coin and side, with intervals by account."""
    found = []
    for coin in COINS:
        classes = classes_of_positions(table[table["coin"] == coin])
        for row in classes.reset_index().to_dict("records"):
            name, on = f"share of value, {row['class']}, {coin} {row['side']}", f"{where}; {row['accounts']} accounts"
            found.append({"name": name, "value": row["share"], "low": row["low"], "high": row["high"], "on": on})
    return found


def forced_orders(orders: pd.DataFrame) -> list[dict[str, Any]]:
    """By tier and recorded segment: from bankruptcy price to average fill, beside the tier's maintenance rate [bp]."""
    tiers = tiers_for("binanceusdm", "BTC/USDT:USDT", "2024-12-04")
    sign = np.where(orders["side"] == "long", 1.0, -1.0)
    orders = orders.assign(
        cost=1e4 * sign * (orders["price"] / orders["order_price"] - 1), notional=orders["price"] * orders["quantity"],
        segment=(orders["time"].diff() > PAUSE).cumsum(),
    )  # fmt: skip
    tier = np.searchsorted(tiers.floor, orders["notional"], side="right") - 1
    orders = orders.assign(tier=tier, rate=1e4 * (tiers.rate[tier] - tiers.amount[tier] / orders["notional"]))
    rows = []
    for (segment, each), part in orders.groupby(["segment", "tier"]):
        first, last = part["time"].min(), part["time"].max()
        rows.append({"name": f"tier {each + 1}, bankruptcy price to average fill [bp]", "value": part["cost"].median(),
                     "low": part["cost"].quantile(0.05), "high": part["cost"].quantile(0.95),
                     "on": f"segment {segment + 1}, {first:%d %b %H:%M} to {last:%d %b %H:%M}, {len(part)} orders; "
                     f"maintenance {part['rate'].mean():.2f} bp; low, high: 5 to 95 % of the orders"})  # fmt: skip
    seconds = orders["time"].dt.floor("s").value_counts()
    rows.append({"name": "most orders in one second", "value": int(seconds.max()), "on": "all segments"})
    rows += throttle(orders)
    return rows


def throttle(orders: pd.DataFrame, window: int = 10) -> list[dict[str, Any]]:
    """Published orders ÷ what arrived, if orders arrive at random within windows of `window` seconds.

    Of the seconds of a window a share b has an order; a Poisson stream that leaves the share 1 − b empty brings
    −log(1 − b) orders a second, of which one is told. A full window counts as half a second short of full.
    """
    busy = orders["time"].dt.floor("s").drop_duplicates()
    count = busy.dt.floor(f"{window}s").value_counts().clip(upper=window - 0.5)
    arrived = -np.log1p(-count / window) * window
    hours = (orders.groupby("segment")["time"].max() - orders.groupby("segment")["time"].min()).sum()
    worst = busy.dt.floor("h").value_counts().index[0]
    inside = count.index.floor("h") == worst
    where = (
        f"Binance BTC, 4 to 6 December 2024, {hours.total_seconds() / 3600:.1f} recorded hours, windows of {window} s"
    )
    return [
        {"name": "published ÷ arrived orders", "value": count.sum() / arrived.sum(), "on": where},
        {"name": "published ÷ arrived orders, busiest hour", "value": count[inside].sum() / arrived[inside].sum(),
         "on": f"{where}, {worst:%d %b %H}:00"},
    ]  # fmt: skip


def october(table: pd.DataFrame) -> list[dict[str, Any]]:
    """10 October 2025 on Hyperliquid, 21:15 to 21:27: liquidated and auto-deleveraged, all and by ticker."""
    rows = []
    sums = table[["liq_notional", "adl_notional"]].sum()
    for name, part in [
        ("all tickers", sums),
        *((r["ticker"], r) for _, r in table.nlargest(8, "liq_notional").iterrows()),
    ]:
        rows.append({"name": f"auto-deleveraged per liquidated dollar, {name}",
                     "value": part["adl_notional"] / part["liq_notional"],
                     "on": f"Hyperliquid, 10 October 2025, 21:15 to 21:27; {part['liq_notional'] / 1e6:,.0f} million "
                           "USD liquidated"})  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="the folder of raw figures, with manifest.csv")
    raw = parser.parse_args().raw
    february = thinned(positions(read_raw(raw, LARGEST)))
    write_positions(february, DATA / "positions-2026-02.csv.gz")
    august = thinned(positions(read_raw(raw, OVER_5M)))
    rows = unreachable(february, "Hyperliquid, largest accounts, 4 to 14 February 2026")
    rows += unreachable(august, "Hyperliquid, accounts over 5 M USD, 20 to 22 August 2026")
    rows += forced_orders(read_raw(raw, ORDERS)) + october(read_raw(raw, OCTOBER))
    table = pd.DataFrame(rows, columns=["name", "value", "on", "low", "high"])
    for name in ("value", "low", "high"):
        table[name] = ["" if pd.isna(x) else f"{x:.4g}" for x in table[name]]
    table.to_csv(DATA / "positions.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
