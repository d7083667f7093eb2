"""Pictures and charts of what is inside a network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mnist_core.charts import layers as layer_charts
from mnist_core.charts.common import data_url


def test_colours_tell_sign_and_size() -> None:
    values = np.array([0, 1, -1, 0.5, 7, -7], np.float32)
    zero, above, below, half, over, under = layer_charts.colorize(values, 1).astype(int)
    assert (zero == 0).all() and (above == over).all() and (below == under).all()
    assert above.argmax() == 1 and below.argmax() == 0, "teal and orange"
    np.testing.assert_allclose(half, above / 2, atol=1)
    assert not layer_charts.colorize(np.zeros((2, 3), np.float32), 0).any()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((28, 28, 1), (29, 29)), ((5, 5, 9), (52, 208)), ((1, 1, 40), (116, 232)), ((11,), (8, 78)), ((70,), (22, 225))],
)
def test_a_wall_holds_every_channel(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    assert layer_charts.activation_grid(values).shape == (*size, 3)


def test_a_wall_has_its_channels_in_order_and_one_scale() -> None:
    values = np.zeros((14, 14, 10), np.float32)
    values[..., 3], values[..., 9] = 1, -0.5
    wall = layer_charts.activation_grid(values, 28).astype(int)
    assert wall[5, 3 * 29 + 5].max() == 255 and wall[29 + 5, 29 + 5].max() == pytest.approx(127, abs=1)
    assert not wall[5, 5].any()


def test_the_quick_picture_is_the_same_picture() -> None:
    import base64

    image = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    found = [
        cv2.imdecode(np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
        for url in (data_url(image), layer_charts.fast_data_url(image))
    ]
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(found[0][..., ::-1], image)


def test_charts_hold_what_they_were_given_and_share_nothing() -> None:
    values = np.random.default_rng(0).normal(0, 1, (6, 7, 12)).astype(np.float32)
    first, second = (
        layer_charts.clickable_channel(values[..., 0], 3, (2, 4)),
        layer_charts.clickable_channel(values[..., 1], 3),
    )
    cells = first.data["values"]
    assert len(cells) == 42 and [cell for cell in cells if cell["chosen"]][0]["column"] == 4
    assert cells[2 * 7 + 4]["value"] == pytest.approx(float(values[2, 4, 0]), abs=1e-4)
    assert not any(cell["chosen"] for cell in second.data["values"])
    faces = layer_charts.clickable_channels(values, 5).data["values"]
    assert len(faces) == 12 and [face["channel"] for face in faces if face["chosen"]] == [5]
    bars = layer_charts.clickable_bars([1.0, 2.0], "unit", "value", 1).data["values"]
    assert [bar["value"] for bar in bars] == [1, 2]


def test_a_wide_layer_shows_the_thumbnails_around_the_chosen_channel() -> None:
    values = np.arange(700, dtype=np.float32).reshape(1, 1, 700)
    rows = layer_charts.clickable_channels(values, 300).data["values"]
    assert [row["channel"] for row in rows] == list(range(256, 512)) and rows[0]["row"] == rows[0]["column"] == 0
    assert [row["channel"] for row in rows if row["chosen"]] == [300] and rows[44]["largest"] == 300
    assert len(layer_charts.clickable_channels(values, 699).data["values"]) == 700 - 512


def test_histograms_count_every_weight() -> None:
    generator = np.random.default_rng(0)
    weights = {"1 · Conv2D": generator.normal(0, 1, (3, 3, 1, 8)), "2 · Dense": generator.normal(0, 0.1, (72, 10))}
    rows = layer_charts.weight_histograms({name: each.astype(np.float32) for name, each in weights.items()}).data[
        "values"
    ]
    for name, values in weights.items():
        mine = [row for row in rows if row["layer"] == name]
        assert sum(row["weights"] for row in mine) == values.size
        assert mine[0]["from"] == pytest.approx(values.min(), rel=1e-5)
