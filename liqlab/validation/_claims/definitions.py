"""The claims that are commonly made about heatmaps, each with the test that it is put to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import timedelta
from liqlab.validation._claims.block_estimates import Estimate, blocks_of, difference, evenly, mean, slope
from liqlab.validation._claims.decisions import Claim
from liqlab.validation._claims.frozen_zones import FEES, HORIZON, MAX_ZONE_AGE

__all__ = ["BLOCK", "CLAIMS"]

BLOCK = timedelta(HORIZON) + timedelta(MAX_ZONE_AGE)  # of the calendar: a horizon and the oldest zone fit into one
Tables = Mapping[str, pd.DataFrame]


def _once(table: pd.DataFrame) -> pd.DataFrame:
    """Each zone once: at the first moment at which it was within reach."""
    return table[table["first"].astype(bool)]


def _blocks(table: pd.DataFrame) -> np.ndarray:
    return blocks_of(table["time"], BLOCK)


# --- targets: what price does on its way to a zone --------------------------------------------------------------------


def _touched(table: pd.DataFrame, hours: str = "hours") -> np.ndarray:
    return 100.0 * np.isfinite(table[hours].to_numpy(float))


def beyond_paths(table: pd.DataFrame) -> np.ndarray:
    """Touched [%] less the share of matched blocks of other times that touched."""
    return _touched(table) - 100.0 * table["path_touched"].to_numpy(float)


def mirror_gap(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Blocks, and touched zone less touched mirror [points], of trials whose mirror is comparable."""
    fair = table[table["first_fair"].astype(bool)]
    return _blocks(fair), _touched(fair) - _touched(fair, "mirror_hours")


def _mirror(name: str) -> Callable[[Tables], Estimate]:
    return lambda tables: mean(*mirror_gap(tables[name]))


def _paths(name: str) -> Callable[[Tables], Estimate]:
    return lambda tables: mean(_blocks(_once(tables[name])), beyond_paths(_once(tables[name])))


def payoff(table: pd.DataFrame) -> np.ndarray:
    """Of a trade towards the zone: profit taken at its peak, else closed at the horizon [% before fees]."""
    gone = table["sign"] * table["returns"]
    return 100 * np.where(np.isfinite(table["hours"]), table["log_distance_to_peak"], gone)


def _net(tables: Tables) -> Estimate:
    table = _once(tables["trials"])
    return mean(_blocks(table), payoff(table) - 100 * FEES)


def _better_target(sign: int) -> Callable[[Tables], Estimate]:
    def measure(tables: Tables) -> Estimate:
        table = _once(tables["trials"])
        table = table[table["sign"] == sign]
        return mean(_blocks(table), payoff(table) - 100 * table["path_payoff"].to_numpy())

    return measure


def _heavier(tables: Tables) -> Estimate:
    t = tables["moments"]
    x = _standard(t, "imbalance")
    return slope(_blocks(t), t["return_after"].to_numpy(), [x, t["return_before"].to_numpy()], t["market"].to_numpy())


def _bounce(tables: Tables) -> Estimate:
    """Four hours after the touch, back from the level [%]: zones less comparable mirror prices, up and down apart."""
    t = tables["trials"]
    t = t[t["first_fair"].astype(bool)]
    value = np.concatenate([100 * t["back"], 100 * t["mirror_back"]])
    sign = np.concatenate([t["sign"], -t["sign"]])
    zone = np.repeat([True, False], len(t))
    return evenly(np.tile(_blocks(t), 2), value, zone, sign)


def _inside(tables: Tables) -> Estimate:
    """Stops outside zones less stops inside, at the same distance and side of the same market."""
    t = tables["stops"]
    cell = t.groupby(["market", "side", "z", "traded"]).ngroup().to_numpy()
    return slope(_blocks(t), 100 * t["hit"].to_numpy(float), [(~t["inside"].astype(bool)).to_numpy(float)], cell)


# --- sweeps, flows, volatility ----------------------------------------------------------------------------------------


def _pair(name: str, column: str, sign: int = 1) -> Callable[[Tables], Estimate]:
    return lambda tables: mean(_blocks(tables[name]), sign * tables[name][column].to_numpy(float))


def _flow(column: str, scale: float) -> Callable[[Tables], Estimate]:
    """What an hour with a sweep shows beyond what its move, volume and the hour before explain."""

    def measure(tables: Tables) -> Estimate:
        t = tables["hours"]
        t = t[t[column].notna()]
        move = [t["adverse"], t["adverse"] ** 2, t["range"], np.sqrt(t["range"]), t["volume"]]
        if column == "liquidated":
            move.append(t["before"])
        group = (t["market"].astype(str) + t["side"].astype(str)).to_numpy()
        regressors = [x.to_numpy(float) for x in (t["swept"], *move)]
        return slope(_blocks(t), scale * t[column].to_numpy(float), regressors, group)

    return measure


def _volatility(tables: Tables) -> Estimate:
    t = tables["moments"]
    past = [t[f"volatility_{name}"].to_numpy() for name in ("hours", "day", "week")]
    hour = pd.DatetimeIndex(t["time"]).hour
    group = t["market"].astype(str).to_numpy() + np.array([f"@{h}" for h in hour], object)
    return slope(_blocks(t), 100 * t["volatility_after"].to_numpy(), [_standard(t, "bright"), *past], group)


def _standard(table: pd.DataFrame, name: str) -> np.ndarray:
    """In standard deviations of its market."""
    by = table.groupby("market")[name]
    return ((table[name] - by.transform("mean")) / by.transform("std")).to_numpy(float)


# --- strata of the above ----------------------------------------------------------------------------------------------


def _stronger(name: str, chosen: Callable[[pd.DataFrame], Any]) -> Callable[[Tables], Estimate]:
    """Magnet effect (zone less matched paths) where chosen, less elsewhere; rows without the filter drop out."""

    def measure(tables: Tables) -> Estimate:
        t = _once(tables[name])
        value = beyond_paths(t)
        on = np.asarray(chosen(t), float)
        value = np.where(np.isfinite(on), value, np.nan)
        return difference(_blocks(t), value, on == 1)

    return measure


def _wider(name: str) -> Callable[[Tables], Estimate]:
    """Magnet effect of zones from wider candles, less that of the market's own."""

    def measure(tables: Tables) -> Estimate:
        own, wide = _once(tables["trials"]), _once(tables[name])
        both = pd.concat([own.assign(wide=False), wide.assign(wide=True)], ignore_index=True)
        return difference(_blocks(both), beyond_paths(both), both["wide"].to_numpy(bool))

    return measure


def _better_failures(chosen: Callable[[pd.DataFrame], Any]) -> Callable[[Tables], Estimate]:
    def measure(tables: Tables) -> Estimate:
        t = tables["failures"]
        on = np.asarray(chosen(t), float)
        value = np.where(np.isfinite(on), t["after_24h"].to_numpy(float), np.nan)
        return difference(_blocks(t), value, on == 1)

    return measure


def _rsi(t: pd.DataFrame) -> np.ndarray:
    """Oversold with the zone (or the trade) upwards, overbought with it downwards."""
    up = _upwards(t)
    return _if_known(t["rsi"], np.where(up, t["rsi"] < 35, t["rsi"] > 65))


def _funding(t: pd.DataFrame) -> np.ndarray:
    """The crowd that pays is the one whose liquidations the zone holds."""
    longs = (t["side"] == "long").to_numpy()
    return _if_known(t["funding_z"], np.where(longs, t["funding_z"] > 0, t["funding_z"] < 0))


def _interest(t: pd.DataFrame) -> np.ndarray:
    return _if_known(t["open_interest_change"], t["open_interest_change"] > 0)


def _cleared(t: pd.DataFrame) -> np.ndarray:
    return _if_known(t["open_interest_change"], t["open_interest_change"] < 0)


def _upwards(t: pd.DataFrame) -> np.ndarray:
    """Trials point to the zone; sweeps trade away from it, so a swept low points up as well."""
    return (t["sign"] > 0).to_numpy() if "sign" in t else (t["side"] == "long").to_numpy()


def _if_known(known: pd.Series, on: Any) -> np.ndarray:
    return np.where(known.notna(), np.asarray(on, float), np.nan)


# --- the list ---------------------------------------------------------------------------------------------------------

POINTS, CENT = "points", "%"
MIRROR = "touched within 24 h: zone less the price at the same distance on the other side, untraded since as well"
BLOCKS = "touched within 24 h: zone less a price as far away at other times, untraded for as long"
AFTER_PAIR = "return after 24 h, matched pairs: swept zone less swept ordinary swing"
STRATA = "magnet effect (zone less matched paths), with the filter less without"
STRATA_SFP = "swing failure less matched swing after 24 h, with the filter less without"
AGAINST_TURN = ("reversal after the sweep", "support and resistance")

CLAIMS: tuple[Claim, ...] = (
    Claim("magnet, against the mirror", "magnet", "price is drawn to bright zones", MIRROR, POINTS, 1, 5,
          _mirror("trials")),
    Claim("magnet, against other times", "magnet", "price is drawn to bright zones", BLOCKS, POINTS, 1, 5,
          _paths("trials")),
    Claim("magnet on vendors' maps, mirror", "magnet", "the bright zone of the 7-day map is the target",
          f"{MIRROR}; map of much high leverage, 7 days", POINTS, 1, 5, _mirror("vendor")),
    Claim("magnet on vendors' maps, other times", "magnet", "the bright zone of the 7-day map is the target",
          f"{BLOCKS}; map of much high leverage, 7 days", POINTS, 1, 5, _paths("vendor")),
    Claim("target: net payoff", "direction", "take profit at the bright zone",
          "mean payoff of a trade to the zone, out after 24 h, fees 0.1 %", CENT, 1, 0.1, _net, AGAINST_TURN),
    Claim("target above: long", "direction", "bright zone above: look for a long, take profit there",
          "payoff less that of longs with a target as far away at other times", CENT, 1, 0.2, _better_target(1),
          AGAINST_TURN),
    Claim("target below: short", "direction", "bright zone below: look for a short, take profit there",
          "payoff less that of shorts with a target as far away at other times", CENT, 1, 0.2, _better_target(-1),
          AGAINST_TURN),
    Claim("heavier side", "direction", "price goes where more liquidations wait; others: it goes away from them; "
          "others: a map tells no direction",
          "return over 24 h per standard deviation of (above − below), return before held", CENT, 1, 0.2, _heavier,
          AGAINST_TURN),
    Claim("support and resistance", "turning", "price turns at bright zones",
          "way back 4 h after the touch: zone less mirror, up and down apart", CENT, 1, 0.2, _bounce,
          ("runs on after the sweep", "target above: long")),
    Claim("reversal after the sweep", "turning", "a zone swept and left again (SFP) reverses", AFTER_PAIR, CENT, 1, 0.5,
          _pair("failures", "after_24h"), ("runs on after the sweep",)),
    Claim("reversal, 4 hours", "turning", "the reversal comes at once",
          "return after 4 h, matched pairs: swept zone less swept ordinary swing", CENT, 1, 0.3,
          _pair("failures", "after_4h"), ("runs on after the sweep",)),
    Claim("reversal: net payoff", "turning", "enter against the sweep, stop behind the wick",
          "mean payoff of every swing failure, stop behind the wick, out after 24 h, fees 0.1 %", CENT, 1, 0.2,
          _pair("trades", "net")),
    Claim("runs on after the sweep", "cascade", "one zone's forced orders push price into the next",
          "way on 4 h after any sweep, matched pairs: zone less ordinary swing", CENT, 1, 0.2,
          _pair("visits", "after_4h", -1), AGAINST_TURN),
    Claim("liquidations in the sweep", "cascade", "a swept zone sets liquidations off",
          "observed liquidations of the hour and side beyond range, volume and the hour before", "% (log)", 1, 20,
          _flow("liquidated", 100.0)),
    Claim("open interest in the sweep", "cascade", "a swept zone wipes open interest out",
          "change of own open interest in the hour beyond range and volume", CENT, -1, 0.2,
          _flow("open_interest", 1.0)),
    Claim("volatility", "volatility", "bright near the price: a large move is coming",
          "volatility of the next 24 h per standard deviation of brightness within 2 %, past volatility held", CENT, 1,
          5, _volatility),
    Claim("stronger on 4h", "stronger where", "clusters of the 4h chart count more",
          "magnet effect of zones from 4h candles less that of the market's own", POINTS, 1, 5, _wider("four_hours")),
    Claim("stronger on 1d", "stronger where", "clusters of the daily chart count more",
          "magnet effect of zones from daily candles less that of the market's own", POINTS, 1, 5, _wider("one_day")),
    Claim("windows overlap", "stronger where", "trust zones that several windows show",
          f"{STRATA}: bright in 3 or 4 of 12 h, 24 h, 3 d, 7 d", POINTS, 1, 5,
          _stronger("trials", lambda t: t["overlap"] >= 3)),
    Claim("leverages meet", "stronger where", "trust zones where 25x, 50x and 100x meet",
          f"{STRATA}: bright in 2 or 3 of the three", POINTS, 1, 5, _stronger("meeting", lambda t: t["layers"] >= 2)),
    Claim("RSI with the magnet", "filters", "pair the map with RSI",
          f"{STRATA}: RSI below 35 and zone above, or above 65 and zone below", POINTS, 1, 5,
          _stronger("trials", _rsi)),
    Claim("funding with the magnet", "filters", "pair the map with funding",
          f"{STRATA}: the side that pays more than usual is the zone's", POINTS, 1, 5, _stronger("trials", _funding)),
    Claim("open interest with the magnet", "filters", "pair the map with open interest",
          f"{STRATA}: open interest rose over 24 h", POINTS, 1, 5, _stronger("trials", _interest)),
    Claim("RSI with the reversal", "filters", "take the SFP when RSI agrees", STRATA_SFP, CENT, 1, 0.5,
          _better_failures(_rsi)),
    Claim("funding with the reversal", "filters", "take the SFP against the crowd that pays", STRATA_SFP, CENT, 1, 0.5,
          _better_failures(_funding)),
    Claim("open interest with the reversal", "filters", "take the SFP once open interest was cleared",
          f"{STRATA_SFP}: open interest fell over 24 h", CENT, 1, 0.5, _better_failures(_cleared)),
    Claim("stops outside clusters", "stops", "put stops outside clusters, they are hit less often",
          "hit within 24 h: outside less inside, same market, side and distance, traded the day before or not", POINTS,
          -1, 3, _inside),
)  # fmt: skip
