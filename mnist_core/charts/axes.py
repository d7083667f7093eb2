"""Axes whose tick labels differ: their decimals follow the range of the values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

PERCENT_LABEL = "datum.label && format(datum.value, '~%')"
"""Vega expression that labels round shares `20%`, and nothing where a logarithmic axis has no label."""

TICKS = 5
"""About as many ticks as an axis gets."""


def value_axis(values: Iterable[float | None], percent: bool = False, **options: Any) -> Any:
    """An axis for a linear scale that need not start at zero.

    Args:
        values: what is drawn along the axis.
        percent: whether they are shares, 0..1, and labeled `99.1%`.
        options: of alt.Axis.
    """
    return axis_with_decimals(decimals(values, percent), percent, **options)


def axis_with_decimals(digits: int, percent: bool = False, **options: Any) -> Any:
    """Like `value_axis`, with a given number of decimals in its labels."""
    import altair as alt

    label = f"format(datum.value, '.{digits}{'%' if percent else 'f'}')"
    return alt.Axis(tickCount=TICKS, labelExpr=label, **options)


def decimals(values: Iterable[float | None], percent: bool = False) -> int:
    """The decimals that tell the ticks apart. Vega's ticks are 1, 2 or 5 times a power of ten apart."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    scale = 100 if percent else 1
    if high == low:
        return 1 if percent else 3
    # Vega takes the next power of ten from a factor of √50 on.
    step = math.floor(math.log10(scale * (high - low) / TICKS * math.sqrt(2)))
    return max(0, -step)
