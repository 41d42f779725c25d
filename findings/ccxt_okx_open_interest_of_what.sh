#!/bin/sh
# ccxt 4.5.75 and 4.5.90 (Python 3.11): OKX's open-interest history of one swap, asked for in two ways
#
# fetch_open_interest_history("BTC/USDT:USDT") of 4.5.75 asks for the figure of the *coin* (all contracts on BTC, in
# USD, no amount); the patch release 4.5.90 asks for the figure of the *instrument* (contracts, coins, USD). The call,
# the symbol in the answer and the field `openInterestValue` are the same, and nothing says which of the two is meant:
# a table that was continued after an update changes its meaning in the middle. The number of coins of 4.5.90 stands in
# `baseVolume`, and `openInterestAmount` counts contracts.
#
# Nothing goes over the network here: each version's request is answered with a row of the form that OKX documents.
#
# Seen: 4.5.75 open-interest-volume ccy=BTC amount=None value=1000.0
#       4.5.90 open-interest-history instId=BTC-USDT-SWAP amount=1000.0 value=600000.0
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/try.py" <<'PY'
import re

import ccxt

market = {"id": "BTC-USDT-SWAP", "symbol": "BTC/USDT:USDT", "contractSize": 0.01, "contract": True, "linear": True,
          "inverse": False, "swap": True, "type": "swap", "base": "BTC", "quote": "USDT", "settle": "USDT",
          "spot": False, "option": False, "future": False, "active": True, "baseId": "BTC", "quoteId": "USDT"}
okx, asked = ccxt.okx(), []
okx.set_markets([market])


def answer(url, *rest):
    asked.append(url)
    row = ["1714521600000", "1000", "10"] + (["600000"] if "open-interest-history" in url else [])
    return {"code": "0", "msg": "", "data": [row]}


okx.fetch = answer
one = okx.fetch_open_interest_history("BTC/USDT:USDT", "1h")[0]
path = re.search(r"open-interest-\w+", asked[-1])[0]
whose = re.search(r"(ccy|instId)=[\w-]+", asked[-1])[0]
print(f"{ccxt.__version__} {path} {whose} amount={one['openInterestAmount']} value={one['openInterestValue']}")
PY
for version in 4.5.75 4.5.90; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet "ccxt==$version"
    "$work/$version/bin/python" "$work/try.py" | tee -a "$work/seen"
done
cmp - "$work/seen" <<'SEEN'
4.5.75 open-interest-volume ccy=BTC amount=None value=1000.0
4.5.90 open-interest-history instId=BTC-USDT-SWAP amount=1000.0 value=600000.0
SEEN
