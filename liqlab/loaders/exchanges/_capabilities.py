"""`capabilities`: what each venue offers; `venue_units`: what its numbers count; no request."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from liqlab.loaders.exchanges import Venue, _ccxt_units, venue_of, venues
from liqlab.loaders.exchanges._ccxt_client import exchange_names
from liqlab.loaders.exchanges._instruments import BOTH, KINDS, Offer
from liqlab.market.arguments import checked
from liqlab.market.extras import require_installed

__all__ = ["capabilities", "venue_units"]


@checked()
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
        return pd.DataFrame(_rows(exchange, venue_of(exchange)))
    require_installed("ccxt", "lq.capabilities")
    own = [name for venue in venues().values() for name in venue.EXCHANGES]
    found = {name: venue_of(name) for name in dict.fromkeys([*own, *sorted(exchange_names())])}
    return pd.DataFrame([row for name, venue in found.items() if name in own or "candles" in venue.offers(name)
                         for row in _rows(name, venue)])  # fmt: skip


@checked()
def venue_units(exchange: str | None = None) -> pd.DataFrame:
    """What the numbers of each venue count. Nothing is asked of the network.

    What liqlab knows, no more: contracts of a venue without a row are refused until the caller says what they count.
    Tables of `fetch` are in coins, one side counted, whatever stands here.

    Parameters
    ----------
    exchange : str, optional
        One venue; default: all that there is a row for.

    Returns
    -------
    DataFrame
        One row for each exchange and kind (candles: their volume, open_interest, liquidations, depth, funding_rate):
        linear and inverse: ``coins``, ``contracts``, ``quote``, empty where not known; sides: ``one``, or
        ``both → one`` where the venue counts both sides of a trade and liqlab halves it; stamp: the ``open`` of the bar
        or an ``instant``; source: field and document; read: the day on which it was read; tested: the versions whose
        replies the rule was tested with.

    Examples
    --------
    >>> venue_units("bybit").set_index("kind").loc["open_interest", ["linear", "inverse", "sides"]].tolist()
    ['coins', 'quote', 'both → one']
    """
    if exchange is not None:
        found = {exchange: venue_of(exchange).units(exchange)}
    else:  # without ccxt's own list: the rows are all that is known
        own = {name: venue.units(name) for venue in venues().values() for name in venue.EXCHANGES}
        found = own | {name: _ccxt_units.units(name) for name in _ccxt_units.EXCHANGES if name not in own}
    rows = [{"exchange": name, **asdict(unit)} for name, known in found.items() for unit in known]
    columns = ["exchange", "kind", "linear", "inverse", "sides", "stamp", "source", "read", "tested"]
    table = pd.DataFrame(rows, columns=columns)
    return table.replace({"sides": {BOTH: f"{BOTH} → one"}})


def _rows(exchange: str, venue: Venue) -> list[dict[str, object]]:
    offers = venue.offers(exchange)
    return [_row(exchange, kind, offers.get(kind), venue.why_missing(exchange, kind)) for kind in KINDS]


def _row(exchange: str, kind: str, offer: Offer | None, why: str) -> dict[str, object]:
    if offer is None:
        offered, reach, offer = False, "", Offer("", note=why)
    else:
        offered, reach = True, offer.reach or (f"{offer.rows} rows" if offer.rows else "listing")
    return {"exchange": exchange, "kind": kind, "offered": offered, "key": offer.key, "reach": reach,
            "periods": " ".join(offer.periods), "origin": offer.origin, "note": offer.note}  # fmt: skip
