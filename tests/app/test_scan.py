"""A scan of many markets: its numbers, what failed, workers that are lost, Dask, the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import liqlab as lq
from liqlab.app import local_pool, one_market, scan_report
from liqlab.app._scan import _gathered, _named
from liqlab.app.one_market import Answer, Call, look_at, open_market
from liqlab.cli import app as command_line

CASE = "btc-2024-05"
DIES = [sys.executable, "-c", "import os, signal, sys; sys.stdin.buffer.read(1); os.kill(os.getpid(), signal.SIGKILL)"]


def call(market: Any = CASE, **options: Any) -> Call:
    return Call(market, lq.Assumptions("open_interest"), **options)


def small_market() -> Any:
    return lq.load_example(CASE).until("2024-05-03")


# --- the row ------------------------------------------------------------------------------------------------------


def test_every_number_is_what_the_tables_give_by_hand() -> None:
    market = lq.load_example(CASE)
    row = look_at(call(market)).row
    close = market.candles["close"].iloc[-1]
    heat = lq.heatmap(market, start="2024-05-25", end="2024-06-01", time_step="1h",
                      price_range=(0.5 * close, 1.6 * close), price_step=25.0)  # fmt: skip
    zones = lq.clusters(heat)
    zones = zones[~zones["broad"]]
    assert len(zones) > 0
    interest = market.open_interest["open_interest"].loc[:"2024-06-01"].iloc[-1] * close
    week = market.candles.loc["2024-05-25":"2024-05-31"]  # type: ignore[misc]
    volume = (week["volume"] * week["close"]).sum() / 7
    for side in ("long", "short"):
        mine = zones[zones["side"] == side]
        if mine.empty:
            assert np.isnan(row[f"{side}_price"]) and np.isnan(row[f"{side}_notional"])
            continue
        zone = mine.loc[mine["distance_to_edge"].abs().idxmin()]
        assert row[f"{side}_price"] == zone["peak"] and row[f"{side}_notional"] == zone["notional"]
        edge = zone["low"] if side == "short" else zone["high"]
        assert row[f"{side}_distance_percent"] == pytest.approx(100 * (edge / close - 1))
        assert row[f"{side}_distance_atr"] == pytest.approx((edge - close) / zones.attrs["atr"])
        assert row[f"{side}_to_open_interest"] == pytest.approx(zone["notional"] / interest)
        assert row[f"{side}_to_daily_volume"] == pytest.approx(zone["notional"] / volume)
        assert 0 < row[f"{side}_confluence"] < 1
        assert row[f"{side}_coverage"] == pytest.approx(lq.balance(market)["coverage", side].iloc[-1])
    assert row["funding_8h_percent"] == pytest.approx(100 * market.funding_rate["funding_rate"].iloc[-1])
    assert row["open_interest_from"] == "proxy: bybit" and row["at"] == pd.Timestamp("2024-06-01", tz="UTC")


def test_nothing_after_the_moment_is_looked_at() -> None:
    at = pd.Timestamp("2024-05-02 12:00", tz="UTC")
    whole, cut = look_at(call(at=at)), look_at(call(lq.load_example(CASE).until(at)))
    assert whole.row == cut.row and whole.row["at"] == at
    assert whole.small["notional"].equals(cut.small["notional"])


def test_what_is_not_known_is_nan_and_told() -> None:
    market = small_market()
    bare = lq.Market(market.candles.iloc[-60:], symbol="BTC/USDT:USDT")  # 15 hours
    row = look_at(Call(bare, lq.Assumptions("volume"))).row
    unknown = ("open_interest", "daily_volume", "funding_8h_percent", "long_coverage")
    assert all(np.isnan(row[name]) for name in unknown)
    stale = look_at(call(lq.Market(market.candles, open_interest=market.open_interest.loc[:"2024-05-01"]))).row
    assert np.isnan(stale["open_interest"]) and np.isnan(stale["long_to_open_interest"])


def test_a_small_map_holds_the_same_notional() -> None:
    small = look_at(call(small_market())).small
    edge = small["price_edge"].to_numpy()
    heat = lq.heatmap(small_market(), end="2024-05-03", time_step="1h", price_range=(edge[0], edge[-1]),
                      price_step=25.0, start="2024-04-26")  # fmt: skip
    assert float(small["notional"].sum()) == pytest.approx(float(heat["notional"].sum()), rel=1e-6)
    assert small["notional"].dtype == np.float32 and small.nbytes < 300_000
    assert (
        len(lq.plot.small_maps({"<b>one</b> {x} of a name that is far too long": small, "two": small}, columns=1)) == 2
    )


# --- which markets ------------------------------------------------------------------------------------------------


def test_markets_come_as_names_files_arguments_and_markets(tmp_path: Path) -> None:
    market, file = small_market(), tmp_path / "candles.csv"
    market.candles.to_csv(file)
    opened = [open_market(call(each)) for each in (CASE, str(file), file, {"candles": file, "symbol": "A/B:B"}, market)]
    assert [each.symbol for each in opened] == ["BTC/USDT:USDT", "", "", "A/B:B", "BTC/USDT:USDT"]
    with pytest.raises(ValueError, match="store holds no candles of BTC/USDT:USDT on okx"):
        open_market(call("BTC/USDT:USDT", exchange="okx", store=tmp_path))
    assert list(_named([CASE, file, market])) == [CASE, str(file), "BTC/USDT:USDT binanceusdm 15m"]


@pytest.mark.parametrize(("given", "words"), [
    (CASE, "must be a list"), ([], "is empty"), ([CASE, CASE], "more than once"),
    ([3], "must be the name of an example"),
])  # fmt: skip
def test_what_is_no_list_of_markets_is_refused(given: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        lq.scan(given)


def test_refused_data_are_not_tried_again_and_other_failures_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not look_at(call("nope")).again and "is called 'nope'" in look_at(call("nope")).reason

    def full(_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(one_market, "open_market", full)
    assert look_at(call()) == Answer(reason="MemoryError", again=True)


# --- workers ------------------------------------------------------------------------------------------------------


def test_broken_markets_are_rows_with_reasons_and_a_lost_worker_costs_one_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.csv").write_text("time,open\n1,2\n")
    started, real = [], local_pool._start

    def start() -> subprocess.Popen[bytes]:
        started.append(1)
        if len(started) > 1:
            return real()
        return subprocess.Popen(DIES, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(local_pool, "_start", start)
    given = {"b": small_market(), "bad": str(tmp_path / "bad.csv"), "none": str(tmp_path / "none.csv"), "nope": "nope"}
    found = lq.scan(given, workers=1, progress=False)
    assert list(found.table.index) == ["b"] and list(found.maps) == ["b"] and len(started) == 2
    assert found.table["notes"]["b"] == "tried again, because at first: its worker process ended (SIGKILL)"
    assert list(found.failed.index) == ["bad", "none", "nope"]
    for name, words in (("bad", "columns are not understood"), ("none", "none.csv"), ("nope", "is called 'nope'")):
        assert words in found.failed["reason"][name]
    assert found.table.loc["b", "price"] == look_at(call(small_market())).row["price"]


def test_a_worker_that_always_ends_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_pool, "_start",
                        lambda: subprocess.Popen(DIES, stdin=subprocess.PIPE, stdout=subprocess.PIPE))  # fmt: skip
    found = lq.scan({"a": "x", "b": "y", "c": "z"}, workers=2, progress=False)
    assert list(found.failed["reason"]) == ["its worker process ended (SIGKILL)"] * 3 and found.table.empty


def test_a_market_that_cannot_be_sent_raises_here() -> None:
    market = small_market()
    object.__setattr__(market, "sources", {"candles": lambda: 0})
    with pytest.raises((AttributeError, TypeError), match=r"[pP]ickle"):
        list(local_pool.on_this_machine({"a": call(market)}, 1))


def test_dask_gives_the_same_table() -> None:
    distributed = pytest.importorskip("distributed")
    given = {"a": small_market(), **{f"bad {k}": "nope" for k in range(6)}}  # more than are out at once
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp",
                                  dashboard_address=None) as cluster:  # fmt: skip
        found = lq.scan(given, scheduler=cluster.scheduler_address, progress=False)
    here = _gathered({name: look_at(call(market)) for name, market in given.items()}, list(given))
    pd.testing.assert_frame_equal(found.table, here.table)
    pd.testing.assert_frame_equal(found.failed, here.failed)


def test_without_dask_or_a_scheduler_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from liqlab.app import dask_pool

    monkeypatch.setattr(dask_pool, "WAIT_S", 0.5)
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:1'.*dask scheduler"):
        lq.scan([CASE], scheduler="tcp://127.0.0.1:1", progress=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'liqlab\[scan\]'"):
        lq.scan([CASE], scheduler="tcp://127.0.0.1:1", progress=False)


# --- command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_sorts_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"<i>far</i>": small_market().until("2024-05-02"), "near": small_market(), "nope": "nope"}
    found = _gathered({name: look_at(call(market)) for name, market in given.items()}, list(given))
    monkeypatch.setattr(scan_report, "scan", lambda names, **_: found)
    column = "short_distance_percent"
    csv, html = tmp_path / "scan.csv", tmp_path / "scan.html"
    ran = CliRunner().invoke(command_line, ["scan", "a", "--sort", f"-{column}", "-o", str(csv), "-o", str(html)])
    assert ran.exit_code == 3 and "failed: nope: no example" in ran.output
    table = pd.read_csv(csv, index_col="market")
    assert list(table[column].dropna()) == sorted(table[column].dropna(), reverse=True)
    assert "is called 'nope'" in table["reason"]["nope"] and len(table) == 3
    text = html.read_text(encoding="utf-8")
    assert "<i>far" not in text and "&lt;i&gt;far" in text
    wrong = CliRunner().invoke(command_line, ["scan", "a", "--sort", "size"])
    assert wrong.exit_code == 1 and "no column is called 'size'" in wrong.output
    assert CliRunner().invoke(command_line, ["scan"]).exit_code == 1
