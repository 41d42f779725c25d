"""Notebook 12, online and offline: fetched over real HTTP from a loopback exchange, and never old data as new."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import http
from liqlab.report.pages import Page
from liqlab.report.run import run_pages
from tests.exchange_server import Exchange

LONG = os.environ.get("LIQLAB_LONG") == "1"
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "12_your_market.ipynb"
BTC = "BTC/USDT:USDT"


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """An exchange whose clock is ours, with eight days of history and a candle that has not closed."""
    begin = (pd.Timestamp.now("UTC") - pd.Timedelta(8, "D")).floor("h").tz_localize(None)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIQLAB_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("LIQLAB_HTTP_ATTEMPTS", "2")
    monkeypatch.setenv("LIQLAB_HTTP_BACKOFF", "0.01")
    with Exchange(candles=10 * 288, step="5m", start=str(begin), weight=10**9) as server:
        monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", server.url)
        yield server


def sources() -> list[str]:
    """Code of the cells up to the one that brings the data, without the imports of the drawing library."""
    code = ["".join(c["source"]) for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    last = next(k for k, text in enumerate(code) if "lq.fetch(" in text)
    return [text for text in code[: last + 1] if "hv.extension" not in text]


def data(**parameters: Any) -> dict[str, Any]:
    """What the notebook's first cells make of these parameters, in this process."""
    first, *rest = sources()
    names: dict[str, Any] = {"pd": pd, "lq": lq, "warnings": warnings}
    exec(first, names)
    assert set(parameters) <= set(names)
    names.update(parameters)
    for text in rest:
        exec(text, names)
    return names


def told(path: Path) -> str:
    """Everything that an executed notebook says in words."""
    words = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            given = output.get("data", {})
            text = given.get("text/markdown") or given.get("text/html", "") or output.get("text", "")
            words.append(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", text, flags=re.S))
    return re.sub(r"\s+", " ", " ".join(words))


@pytest.mark.timeout(180)
def test_online_the_report_is_that_of_the_exchange(exchange: Exchange, tmp_path: Path) -> None:
    """The price, the funding and the open interest of the page are those that the exchange served last."""
    page = Page("12_your_market", NOTEBOOK, {"offline": False, "symbol": BTC, "days_shown": 2, "days_before": 4})
    (run,) = run_pages([page], folder=tmp_path / "out", jobs=1)
    assert run.error == ""
    text = told(run.path)
    end = pd.Timestamp(re.search(r"data to (\S+ \S+) UTC", text)[1], tz="UTC")  # type: ignore[index]
    made = pd.Timestamp(re.search(r"made (\S+ \S+) UTC", text)[1], tz="UTC")  # type: ignore[index]
    assert pd.Timedelta(0) <= made - end < pd.Timedelta(10, "min")  # nothing unfinished, nothing old
    row = exchange.truth().loc[end - pd.Timedelta(5, "min")]
    assert f"price {row['close']:,.10g} USDT known" in text
    interest = exchange.interest_at(end.value // 10**6)
    assert f"open interest {interest:,.0f} BTC," in text
    rate = exchange.funding[int((end.value // 10**6 - 2 - exchange.start) // (8 * 3_600_000))]
    assert f"funding rate {rate:+.4%} per interval known" in text
    assert "Fetched from binanceusdm." in text and "This is not now" not in text and "embedded case" not in text
    assert "in 24 h own" in text and "takers" not in text
    for words in (
        "nearest cluster above",
        "nearest cluster below",
        "ATR of 1h",
        "RSI 14 of 1h",
        "BTC/USDT:USDT on binanceusdm stood at",
    ):
        assert words in text
    assert exchange.asked("/klines") >= 2 and exchange.asked("/openInterestHist") >= 1


def test_when_the_exchange_is_gone_what_is_in_the_store_is_not_shown_as_now(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    online = {"offline": False, "days_shown": 1.0, "days_before": 2.0}
    fresh = data(**online)
    assert fresh["market"].end <= pd.Timestamp.now("UTC") and fresh["case"] == ""
    monkeypatch.setattr(http, "RETRY_POLICY", http.RetryPolicy(attempts=2, first=0.001, connect=1, read=1))
    exchange.faults = ["500"] * 99
    monkeypatch.setattr(exchange, "answer", lambda *_: (503, b"down"))
    with pytest.raises(RuntimeError, match="no data of BTC/USDT:USDT from binanceusdm, so no report") as caught:
        data(**online)
    for words in ("nothing older is shown in its place", "127.0.0.1", "offline=true"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"symbol": "NOPE/USDT:USDT"}, "no data of NOPE/USDT:USDT"),
        ({"timeframe": "7m"}, "has no candles of '7m'"),
        ({"exchange": "nowhere"}, "no exchange is called 'nowhere'"),
        ({"start": "2030-01-01"}, "start"),
    ],
)
def test_online_what_cannot_be_fetched_is_named(exchange: Exchange, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        data(**({"offline": False} | wrong))


def test_offline_the_newest_embedded_case_of_the_symbol_is_taken_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lq, "fetch", lambda *_, **__: pytest.fail("offline asks nobody"), raising=False)
    cases = lq.examples()
    for symbol in (BTC, "ETH/USDT:USDT", "ADA/USDT:USDT"):
        fitting = cases[(cases["symbol"] == symbol) & (cases["exchange"] == "binanceusdm")]
        found = data(symbol=symbol)
        assert found["case"] == fitting["end"].idxmax()
        assert found["market"].symbol == symbol and found["market"].end == fitting["end"].max()
    early = data(end="2024-05-01 07:00")  # several cases hold it: the one that ends soonest after it
    assert early["case"] == "btc-2024-05"
    assert early["market"].end == pd.Timestamp("2024-05-01 07:00", tz="UTC")


def test_offline_without_a_case_the_error_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no embedded case of PEPE/USDT:USDT on binanceusdm.*offline=false") as caught:
        data(symbol="PEPE/USDT:USDT")
    assert "TIA/USDT:USDT on okx" in str(caught.value)
    with pytest.raises(ValueError, match="that holds 2019-01-01"):
        data(end="2019-01-01")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ["12_your_market", "06_case_study"])
def test_own_files_become_a_page_by_the_command(page: str, tmp_path: Path) -> None:
    """Candles and open interest of one's own, on the command line, as somebody would type it."""
    if page == "06_case_study" and not LONG:
        pytest.skip("a second page takes a minute; LIQLAB_LONG=1 makes it")
    market = lq.load_example("sol-2024-05")
    table = market.candles.iloc[:1500][["open", "high", "low", "close", "volume"]].rename(columns=str.title)
    table.rename_axis("Date").reset_index().astype({"Date": str}).to_csv(tmp_path / "my.csv", index=False)
    assert market.open_interest is not None
    market.open_interest.to_csv(tmp_path / "oi.csv")
    own = {"candles": "my.csv", "open_interest": "oi.csv", "symbol": "SOL/USDT:USDT", "exchange": "binanceusdm"}
    given = [text for name, value in own.items() for text in ("-p", f"{name}={value}")]
    done = subprocess.run([sys.executable, "-m", "liqlab.cli", "page", page, *given, "--output", "own.html"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    html = (tmp_path / "own.html").read_text()
    assert "my.csv" in html and "oi.csv" in html
    assert not re.search(r">[^<]*\bnan\b[^<]*<", re.sub(r"(?s)<(script|style).*?</\1>", "", html))
