"""The explorer's server: on this machine alone unless told otherwise, one state for each session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from liqlab.app._explore import markets_of
from liqlab.app.explorer_maps import Catalogue
from liqlab.app.explorer_state import ExplorerState

__all__ = ["page_of", "serve"]

# a phone shows the page at its own width
NARROW = """
{% block postamble %}<meta name="viewport" content="width=device-width, initial-scale=1">{% endblock %}
"""
LOCAL = ("127.0.0.1", "localhost")


def serve(
    markets: Sequence[str] = (), *, address: str = "127.0.0.1", port: int = 5006, origins: Sequence[str] = (),
    store: Any = None, show: bool = True, threaded: bool = False,
) -> Any:  # fmt: skip
    """Serve the explorer until it is stopped.

    Parameters
    ----------
    markets : list of str
        Names and files; beside the examples and the store nothing else can be opened.
    address, port
        Where it listens; only this machine can reach 127.0.0.1.
    origins : list of str
        Hosts, ``name:port``, of pages that may open a session, besides this one.
    store : path, optional
    show : bool
        Open the browser.
    threaded : bool
        Return at once, and serve beside.

    Returns
    -------
    The server, where `threaded`.
    """
    try:
        import panel as pn
    except ImportError as error:
        raise ImportError("the explorer needs Panel: pip install 'liqlab[app]'") from error
    own = [f"{name}:{port}" for name in (LOCAL if address in LOCAL else (address,))]
    return pn.serve(
        {"/": page_of(markets, store)}, address=address, port=port, websocket_origin=[*own, *origins], show=show,
        threaded=threaded, title="Liquidation heatmap explorer", websocket_max_message_size=300_000_000,
    )  # fmt: skip


def page_of(markets: Sequence[str], store: Any = None) -> Callable[[], Any]:
    """What makes a page for a session: its state comes from the link that opened it."""
    from liqlab.app.explorer_view import Explorer

    given: dict[str, Any] = {}
    names = [markets_of(each) for each in markets]
    for mine, _ in names:
        given |= mine
    catalogue = Catalogue(given, store)
    first = names[0][1] if names else next(each[0] for each in catalogue.names().values())
    for _, name in names:
        catalogue.market(name)

    def page() -> Any:
        import panel as pn

        document: Any = pn.state.curdoc
        if document is not None:
            document.template = NARROW
        default, note = ExplorerState(market=first), ""
        query = pn.state.location.search if pn.state.location is not None else ""
        try:
            state = ExplorerState.of_query(query or "", default)
        except (ValueError, TypeError) as error:
            state, note = default, str(error)
        return Explorer(state, catalogue, note=note)

    return page
