"""The table of claims: everything that is said about heatmaps, tested on the cases that come along.

The table that ships was made by ``python -m liqlab.validation._claims.table`` and is `data/claims.csv`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from liqlab.loaders._examples import examples, folder, load_example
from liqlab.market.arguments import checked
from liqlab.market.market import Market
from liqlab.validation._claims.decisions import decide_claims
from liqlab.validation._claims.definitions import CLAIMS
from liqlab.validation._claims.samples import claim_samples, concat_samples

__all__ = ["START", "claims", "main", "shipped_claims"]

FILE = "claims.csv"
EVERYTHING = "all"
# what a case has in common with an earlier one is counted once, and only where its own open interest is known
START = {"btc-2024-07": "2024-06-20", "eth-2024-07": "2024-06-20"}


@checked()
def claims(markets: Mapping[str, Market] | Iterable[str] | str | None = None, *, seed: int = 0) -> pd.DataFrame:
    """The table of claims: claim, test, effect with interval, verdict.

    Parameters
    ----------
    markets : None, str, sequence of str or mapping of name to Market, optional
        None: the table that ships, of all examples together, made by
        ``python -m liqlab.validation._claims.table`` (some minutes). The name of an example: its part of that table. A
        sequence of names, or your own markets: computed now, some ten seconds each.
    seed : int
        Of the blocks drawn from other times.

    Returns
    -------
    DataFrame
        One row per claim: group, claim, wording (what sources say, in our words), test, n, blocks (independent
        stretches of time), effect, unit, low, high (95 %), p, p_corrected (Holm, over the claims of this table), margin
        (smallest effect that would matter, set beforehand), sign (of the effect under the claim), kind, verdict,
        against (claims of other sources that say the opposite).

    Assumptions
    -----------
    - Zones are *estimated*, by the default model unless the claim is about another map, every four hours; they are
      frozen then, and only what comes after counts.
    - Uncertainty: the calendar is cut into blocks of 8 days (a horizon of 24 h and zones up to 7 days old), the same
      for all markets: assets of one date are one path. Delete-one-block jackknife, Student's t with as many degrees of
      freedom as there are effective blocks, less one.
    - The cases were chosen because much happened in them. What is found in them is not a law of nature.

    References
    ----------
    Holm (1979), see `liqlab.validation.holm`.

    Examples
    --------
    >>> import liqlab as lq
    >>> table = lq.claims()
    >>> bool((table["p_corrected"].dropna() >= table["p"].dropna()).all())
    True
    """
    if markets is None or isinstance(markets, str):
        return shipped_claims(EVERYTHING if markets is None else markets)
    named = markets if isinstance(markets, Mapping) else {name: load_example(name) for name in markets}
    if not named:
        raise ValueError("claims needs one market or more, got none; pass names from lq.examples() or {name: market}, "
                         "or nothing at all for the table that ships")  # fmt: skip
    parts = [_samples_of(name, market, seed) for name, market in named.items()]
    return _claims_table(parts)


def shipped_claims(case: str = EVERYTHING) -> pd.DataFrame:
    """A part of the table that ships: of all examples together, or of one."""
    table = pd.read_csv(folder("data") / FILE, keep_default_na=True)
    known = list(table["case"].unique())
    if case not in known:
        raise ValueError(
            f"the table of claims has no part {case!r}; it has {', '.join(known)}; or pass {{name: market}} to "
            "compute one"
        )
    part = table[table["case"] == case].drop(columns="case").reset_index(drop=True)
    return part.merge(_words(), on="claim", how="left")[_columns()]


def _samples_of(name: str, market: Market, seed: int) -> dict[str, pd.DataFrame]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(stale|proxy|tiers|gap|columns have bins wider)")
        return claim_samples(name, market, start=START.get(name), seed=seed)


def _claims_table(parts: list[dict[str, pd.DataFrame]]) -> pd.DataFrame:
    tables = concat_samples(parts)
    return decide_claims(CLAIMS, [claim.measure(tables) for claim in CLAIMS])


def _words() -> pd.DataFrame:
    """What a claim says of itself stands in the code alone."""
    return pd.DataFrame(
        [
            {"claim": c.name, "group": c.group, "wording": c.wording, "test": c.test, "unit": c.unit,
             "margin": c.margin, "sign": c.sign, "against": " · ".join(c.against)}
            for c in CLAIMS
        ]
    )  # fmt: skip


def _columns() -> list[str]:
    return ["group", "claim", "wording", "test", "n", "blocks", "effect", "unit", "low", "high", "p", "p_corrected",
            "margin", "sign", "kind", "verdict", "against"]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Compute the table that ships: ``python -m liqlab.validation._claims.table [file]``."""
    given = sys.argv[1:] if arguments is None else arguments
    target = Path(given[0]) if given else folder("data") / FILE
    parts: dict[str, Any] = {}
    for name in examples().query("in_claims").index:
        parts[name] = _samples_of(name, load_example(name), 0)
        sys.stderr.write(f"{name}: {len(parts[name]['trials'])} trials\n")
    write(parts, target)


def write(parts: Mapping[str, dict[str, pd.DataFrame]], target: Path) -> None:
    """The table of all cases together and of each alone, as one table."""
    tables = {EVERYTHING: _claims_table(list(parts.values()))} | {
        name: _claims_table([part]) for name, part in parts.items()
    }
    whole = pd.concat([table.assign(case=name) for name, table in tables.items()], ignore_index=True)
    kept = ["case", "claim", "n", "blocks", "effect", "low", "high", "p", "p_corrected", "kind", "verdict"]
    whole[kept].to_csv(target, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
