"""Numbers as people read them: per 100,000, one in so many, an estimate with its interval."""

from __future__ import annotations

import math

__all__ = ["count", "interval", "one_in", "p_value", "per_100k", "percent", "rounded"]

NOT_COMPUTED = "not computed"


def rounded(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, never in scientific notation.

    Parameters
    ----------
    value : float
        Any number; NaN is written "not computed".
    digits : int
        Significant digits, at least 1.

    Returns
    -------
    str

    Examples
    --------
    >>> rounded(0.0012345), rounded(1.5), rounded(123456.0), rounded(0)
    ('0.00123', '1.50', '123,000', '0')
    """
    if math.isnan(value):
        return NOT_COMPUTED
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    shown = round(value, decimals)
    return f"{shown:,.{max(decimals, 0)}f}"


def count(value: float) -> str:
    """Write a number of people or events as a whole number with thousands separated.

    Examples
    --------
    >>> count(1234567), count(float("nan"))
    ('1,234,567', 'not computed')
    """
    return NOT_COMPUTED if math.isnan(value) else f"{value:,.0f}"


def percent(value: float, digits: int = 2) -> str:
    """Write a proportion as a percentage with so many significant digits.

    Examples
    --------
    >>> percent(0.0123), percent(0.5)
    ('1.2 %', '50 %')
    """
    return NOT_COMPUTED if math.isnan(value) else f"{rounded(100 * value, digits)} %"


def per_100k(risk: float, digits: int = 2) -> str:
    """Write a risk in [0, 1] as a number per 100,000 people, without the words.

    Examples
    --------
    >>> per_100k(0.000374), per_100k(0.0123), per_100k(0.0000042)
    ('37', '1,230', '0.42')
    """
    scaled = 1e5 * risk
    large = math.isfinite(scaled) and scaled >= 1000
    return rounded(scaled, 3 if large else digits)


def one_in(risk: float) -> str:
    """Write a risk in (0, 1] as a natural frequency.

    Examples
    --------
    >>> one_in(0.00037), one_in(0.25), one_in(0.0)
    ('about 1 in 2,700', 'about 1 in 4', 'none')
    """
    if math.isnan(risk):
        return NOT_COMPUTED
    if risk <= 0:
        return "none"
    return f"about 1 in {rounded(1 / risk, 2).removesuffix('.0')}"


def interval(low: float, high: float, digits: int = 3) -> str:
    """Write the limits of an interval.

    Examples
    --------
    >>> interval(0.951, 1.124), interval(float("nan"), 1.0)
    ('0.951 to 1.12', 'interval not computed')
    """
    if math.isnan(low) or math.isnan(high):
        return "interval not computed"
    return f"{rounded(low, digits)} to {rounded(high, digits)}"


def p_value(p: float) -> str:
    """Write a p value with two digits, and not smaller than anyone can use.

    Examples
    --------
    >>> p_value(0.0412), p_value(1e-9)
    ('0.041', '< 0.0001')
    """
    if math.isnan(p):
        return NOT_COMPUTED
    return "< 0.0001" if p < 0.0001 else rounded(p, 2)
