"""The values that a slider offers for the range of a numeric setting, and the range as text."""

from __future__ import annotations

import math

from mnist_core.fields import Choice, Integer, Number
from mnist_core.recipes.overrides import setting_rules
from mnist_core.sweeps.search_space import Dimension, Range, Values

LOG_SCALES = {
    "batch_size": (8, 2048),
    "learning_rate": (1e-6, 1.0),
    "weight_decay": (1e-6, 0.1),
    "gradient_clipping": (0.1, 100.0),
    "time_budget": (1.0, 1000.0),
}
"""Settings that matter by their ratio and not by their difference -> the first and the last value of their slider."""
MOST_WHOLE_NUMBERS = 20
"""The last value of the slider of a whole number, such as epochs."""
STEP = 0.05
"""Between two values of the slider of any other number."""


def is_numeric(name: str) -> bool:
    """Whether a setting can have a range."""
    return not isinstance(setting_rules()[name], Choice)


def range_ends(dimension: Dimension) -> tuple[float, float]:
    """The lowest and the highest value of a numeric dimension."""
    if isinstance(dimension, Values):
        return min(dimension.values), max(dimension.values)
    return dimension.low, dimension.high


def slider_ticks(dimension: Dimension) -> list[float]:
    """The values of the slider of a numeric setting, ascending; its present ends are among them."""
    return sorted({*_usual_ticks(dimension.name), *range_ends(dimension)})


def _usual_ticks(name: str) -> list[float]:
    rule = setting_rules()[name]
    if name in LOG_SCALES:
        low, high = LOG_SCALES[name]
        if isinstance(rule, Integer):
            return [2**power for power in range(int(math.log2(low)), int(math.log2(high)) + 1)]
        decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
        ticks = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 3)]
        return [tick for tick in ticks if tick <= high]
    if isinstance(rule, Integer):
        return list(range(rule.low, min(rule.high, MOST_WHOLE_NUMBERS) + 1))
    if not isinstance(rule, Number):
        return []  # a choice has no range
    count = math.floor((min(rule.high, 1.0) - rule.low) / STEP + 1e-9)
    return [round(rule.low + STEP * index, 6) for index in range(count + 1)]


def is_log(dimension: Dimension) -> bool:
    """Whether the range that the slider sets is searched on a logarithmic scale."""
    if isinstance(dimension, Range):
        return dimension.log
    return dimension.name in LOG_SCALES and range_ends(dimension)[0] > 0


def range_text(dimension: Dimension, low: float, high: float) -> str:
    """The range from low to high as `space_parser` takes it, after `NAME=`: `0.0001..0.1:log`.

    Args:
        dimension: as it was before. Its scale and a number of values for a grid are kept.
        low, high: the new ends.
    """
    points = dimension.points if isinstance(dimension, Range) else 0
    whole = isinstance(setting_rules()[dimension.name], Integer)
    changed = Range(dimension.name, low, high, is_log(dimension), whole, points)
    return str(changed).partition("=")[2]
