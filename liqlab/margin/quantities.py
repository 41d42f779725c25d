"""What a user may type, checked: every refusal names the value, what is allowed and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np

from liqlab.market.arguments import checked, is_kind, told
from liqlab.market.checks import no_text

SIDES = ("long", "short")
# Settled in any of these, a contract quoted in any other of them is linear (BTC/USD:USDC on dYdX).
DOLLARS = ("USD", "USDT", "USDC", "USDE", "USDH", "BUSD", "FDUSD", "TUSD", "DAI")


def sign(side: Any) -> np.ndarray:
    """'long' → +1, 'short' → −1."""
    listed = is_kind("Sequence", side)
    if isinstance(side, list | tuple):  # numpy would take apart whatever is in it
        side = [each if isinstance(each, str | list | tuple | np.ndarray) else told(each) for each in side]
    names = np.asarray(side) if listed or isinstance(side, str) else np.array("")
    known = np.isin(names, SIDES)
    if not known.all():
        bad = names[~known].flat[0] if listed and names.ndim else side
        raise ValueError(f"side must be 'long' or 'short' (the position's side), got "
                         f"{repr(str(bad)) if isinstance(bad, str) else told(bad)}; write one of the two")  # fmt: skip
    return np.where(names == "long", 1.0, -1.0)


def positive(value: Any, name: str, what: str) -> np.ndarray:
    """Numbers > 0 and finite."""
    number = _numbers(value, name)
    return _refuse(number, np.isfinite(number) & (number > 0), f"{name} must be > 0 and finite", f"it is {what}")


def sizes(value: Any, name: str, what: str) -> np.ndarray:
    """Numbers ≥ 0 and finite."""
    number = _numbers(value, name)
    return _refuse(number, np.isfinite(number) & (number >= 0), f"{name} must be >= 0 and finite", f"it is in {what}")


def finite(value: Any, name: str, what: str) -> np.ndarray:
    """Numbers of either sign, finite."""
    number = _numbers(value, name)
    return _refuse(number, np.isfinite(number), f"{name} must be finite", f"it is {what}")


def rate(value: Any, name: str, example: str) -> np.ndarray:
    """Fractions in [0, 1)."""
    number = _numbers(value, name)
    return _refuse(number, (number >= 0) & (number < 1), f"{name} must lie in [0, 1)", f"pass {example}")


def leverages(value: Any, name: str = "leverage") -> np.ndarray:
    """Leverages ≥ 1."""
    number = _numbers(value, name)
    return _refuse(number, np.isfinite(number) & (number >= 1), f"{name} must be >= 1", "pass 25 for 25x")


def _numbers(value: Any, name: str) -> np.ndarray:
    no_text(**{name: value})
    return np.asarray(value, float)


def given(value: Any) -> bool:
    """Whether a term that is 0 by default holds anything else."""
    return bool(np.any(np.asarray(value, float) != 0))


@checked()
def contract_of(symbol: str) -> str:
    """Kind of a contract by its symbol in ccxt's spelling: linear, inverse, quanto, or unclear.

    Examples
    --------
    >>> contract_of("BTC/USDT:USDT"), contract_of("BTC/USD:BTC"), contract_of("ETH/USD:BTC"), contract_of("BTC/USD")
    ('linear', 'inverse', 'quanto', 'unclear')
    """
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    settle = settle.partition("-")[0]  # BTC/USD:BTC-240628 is a dated future
    if not settle:
        return "unclear" if quote == "USD" else "linear"
    if settle == base:
        return "inverse"
    return "linear" if settle == quote or {settle, quote} <= set(DOLLARS) else "quanto"


def scalar(value: Any) -> Any:
    """A number in, a number out; arrays stay arrays."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _refuse(number: np.ndarray, good: np.ndarray, rule: str, remedy: str) -> np.ndarray:
    if not good.all():
        bad = float(number[~good].flat[0] if number.ndim else number)
        raise ValueError(f"{rule}, got {bad:g}; {remedy}")
    return number
