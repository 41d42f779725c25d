"""Where alerts go, and what a watch does when one of them fails; the command line."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
from typer.testing import CliRunner

import liqlab as lq
from liqlab.app import Alert, _watch, deliveries, to_command, to_log, to_webhook
from liqlab.cli import app as command_line
from liqlab.loaders import posting
from liqlab.loaders.http import FetchError
from tests import stream_server as server

KEY = "a-very-secret-key"
ALERT = Alert(pd.Timestamp("2025-10-10 21:20", tz="UTC"), "BTC/USDT:USDT", "binanceusdm", "a cluster is swept", "long",
              1.0, 2.0, 3.0, 5e7, price=2.5, distance=0.01, text='liqlab: "BTC"; $(touch x) `y`')  # fmt: skip
OPTIONS: dict[str, Any] = {"start": "2024-05-01 06:00", "rules": "a cluster of 100M is swept", "speed": None,
                           "price_range": (48_000.0, 72_000.0), "price_step": 50.0,
                           "assumptions": lq.Assumptions.preset("measured")}  # a law of narrow zones  # fmt: skip


def market() -> Any:
    return lq.load_example("btc-2024-05").until("2024-05-01 08:00")


async def collect(watching: Any) -> list[Alert]:
    return [alert async for alert in watching]


# --- table and command --------------------------------------------------------------------------------------------


def test_the_log_is_a_table_that_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "alerts.csv"
    for _ in range(2):
        to_log(file)(ALERT)
    table = pd.read_csv(file, parse_dates=["time"])
    assert len(table) == 2 and table["time"][1] == ALERT.time and table["notional"][1] == 5e7
    assert pd.isna(table["share"][0]) and table["text"][0] == ALERT.text
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="holds another table, it begins with 'a, b'"):
        to_log(tmp_path / "other.csv")
    with pytest.raises(FileNotFoundError, match="make it, or choose another path"):
        to_log(tmp_path / "none" / "alerts.csv")


def test_a_command_gets_the_text_as_one_argument_and_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_WEBHOOK", KEY)
    out = tmp_path / "said.json"
    code = "import json, os, sys; json.dump([sys.argv[2:], dict(os.environ)], open(sys.argv[1], 'w'))"
    to_command([sys.executable, "-c", code, str(out)])(ALERT)
    arguments, variables = json.loads(out.read_text())
    assert arguments == [ALERT.text] and KEY not in json.dumps(variables) and not (tmp_path / "x").exists()


def test_commands_that_fail_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="ended with code 3"):
        to_command([sys.executable, "-c", "raise SystemExit(3)"])(ALERT)
    with pytest.raises(OSError, match="there-is-no-such-program cannot be run"):
        to_command(["there-is-no-such-program", KEY])(ALERT)
    monkeypatch.setattr(deliveries, "SECONDS", 0.2)
    with pytest.raises(TimeoutError, match=r"ran longer than 0\.2 s and was ended"):
        to_command([sys.executable, "-c", "import time; time.sleep(30)"])(ALERT)
    with pytest.raises(TypeError, match="command must be a list of texts"):
        to_command("notify-send liqlab")
    with pytest.raises(ValueError, match="command is empty"):
        to_command([])


# --- webhook ------------------------------------------------------------------------------------------------------


class Hook(BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what it was asked."""

    asked: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        self.asked.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        way = self.path.split("/")[1]
        status = {"moved": 307, "gone": 410}.get(way, 200)
        self.send_response(status)
        if way == "moved":
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
        self.end_headers()
        try:
            for _ in range({"large": 100_000, "slow": 100}.get(way, 1)):
                self.wfile.write(b"x" * 10)
                time.sleep(0.1 if way == "slow" else 0)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Hook.asked.clear()
    made = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()


def test_a_webhook_gets_text_and_fields(hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {KEY}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    to_webhook(f"{hook}/ok/{KEY}?token={KEY}")(ALERT)
    [(path, headers, body)] = Hook.asked
    said = json.loads(body)
    assert path == f"/ok/{KEY}?token={KEY}" and "Authorization" not in headers
    assert said["text"] == said["content"] == ALERT.text
    assert said["alert"]["peak"] == 2.0 and said["alert"]["time"] == "2025-10-10 21:20:00+00:00"
    assert "share" not in said["alert"], "what is not known is left out, for JSON has no NaN"


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("moved", "redirects elsewhere, which is not followed"),
        ("gone", "refused with status 410"),
        ("large", "larger than"),
        ("slow", "no answer within|took longer"),
    ],
)
def test_a_webhook_is_bounded_and_stays(hook: str, way: str, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(FetchError, match=message) as caught:
        posting.post_json(f"{hook}/{way}/{KEY}", {"text": "x"}, seconds=0.5 if way == "slow" else 10.0)
    assert KEY not in str(caught.value) and len(Hook.asked) == 1 and time.monotonic() - began < 8


def test_nobody_answers_a_webhook() -> None:
    with pytest.raises(FetchError, match=r"webhook on 127\.0\.0\.1: the connection failed") as caught:
        posting.post_json(f"http://127.0.0.1:9/{KEY}", {"text": "x"})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"http://hooks.example.com/{KEY}", "must be reached by https"),
        (f"ftp://hooks.example.com/{KEY}", "address is none"),
        (KEY, "address is none"),
        ("", "address is none"),
        (f"https://me:{KEY}@hooks.example.com/", "name and password before the host are not sent"),
        (f"https://[{KEY}/", "address is none"),
        (f"https://hooks.example.com:port/{KEY}", "address is none"),
    ],
)
def test_addresses_that_nothing_is_posted_to(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        to_webhook(url)
    assert KEY not in str(caught.value)


# --- watching -----------------------------------------------------------------------------------------------------


def test_one_receiver_that_fails_does_not_keep_it_from_the_others() -> None:
    got: list[Alert] = []
    said: list[str] = []

    def broken(alert: Alert) -> None:
        raise RuntimeError("no paper")

    watching = lq.watch(replay=market(), to=[broken, got.append], tell=said.append, **OPTIONS)
    alerts = asyncio.run(collect(watching))
    assert [alert.time.hour for alert in alerts] == [7] and got == alerts
    assert said == ["an alert was not delivered: RuntimeError: no paper"]


def test_of_several_markets_one_may_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three symbols of a venue: one has no history; the alerts of the others come, and it is told of."""
    real = _watch.follow

    def follow(symbol: str, **options: Any) -> Any:
        async def none() -> Any:
            raise FetchError("the exchange lists no such symbol any more")
            yield

        if symbol == "GONE/USDT:USDT":
            return none()
        return real(
            replay=market(),
            **{name: options[name] for name in ("speed", "start", "columns", "price_step", "assumptions")},
        )

    monkeypatch.setattr(_watch, "follow", follow)
    said: list[str] = []
    options = {name: value for name, value in OPTIONS.items() if name != "price_range"}
    symbols = ["BTC/USDT:USDT", "GONE/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT:USDT"]
    alerts = asyncio.run(collect(lq.watch(symbols, to=[], tell=said.append, **options)))
    assert len(alerts) == 2 and said == [
        "GONE/USDT:USDT: no longer watched: the exchange lists no such symbol any more"
    ]
    with pytest.raises(FetchError, match="lists no such symbol"):
        asyncio.run(collect(lq.watch(["GONE/USDT:USDT"], to=[], **options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "follow needs a symbol"),
        ({"symbol": []}, "the list is empty"),
        ({"symbol": ["A", "B"], "replay": "btc-2024-05"}, "a replay is of one market, got 2 symbols"),
        ({"symbol": "BTC/USDT:USDT", "rules": "when it falls"}, "not a rule"),
        ({"symbol": "BTC/USDT:USDT", "exchange": "kraken"}, "liqlab reads no stream of 'kraken'"),
        ({"replay": "btc-2024-05", "quiet": "4"}, "quiet: not a time frame"),
    ],
)
def test_what_cannot_be_watched(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lq.watch(**options)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def example(name: str) -> Any:
        assert name == "btc-2024-05"
        return market()

    monkeypatch.setattr("liqlab.loaders._follow.load_example", example)
    log = tmp_path / "alerts.csv"
    words = ["watch", "--replay", "btc-2024-05", "--speed", "0", "--start", "2024-05-01 06:00"]
    rule = ["--rule", "a cluster of 100M appears within 8%", "--log", str(log)]
    done = CliRunner().invoke(command_line, [*words, *rule])
    assert done.exit_code == 0, done.output
    assert "07:15 UTC: an estimated long cluster of" in done.stdout and "ended; 1 alert(s)" in done.stderr
    assert len(pd.read_csv(log)) == 1
    for wrong, message in (
        (["watch"], "nothing to watch; pass a symbol"),
        ([*words, "--rule", "x"], "not a rule"),
        ([*words, "--webhook", f"http://example.com/{KEY}"], "must be reached by https"),
        ([*words, "--command", ""], "command is empty"),
        ([*words, "--model", "none"], "model"),
    ):
        done = CliRunner().invoke(command_line, wrong)
        assert done.exit_code == 1 and message in done.stderr and KEY not in done.output


# --- over a socket ------------------------------------------------------------------------------------------------


def test_a_stream_that_loses_bars_is_told(
    venue: server.StreamVenue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange's history lacks what the stream did not tell whole: the share of received bars falls."""
    monkeypatch.setattr(server.StreamVenue, "_klines", lambda *_: iter(()))
    said: list[str] = []
    got: list[Alert] = []

    async def first() -> Alert:
        watching = lq.watch("BTC/USDT:USDT", timeframe="1m", rules="received bars fall below 95%", to=got.append,
                            store=tmp_path, tell=said.append)  # fmt: skip
        alert = await anext(watching)
        await watching.aclose()
        return alert

    alert = asyncio.run(first())
    assert got == [alert] and alert.share < 0.95 and alert.symbol == "BTC/USDT:USDT"
    assert "of the last day's bars were received" in alert.text and any("stay missing" in text for text in said)
