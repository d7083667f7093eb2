"""Every layer of every chart gets the rows that it encodes, in the states that people see: few, many, none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mnist_core.charts import data, evaluation, growth, layers, parallel_coordinates, rates, runs, sweep, sweep_settings
from mnist_core.data.summary import DatasetSummary
from mnist_core.evaluation.calibration import Coverage, ReliabilityBin
from mnist_core.sweeps.plan import make_plan
from tests.charts.shown import layers_shown

PLAN = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128"], data="sample")
RATE, BATCH = PLAN.space
DIGITS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
LABELS = np.array([1, 2, 3], np.uint8)
TABLE = np.eye(10, 11, dtype=np.int64) * 9
TABLE[4, 9] = 2
COUNTS = np.full(10, 5)
SUMMARY = DatasetSummary(COUNTS, COUNTS, np.zeros((10, 28, 28), np.uint8), np.full(32, 7), 0.8, 0.1)
MAPS = np.random.default_rng(0).random((4, 4, 8), np.float32)


def trials(count: int) -> list[dict[str, Any]]:
    return [
        {
            "trial": number,
            "state": "pruned" if number % 3 == 2 else "finished",
            "value": 0.9 + number / 100,
            "values": [[1, 0.8], [2, 0.9 + number / 100]],
            "settings": {"learning_rate": 10.0 ** -(1 + number % 4), "batch_size": (32, 128)[number % 2]},
            "seconds": 1.0,
            "ended": number,
        }
        for number in range(count)
    ]


def reports(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"step": n, "epoch": n, "elapsed": n, "loss": 1 / n, "val_loss": 1 / n, **more} for n in range(1, count + 1)
    ]


ESTIMATE = {"step": 0.5, "epoch": 0.5, "elapsed": 0.5, "loss": 2.0, "estimated_val_loss": 3.0}


def best(count: int) -> Any:
    return sweep.best_so_far_curve(sweep.best_so_far(trials(count), PLAN, "a"), PLAN, "number")


CHARTS: dict[str, Callable[[], Any]] = {
    "digits": lambda: data.clickable_digits(DIGITS, np.arange(3), LABELS, LABELS[::-1]),
    "pixels": lambda: data.pixel_heatmap(DIGITS[0]),
    "class balance": lambda: data.class_balance(SUMMARY),
    "intensities": lambda: data.intensity_histogram(SUMMARY),
    "map": lambda: data.digit_map(np.eye(3, 2), LABELS, ["a", "b", "c"], (0.1, 0.05)),
    "map with a drawing": lambda: data.digit_map(np.eye(3, 2), LABELS, ["a", "b", "c"], (0.1, 0.05), (0, 0, "d")),
    "confusion": lambda: evaluation.confusion_matrix(TABLE),
    "confusion of a card": lambda: evaluation.confusion_matrix(TABLE[:, :10]),
    "clickable confusion": lambda: evaluation.clickable_confusion_matrix(TABLE, shares=True),
    "reliability": lambda: evaluation.reliability_diagram([ReliabilityBin(0.5, 0.6, 3, 0.55, 0.5)]),
    "coverage": lambda: evaluation.coverage_curve([Coverage(0.5, 0.9, 0.95, 2), Coverage(0.9, 0.0, None, 0)]),
    "robustness of one": lambda: evaluation.robustness_curves({"a": {0.0: 0.9}}, "pixels", [0.0, 1.0], 0.0),
    "robustness of two": lambda: evaluation.robustness_curves(
        {"a": {0.0: 0.9, 1.0: 0.5}, "b": {0.0: 0.8}}, "pixels", [0.0, 1.0], 0.0
    ),
    "probabilities": lambda: growth.probability_curves(["before", "after"], np.eye(2, 10, dtype=np.float32), 1),
    "channels": lambda: layers.clickable_channels(MAPS, 2),
    "channel": lambda: layers.clickable_channel(MAPS[..., 0], 1.0, (1, 1)),
    "units": lambda: layers.clickable_bars([0.1, -0.2], "unit", "value", 1),
    "weights": lambda: layers.weight_histograms({"dense": MAPS}),
    "schedule": lambda: rates.schedule_curve(np.ones(5, np.float32), 3),
    "range test": lambda: rates.range_test_curve([{"rate": 0.01, "loss": 1, "smoothed": 1}], (1e-5, 1), None),
    "range test with its result": lambda: rates.range_test_curve(
        [{"rate": 0.01, "loss": 1, "smoothed": 1}, {"rate": 0.1, "loss": 2, "smoothed": 1.5}], (1e-5, 1), 0.01
    ),
    "first report": lambda: runs.training_curve(reports(1), "loss", 1),
    "curve": lambda: runs.training_curve(reports(700), "loss", 1),
    "curve with changes": lambda: runs.training_curve(reports(3, changed={"epochs": 3}), "loss", 1),
    "curve with estimates": lambda: runs.training_curve(reports(3, estimated_val_loss=3.0), "loss", 1),
    "estimates of a run": lambda: runs.run_curves({"a": [ESTIMATE]}, "val_loss", "epoch"),
    "estimates of several runs": lambda: runs.run_curves(
        {"a": [ESTIMATE, *reports(3)], "b": [ESTIMATE]}, "val_loss", "step"
    ),
    "one run": lambda: runs.run_curves({"a": reports(1)}, "val_loss", "epoch"),
    "several runs": lambda: runs.run_curves({"a": reports(9), "b": reports(2)}, "loss", "step", 0.5, True),
    "accuracy against cost": lambda: runs.accuracy_scatter(
        [{"name": "a", "val_accuracy": 0.9, "parameters": 9}], "parameters"
    ),
    "best of one trial": lambda: best(1),
    "best of many trials": lambda: best(9),
    "trial curves": lambda: sweep.trial_curves(trials(5), PLAN),
    "parallel coordinates": lambda: parallel_coordinates.parallel_coordinates(trials(5), PLAN),
    "slice of a range": lambda: sweep_settings.slice_plot(trials(5), PLAN, RATE),
    "slice of a list": lambda: sweep_settings.slice_plot(trials(1), PLAN, BATCH),
    "contour": lambda: sweep_settings.contour_plot(trials(5), PLAN, RATE, BATCH),
    "importance": lambda: sweep_settings.importance_bars([{"setting": "a", "share": 0.5, "low": 0.4, "high": 0.6}]),
}
CALCULATED = {"middle"}
"""Fields that a chart itself calculates."""


@pytest.mark.parametrize("name", CHARTS)
def test_every_layer_gets_the_rows_that_it_encodes(name: str) -> None:
    shown = layers_shown(CHARTS[name]())
    assert shown
    for layer in shown:
        assert layer.rows, layer.mark
        for channel, encoding in layer.encoding.items():
            field = encoding.get("field") if isinstance(encoding, dict) else None
            if field is not None and field not in CALCULATED:
                assert any(row.get(field) is not None for row in layer.rows), (layer.mark, channel, field)


@pytest.mark.parametrize(
    "chart",
    [
        lambda: runs.run_curves({}, "loss", "step"),
        lambda: runs.accuracy_scatter([], "parameters"),
        lambda: runs.training_curve([], "loss", 0),
        lambda: sweep.trial_curves([], PLAN),
        lambda: best(0),
        lambda: evaluation.coverage_curve([]),
    ],
)
def test_a_chart_of_nothing_has_no_rows_and_no_error(chart: Callable[[], Any]) -> None:
    assert all(not layer.rows for layer in layers_shown(chart()))
