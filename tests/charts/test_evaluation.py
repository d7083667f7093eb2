"""Charts of the Evaluate page: what they say of the figures, and that Vega-Lite takes them."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.charts import evaluation as charts
from mnist_core.evaluation.calibration import Coverage, ReliabilityBin


def matrix() -> np.ndarray:
    table = np.zeros((10, 11), np.int64)
    table[np.arange(10), np.arange(10)] = 90
    table[4, 9], table[3, 5] = 8, 2
    return table


def test_confusion_has_a_point_a_cell_and_a_column_for_no_digit_where_there_is_one() -> None:
    table = matrix()
    values = charts.clickable_confusion_matrix(table, False).data["values"]
    assert len(values) == 100 and sum(cell["count"] for cell in values) == table.sum()
    by_cell = {(cell["true"], cell["read"]): cell for cell in values}
    assert by_cell["4", "9"]["share"] == pytest.approx(8 / 98)
    table[0, 10] = 1
    values = charts.clickable_confusion_matrix(table, True).data["values"]
    assert len(values) == 110 and {cell["read"] for cell in values} >= {"not a digit"}


def luminance(colour: str) -> float:
    """Relative, 0..1, of `#rrggbb` (WCAG 2)."""
    values = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_counts_can_be_read_on_every_cell_and_more_mistakes_are_darker() -> None:
    cells = charts.clickable_confusion_matrix(matrix(), False).data["values"]
    filled = [cell for cell in cells if cell["count"]]
    contrasts = [(luminance(cell["fill"]) + 0.05) / (luminance(charts.INK) + 0.05) for cell in filled]
    assert min(contrasts) >= 4.5  # WCAG's AA
    fills = {(cell["true"], cell["read"]): cell["fill"] for cell in filled}
    assert luminance(fills["4", "9"]) < luminance(fills["3", "5"]) and fills["0", "0"] == fills["7", "7"]


def test_confusion_without_a_mistake() -> None:
    table = np.diag(np.full(10, 5)).astype(np.int64)
    chart = charts.clickable_confusion_matrix(np.hstack([table, np.zeros((10, 1), np.int64)]), False)
    assert sum(cell["count"] for cell in chart.data["values"]) == 50 and chart.to_dict()


def test_empty_bins_are_left_out() -> None:
    chart = charts.reliability_diagram([ReliabilityBin(0, 0.5, 0, None, None), ReliabilityBin(0.5, 1, 4, 0.9, 0.75)])
    (point,) = chart.data["values"]
    assert chart.to_dict()
    assert (point["accuracy"], point["confidence"], point["count"]) == (0.75, 0.9, 4)


def test_coverage_leaves_out_the_accuracy_of_no_answers() -> None:
    chart = charts.coverage_curve([Coverage(0.5, 0.9, 0.99, 3), Coverage(0.9999, 0.0, None, 0)])
    points = [(point["threshold"], point["series"], point["share"]) for point in chart.data["values"]]
    assert chart.to_dict() and points == [
        ("50%", charts.ACCURACY_SERIES, 0.99),
        ("50%", charts.ACCEPTED_SERIES, 0.9),
        ("99.99%", charts.ACCEPTED_SERIES, 0.0),
    ]


def test_robustness_has_a_line_a_model_told_apart_without_colour() -> None:
    chart = charts.robustness_curves({"a": {10: 0.5, 0: 1.0}, "b": {0: 0.9}}, "pixels", (0, 5, 10), 0)
    assert [point["level"] for point in chart.data["values"]] == [0, 10, 0]
    lines = next(layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == "line")["encoding"]
    assert {"color", "shape", "strokeDash"} <= lines.keys()
    assert lines["x"]["scale"]["domain"] == [0, 10]
    assert lines["x"]["title"] == "pixels" and lines["color"]["scale"]["domain"] == ["a", "b"]
