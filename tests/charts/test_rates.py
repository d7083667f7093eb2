"""Charts of learning rates: their points, their scales and the mark."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_core.charts import rates as rate_charts

TOLD = [
    {"rate": 10.0**power, "loss": loss, "smoothed": loss + 0.1}
    for power, loss in [(-6, 2.3), (-5, 2.3), (-4, 2.0), (-3, 0.5), (-2, 0.4), (-1, 9.0)]
]


def layers(chart: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chart.to_dict()["layer"]
    return found


def test_schedule_has_a_point_for_each_place_and_ends_with_the_last_epoch() -> None:
    chart = rate_charts.schedule_curve(np.array([0.1, 0.2, 0.3, 0.4], np.float32), 8)
    assert [row["epoch"] for row in chart.data["values"]] == [0, 2, 4, 6]
    assert [round(row["learning rate"], 6) for row in chart.data["values"]] == [0.1, 0.2, 0.3, 0.4]
    encoding = chart.to_dict()["encoding"]
    assert encoding["x"]["scale"]["domain"] == [0, 8] and encoding["y"]["scale"]["zero"]


def test_range_test_shows_every_batch_on_a_logarithmic_axis() -> None:
    chart = rate_charts.range_test_curve(TOLD, (1e-6, 10.0), None)
    assert [row["loss"] for row in chart.data["values"]] == [point["loss"] for point in TOLD]
    dots, line = layers(chart)
    for layer, field in ((dots, "loss"), (line, "smoothed")):
        scale = layer["encoding"]["x"]["scale"]
        assert (scale["type"], scale["domain"]) == ("log", [1e-6, 10.0])
        assert layer["encoding"]["y"]["field"] == field and layer["mark"]["clip"]


def test_an_explosion_does_not_flatten_the_valley() -> None:
    top = layers(rate_charts.range_test_curve(TOLD, (1e-6, 10.0), None))[0]["encoding"]["y"]["scale"]["domain"][1]
    assert 2.4 <= top < 4


def test_the_suggestion_is_marked_and_named() -> None:
    *_, rule, text = layers(rate_charts.range_test_curve(TOLD, (1e-6, 10.0), 0.003))
    chart = rate_charts.range_test_curve(TOLD, (1e-6, 10.0), 0.003)
    assert (rule["mark"]["type"], text["mark"]["type"]) == ("rule", "text")
    (marked,) = chart.layer[-1].data["values"]
    assert marked == {"learning rate": 0.003, "name": "0.003"}


def test_before_the_first_batch_there_are_axes() -> None:
    assert rate_charts.range_test_curve([], (1e-6, 10.0), None).to_dict()["layer"]
