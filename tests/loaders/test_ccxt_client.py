"""One class of ccxt without its hundred others, and ccxt as it always is afterwards."""

from __future__ import annotations

import subprocess
import sys

import ccxt

from liqlab.loaders.exchanges._ccxt_client import exchange_names

SCRIPT = """
import sys
from liqlab.loaders.exchanges._ccxt_client import client_class, errors, exchange_names
one = client_class("myokx")  # a class that is made of another one's
own = {name for name in exchange_names() if f"ccxt.{name}" in sys.modules}
assert own == {"myokx", "okx"}, own
wrong = errors()
import ccxt
assert ccxt.myokx is one and issubclass(ccxt.myokx, ccxt.okx)
assert ccxt.OperationFailed is wrong.OperationFailed and "binance" in ccxt.exchanges and ccxt.binance().id == "binance"
assert client_class("okx") is ccxt.okx and type(sys.modules["ccxt"]).__name__ == "module"
import ccxt.pro
assert issubclass(ccxt.pro.okx, ccxt.async_support.okx)
"""


def test_the_other_exchanges_are_imported_when_somebody_asks_for_them() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_names_are_those_of_ccxt() -> None:
    assert exchange_names() == set(ccxt.exchanges)


def test_without_a_network_neither_ccxt_nor_what_draws_is_imported() -> None:
    """What the first call of somebody without a network waits for: pandas, our own files, and the words."""
    script = (
        "import sys, liqlab as lq\n"
        "try: lq.fetch('BTC/USDT:USDT', start='2024-01-01', end='2024-01-02', store=sys.argv[1])\n"
        "except RuntimeError as error: assert 'is there a network' in str(error), error\n"
        "else: raise AssertionError\n"
        "heavy = {'ccxt', 'xarray', 'numba', 'scipy', 'holoviews', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {"HTTPS_PROXY": "http://127.0.0.1:9", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script, "no-store"], env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
