"""Numbers as people read them."""

from __future__ import annotations


def decimals(value: float, places: int = 3) -> str:
    """With so many decimals; with a power of ten what would have none of them but zeros, and is no
    zero.

    >>> decimals(0.25), decimals(3e-5), decimals(0.0)
    ('0.250', '3.00e-05', '0.000')
    """
    return f"{value:.2e}" if 0 < abs(value) < 10**-places else f"{value:.{places}f}"
