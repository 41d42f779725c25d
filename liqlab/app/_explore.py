"""The explorer: a map that is turned by hand, in a notebook and in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liqlab.app.explorer_maps import Catalogue
from liqlab.app.explorer_state import ExplorerState
from liqlab.market.arguments import checked
from liqlab.market.market import Market

if TYPE_CHECKING:
    from liqlab.app.explorer_view import Explorer

__all__ = ["explore"]

GIVEN = "market"  # the name of a market that was passed without one


@checked()
def explore(market: Any = "btc-2024-05", *, store: Any = None, **state: Any) -> Explorer:
    """Explore estimated heatmaps: one page of widgets and a map that is drawn anew for every part that one zooms to.

    In JupyterLab the value shows itself; ``liqlab explore`` shows the same in a browser. Colours, their scale,
    thresholds, sides and the map under the pointer need no kernel; zooming asks the ledger again, from states that are
    kept on the way, so columns are those of `heatmap` with the same range and steps, bit for bit. A click on a band
    tells who stands behind it. Every state is shown as a link and as a line of Python.

    Parameters
    ----------
    market : str, Path, Market or mapping of name to these
        Name of an example or of what the store holds (``"BTC/USDT:USDT binanceusdm 5m"``), a file as `read` takes it,
        a Market, or several by name, of which the first is shown. Examples and the store are offered beside them.
    store : path, optional
        Folder of the store, as in `load`.
    **state
        What is shown first: window ('12h', '24h', '3d', '7d', '30d', '90d', '1y') or start and end [UTC]; price_range
        (low, high) [quote]; model, law, lookback as in `heatmap`; side ('both', 'long', 'short'); leverages, a list of
        classes of the law; cmap, cnorm as in `liqlab.plot.heatmap`; threshold (low, high), shares [0..1] of the
        brightest colour, what is dimmer than the first being hidden and colours ending at the second; clusters and
        observed, True or False; position, a dict of side, entry_price [quote] and
        leverage; beside, a dict of market, model
        or law for a second map on the same axes.

    Returns
    -------
    Explorer
        A Panel object; ``state`` is what it shows now. Needs the extra ``app``.

    Raises
    ------
    ValueError, TypeError
        A market that is unknown, or a state that cannot be shown.
    ImportError
        Where Panel is not installed.

    Assumptions
    -----------
    Those of `heatmap`. With a lookback the whole history is run for every zoom, which takes longer.

    Examples
    --------
    >>> import liqlab as lq
    >>> view = lq.explore("btc-2024-05", start="2024-05-01", end="2024-05-03", model="decay")
    >>> view.state.python()
    "lq.explore('btc-2024-05', start='2024-05-01 00:00', end='2024-05-03 00:00', model='decay')"
    """
    given, first = markets_of(market)
    catalogue = Catalogue(given, store)
    shown = ExplorerState(market=first, **state)
    catalogue.market(first)  # what cannot be opened is told at once
    if shown.beside and "market" in shown.beside:
        catalogue.market(shown.beside["market"])
    return _panel().Explorer(shown, catalogue, "market" if first == GIVEN else None)


def markets_of(market: Any) -> tuple[dict[str, Any], str]:
    """Markets by name, and the one that is shown first; names of examples and of the store stay with the catalogue."""
    if isinstance(market, Mapping):
        if not market:
            raise ValueError("market is an empty mapping; pass {'name': market, …} or a name such as 'btc-2024-05'")
        return {str(name): each for name, each in market.items()}, str(next(iter(market)))
    if isinstance(market, Market):
        return {GIVEN: market}, GIVEN
    if isinstance(market, Path) or (isinstance(market, str) and Path(market).suffix and Path(market).exists()):
        return {Path(market).name: Path(market)}, Path(market).name
    if isinstance(market, str):
        return {}, market
    raise TypeError(
        f"market must be a name, a path, a Market or a mapping of these, got {type(market).__name__}; "
        "'btc-2024-05' is an example's name"
    )


def _panel() -> Any:
    """The page, which knows Panel."""
    try:
        import panel as pn
    except ImportError as error:
        raise ImportError("the explorer needs Panel: pip install 'liqlab[app]'") from error
    from liqlab.app import explorer_view

    if not pn.state.served:
        pn.extension(inline=True)
    return explorer_view
