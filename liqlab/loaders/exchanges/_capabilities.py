"""`capabilities`: what each venue offers, as far as liqlab can read it; from the adapters' own tables, no request."""

from __future__ import annotations

from types import ModuleType

import pandas as pd

from liqlab.loaders.exchanges import binance
from liqlab.loaders.exchanges._instruments import KINDS, Offer
from liqlab.loaders.filling import adapter_of
from liqlab.market.extras import require

__all__ = ["capabilities"]


def capabilities(exchange: str | None = None) -> pd.DataFrame:
    """What `fetch` can get from where. Nothing is asked of the network.

    Parameters
    ----------
    exchange : str, optional
        One venue; default: Binance's futures and every exchange that ccxt has candles of.

    Returns
    -------
    DataFrame
        One row for each exchange and kind: exchange, kind, offered; key (an API key is needed, from the environment);
        reach: how far back, ``30d`` or ``5000 rows``, ``listing`` where no limit is known; periods: the time frames;
        origin: endpoint or method; note: what to know of it, or why it is not offered.

    Examples
    --------
    >>> table = capabilities("binanceusdm").set_index("kind")
    >>> table.loc["open_interest", "reach"]
    '30d'
    >>> bool(table.loc["liquidations", "offered"])
    False
    """
    if exchange is not None:
        return pd.DataFrame(_rows(exchange, adapter_of(exchange)))
    ccxt = require("ccxt", "lq.capabilities")

    from liqlab.loaders.exchanges import _ccxt

    others = [name for name in ccxt.exchanges if name not in binance.EXCHANGES]
    rows = [row for name in binance.EXCHANGES for row in _rows(name, binance)]
    rows += [row for name in others if "candles" in _ccxt.offers(name) for row in _rows(name, _ccxt)]
    return pd.DataFrame(rows)


def _rows(exchange: str, adapter: ModuleType) -> list[dict[str, object]]:
    offers = adapter.offers(exchange)
    return [_row(exchange, kind, offers.get(kind), adapter.why_missing(exchange, kind)) for kind in KINDS]


def _row(exchange: str, kind: str, offer: Offer | None, why: str) -> dict[str, object]:
    if offer is None:
        offered, reach, offer = False, "", Offer("", note=why)
    else:
        offered, reach = True, offer.reach or (f"{offer.rows} rows" if offer.rows else "listing")
    return {"exchange": exchange, "kind": kind, "offered": offered, "key": offer.key, "reach": reach,
            "periods": " ".join(offer.periods), "origin": offer.origin, "note": offer.note}  # fmt: skip
