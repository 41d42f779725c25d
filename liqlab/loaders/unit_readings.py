"""What a factor between an amount and the money beside it can mean: contracts, money, or a turnover in thousands."""

from __future__ import annotations

import numpy as np

from liqlab.loaders.layouts import QUOTE

__all__ = ["CONTRACTS", "FACES", "INVERSE", "NEAR", "of_thousands", "readings", "remedy_for", "thousands"]

CONTRACTS, INVERSE, FACES = "contracts", "inverse", "faces"
NEAR = 1.2  # two readings within this ratio cannot be told apart
_INVERSE_SIZES = (1, 10, 100)  # quote, of one coin-margined contract
_SIZES = (1e-8, 1e8)  # coins of one contract, from a satoshi on; outside nothing is called one


def readings(ratio: float, price: float) -> list[tuple[str, str, str, float]]:
    """What a volume can count whose turnover ÷ volume ÷ price is `ratio`: words, conversion, unit, size.

    A contract is a power of ten of coins, or a few dollars of a coin-margined one; what is near none of them is not
    called a contract's size.
    """
    size = float(10.0 ** np.round(np.log10(ratio)))
    candidates = []
    if size != 1 and _SIZES[0] <= size <= _SIZES[1]:
        candidates.append((ratio / size, f"contracts of {ratio:.4g} coins each", "contracts × size", CONTRACTS, size))
    candidates.append((ratio * price, "the quote currency", "volume ÷ price", QUOTE, 1.0))
    for worth in _INVERSE_SIZES:
        if worth != 1:  # that is the quote currency
            candidates.append((ratio * price / worth, f"coin-margined contracts of {worth} USD beside their turnover",
                               "turnover ÷ price", FACES, float(worth)))  # fmt: skip
        candidates.append((ratio * price**2 / worth, f"coin-margined contracts of {worth} USD",
                           "contracts × size ÷ price", INVERSE, float(worth)))  # fmt: skip
    return [one[1:] for one in candidates if 1 / NEAR < one[0] < NEAR]


def remedy_for(name: str, found: list[tuple[str, str, str, float]]) -> str:
    """The arguments of `read` that say each reading."""
    quote, contracts = f"units={{'{name}': 'quote'}}", f"units={{'{name}': 'contracts'}}, contract_size="
    return " or ".join(quote if unit == QUOTE else f"{contracts}{size:g}" for _, _, unit, size in found)


def of_thousands(size: float, volume: np.ndarray, price: float) -> str:
    """Words where a turnover written in thousands or millions looks the same as contracts of a thousandth of a coin.

    Contracts are whole, and nobody's are worth less than a dollar. (A *volume* in thousands needs no words: × 1,000 is
    right for it and for contracts of a thousand coins.)
    """
    if (volume == np.round(volume)).all() and size * price >= 1:
        return ""
    return thousands(size, "quote_volume", "volume")


def thousands(size: float, turnover: str, amount: str) -> str:
    """The other reading of a ratio of a thousandth or a millionth, with its remedy; empty for other ratios."""
    if size not in (1e-3, 1e-6):
        return ""
    count = f"{1 / size:,.0f}"
    return (f" or coins beside a {turnover} in units of {count} quote; multiply {turnover} by {count} if {amount} is "
            "in coins")  # fmt: skip
