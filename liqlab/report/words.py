"""Sentences that pages compute, where what is said depends on what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.market.clock import utc

if TYPE_CHECKING:
    from liqlab.loaders.cases import Case
    from liqlab.market.market import Market

__all__ = ["case_answer", "counted", "data_age"]

_THIN = 0.5  # coverage below which a map says little about a side


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "cluster"), counted(0, "cluster")
    ('1 cluster', '0 clusters')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def case_answer(case: Case, market: Market, frozen: pd.DataFrame, told: pd.DataFrame, periods: pd.DataFrame) -> str:
    """What a case comes to, in Markdown: of the named levels where there are some, else of the map that was read.

    Parameters
    ----------
    case : Case
    market : Market
    frozen : DataFrame (moment,)
        From `lq.zones.frozen_maps`; the last row is the map that was read.
    told : DataFrame (price,)
        From `lq.zones.compare_levels`; no row where the story names no level.
    periods : DataFrame (words,)
        From `lq.zones.summarise_periods`.
    """
    question = case.answers or ("Did the price go through the named levels?" if len(told) else
                                "Did the price turn at a bright zone?")  # fmt: skip
    last = frozen.iloc[-1]
    said = _of_levels(case, market, told, periods) if len(told) else _of_the_map(case, market, last)
    squeeze = f" {_of_a_squeeze(case, periods)}" if case.squeeze else ""
    thin = (
        ""
        if not last["coverage"] < _THIN
        else (
            f" **This carries little weight:** the map knew the entries of {last['coverage']:.0%} of the "
            f"{case.swept_side}s."
        )
    )
    return f"**{question}** {said}{squeeze}{thin}"


def _of_levels(case: Case, market: Market, told: pd.DataFrame, periods: pd.DataFrame) -> str:
    """How far the price went on the day of the reading, after it."""
    read = utc(case.frozen[-1])
    midnight = read.normalize() + pd.Timedelta("1D")
    long = case.swept_side == "long"
    rest = market.candles[(market.candles.index >= read) & (market.candles.index < midnight)]
    if rest.empty:
        return "No candle lies between the reading and the end of its day, so nothing can be told."
    extreme, turn = ("low", rest["low"].min()) if long else ("high", rest["high"].max())
    brightest = told["expected"].astype(float).idxmax()
    over = (brightest - turn) * (1 if long else -1)
    way = "reached" if over == 0 else f"{'missed' if over < 0 else 'passed'} by {abs(over):,.10g} {market.quote}"
    through = int((told["traded"] < midnight).sum())
    return (
        f"{'Yes' if through == len(told) else 'No'}. After the map was read, at {read:%H:%M} UTC, the price went as "
        f"{extreme} as {turn:,.10g} on that day, through **{through} of the {counted(len(told), 'level')}**; the "
        f"brightest, {brightest:,.10g}, was {way}.{_before(extreme, read, periods)}"
    )


def _before(extreme: str, read: pd.Timestamp, periods: pd.DataFrame) -> str:
    """Whether the extreme of the story had come before the map was read."""
    words: Any = periods[extreme].idxmin() if extreme == "low" else periods[extreme].idxmax()
    at: Any = periods.loc[words, f"{extreme}_at"]
    if not at < read:
        return ""
    return (f" The {extreme} of the story, {periods.loc[words, extreme]:,.10g}, had come at {at:%H:%M}, before the "
            "reading: that map cannot have foretold it.")  # fmt: skip


def _of_the_map(case: Case, market: Market, last: Any) -> str:
    side, million = f"{case.swept_side}s", 1e6
    zones = f"No zone of {side} stood out of it, so it did not say where the move would end."
    if last["clusters"]:
        zones = f"Of its {counted(int(last['clusters']), 'cluster')} the price went into {int(last['passed'])}."
    share = f" (**{last['reached'] / last['stood']:.0%}**)" if last["stood"] > 0 else ""
    return (
        f"The map of {utc(last.name):%d %b, %H:%M} UTC had {last['stood'] / million:,.0f} million {market.quote} "
        f"on {side}; by {last['turned_at']:%d %b, %H:%M} the price had gone to {last['turn']:,.10g}, through "
        f"{last['reached'] / million:,.0f} million{share}. {zones}"
    )


def _of_a_squeeze(case: Case, periods: pd.DataFrame) -> str:
    """The story's own test: a squeeze closes positions, so open interest falls."""
    tested: Any = periods.loc[case.squeeze]
    change, went = tested["open_interest"], tested["close"] / tested["open"] - 1
    if pd.isna(change):
        return "Whether it was a squeeze cannot be told: open interest is not known for this market."
    found = "It may have been a squeeze" if change < 0 else "It was no squeeze"
    return f"{found}: the price moved {went:+.1%}, open interest **{change:+.1%}**, and a squeeze closes positions."


def data_age(market: Market, *, case: str = "", candles: str = "", dated: bool = False) -> str:
    """What *now* means on a page of one's own market, in Markdown.

    Parameters
    ----------
    market : Market
    case : str
        The embedded example that it is; empty: none.
    candles : str
        The file that it was read from; empty: none.
    dated : bool
        Whether an end was asked for, so that the market need not be fresh.
    """
    last = f"{market.end:%d %B %Y, %H:%M} UTC"
    age = pd.Timestamp.now("UTC") - market.end
    aged = f"{age.days} days" if age.days else f"{age / pd.Timedelta('1min'):.0f} min"
    if case:
        return (f"> **This is not now.** Offline: the embedded case `{case}`. It ends on {last}, {aged} before this "
                "page was made; *now* below is that moment. For this hour: `-p offline=false`.")  # fmt: skip
    if candles:
        return (
            f"> **From files of your own:** `{candles}`. The last candle ended on {last}; *now* below is that moment."
        )
    stale = not dated and age > 2 * market.step + pd.Timedelta("5min")
    old = ": **older than it should be**; does this market still trade?" if stale else "."
    closed = f"The last closed candle ended on {last}, {aged} before this page was made{old}"
    return f"> **Fetched from {market.exchange}.** {closed}"
