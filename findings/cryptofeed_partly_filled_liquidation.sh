#!/bin/sh
# cryptofeed 2.4.1 (Python 3.11): a forced order of Binance futures that was filled in part
#
# The venue tells of one forced order: 0.014 ordered at 9910, 0.009 filled so far at 9905 on average, state
# PARTIALLY_FILLED. The LIQUIDATIONS callback gets the ordered amount as `quantity`, the order's price as `price` and
# `status: unfilled`. What was filled, and at which average price, is in the callback's `raw` message alone: whoever
# sums `quantity` counts orders, not fills.
#
# Seen: quantity=0.014 price=9910 status=unfilled
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet cryptofeed==2.4.1
cat > "$work/try.py" <<'PY'
import asyncio
import json

from cryptofeed.defines import LIQUIDATIONS
from cryptofeed.exchanges import BinanceFutures
from cryptofeed.symbols import Symbols

Symbols.set("BINANCE_FUTURES", {"BTC-USDT-PERP": "BTCUSDT"}, {"instrument_type": {"BTC-USDT-PERP": "perpetual"}})


async def told(event, receipt):
    print(f"quantity={event.quantity} price={event.price} status={event.status}")


feed = BinanceFutures(symbols=["BTC-USDT-PERP"], channels=[LIQUIDATIONS], callbacks={LIQUIDATIONS: told})
order = {"s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.014", "p": "9910", "ap": "9905",
         "X": "PARTIALLY_FILLED", "l": "0.003", "z": "0.009", "T": 1568014460893}
data = {"e": "forceOrder", "E": 1568014460893, "o": order}
asyncio.run(feed.message_handler(json.dumps({"stream": "btcusdt@forceOrder", "data": data}), None, 0.0))
PY
seen=$("$work/env/bin/python" "$work/try.py")
echo "$seen"
test "$seen" = "quantity=0.014 price=9910 status=unfilled"
