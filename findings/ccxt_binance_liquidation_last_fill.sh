#!/bin/sh
# ccxt 4.5.90 (Python 3.11): watchLiquidations of Binance futures counts the last fill of a forced order
#
# A forced order of 0.014 of which 0.009 are filled (z), the last time 0.003 (l). The unified liquidation has
# `contracts` 0.003. Binance sends at most one such message per symbol and second, so the fills before the last one
# are in no other message: a sum over `contracts` is too low wherever an order was filled in more than one piece.
#
# Seen: contracts=0.003 price=9905.0 side=sell
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet ccxt==4.5.90
cat > "$work/try.py" <<'PY'
import ccxt.pro

market = {"id": "BTCUSDT", "symbol": "BTC/USDT:USDT", "contractSize": 1, "contract": True, "linear": True,
          "inverse": False, "swap": True, "type": "swap", "base": "BTC", "quote": "USDT"}
order = {"s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.014", "p": "9910", "ap": "9905",
         "X": "PARTIALLY_FILLED", "l": "0.003", "z": "0.009", "T": 1568014460893}
one = ccxt.pro.binance().parse_ws_liquidation(order, market)
print(f"contracts={one['contracts']} price={one['price']} side={one['side']}")
PY
seen=$("$work/env/bin/python" "$work/try.py")
echo "$seen"
test "$seen" = "contracts=0.003 price=9905.0 side=sell"
