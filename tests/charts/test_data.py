"""Charts of the Data page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from mnist_core.charts import data as data_charts
from mnist_core.data.summary import summarize_dataset


def test_a_bar_of_one_pixel_has_a_height(sample: Any) -> None:
    summary = replace(summarize_dataset(sample), intensities=np.array([1, *[50] * 31]))
    chart = data_charts.intensity_histogram(summary).to_dict()
    assert chart["encoding"]["y2"]["datum"] < 1


def test_points_close_together_stay_apart() -> None:
    points = np.random.default_rng(0).normal(0, 0.03, (1000, 2))
    chart = data_charts.digit_map(points, np.zeros(1000, np.uint8), [""] * 1000, (0.5, 0.2))
    assert len({row["x"] for row in chart.data["values"]}) > 500


def test_a_map_of_5000_digits_stays_below_three_megabytes(sample: Any) -> None:
    images = np.concatenate([sample.x_train, sample.x_test])
    thumbnails = [data_charts.compact_data_url(image) for image in images]
    labels = np.concatenate([sample.y_train, sample.y_test])
    places = np.linspace(-9.99, 9.99, 2 * len(images)).reshape(-1, 2)
    drawn = data_charts.digit_map(places, labels, thumbnails, (0.1, 0.07), (1.0, 2.0, thumbnails[0])).to_dict()
    assert sorted(map(len, drawn["datasets"].values())) == [1, 5000]
    assert len(json.dumps(drawn)) < 3_000_000
    (own,) = min(drawn["datasets"].values(), key=len)
    assert (own["x"], own["y"], own["what"]) == (1.0, 2.0, "your drawing")
