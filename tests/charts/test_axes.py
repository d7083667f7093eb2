"""Tick labels of an axis are all different, for whatever the values are."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.charts import axes, runs


def ticks(low: float, high: float, count: int) -> list[float]:
    """As d3-array computes them (Bostock): steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    error = raw / power
    step = power * (
        10 if error >= math.sqrt(50) else 5 if error >= math.sqrt(10) else 2 if error >= math.sqrt(2) else 1
    )
    first, last = math.floor(low / step), math.ceil(high / step)  # the scale is extended to whole steps
    return [number * step for number in range(first, last + 1)]


def labels(axis: dict[str, object], low: float, high: float) -> list[str]:
    """What an axis writes at its ticks."""
    written = re.search(r"'\.(\d)([f%])'\)", str(axis["labelExpr"]))
    assert written is not None
    digits, percent = int(written[1]), written[2] == "%"
    marks = ticks(low, high, int(str(axis["tickCount"])))
    return [f"{mark:.{digits}%}" if percent else f"{mark:.{digits}f}" for mark in marks]


@given(st.floats(0, 1), st.floats(1e-5, 1), st.booleans())
def test_labels_differ_and_are_short(low: float, size: float, percent: bool) -> None:
    axis = axes.value_axis([low, low + size], percent).to_dict()
    written = labels(axis, low, low + size)
    assert len(set(written)) == len(written) and 2 <= len(written) <= 12
    assert all(len(label) <= 11 for label in written)


@pytest.mark.parametrize(
    ("low", "high", "percent", "decimals"),
    [(0, 1, True, 0), (0.95, 0.98, True, 1), (0.991, 0.9914, True, 2), (0.99, 0.99, True, 1), (0.1, 2.3, False, 1)],
)
def test_decimals_follow_the_range(low: float, high: float, percent: bool, decimals: int) -> None:
    assert axes.decimals([low, None, high], percent) == decimals


def test_curves_of_runs_that_hardly_differ_have_labels_that_differ() -> None:
    reports = [{"step": step, "epoch": step, "elapsed": 1.0, "val_accuracy": 0.991 + step / 1e4} for step in range(5)]
    axis = runs.run_curves({"a": reports}, "val_accuracy", "epoch").to_dict()["encoding"]["y"]["axis"]
    written = labels(axis, 0.991, 0.9914)
    assert len(set(written)) == len(written) and written[0] == "99.10%"
