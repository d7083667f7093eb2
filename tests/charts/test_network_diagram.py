"""The drawing read back as XML: a box for each layer, to scale, with the shapes that Keras gives."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest

from mnist_core.charts import network_diagram
from mnist_core.charts.common import COLORS
from mnist_core.networks.layers import Conv2D, Dense, Flatten, Layer, MaxPooling2D, ReLU, Rescaling, format_shape
from mnist_core.recipes.recipes import RECIPES

SVG = "{http://www.w3.org/2000/svg}"
LAYERS = (Rescaling(1 / 255), Conv2D(32, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(10, "softmax"))


def boxes(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(f"{SVG}rect"))


def texts(text: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(text).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", RECIPES)
def test_every_layer_has_a_box_and_its_shape(name: str) -> None:
    network = RECIPES[name].settings.architecture
    drawn = network_diagram.network_svg(network.layers, network.input_size)
    rows = network.summary()
    assert len(boxes(drawn)) == len(rows) + 1
    shown = texts(drawn)
    for row in rows:
        assert format_shape(row.output_shape) in shown
        assert not row.parameters or f"{row.parameters:,} weights" in shown
    placed = [group.get("transform") for group in ElementTree.fromstring(drawn).iter(f"{SVG}g")]
    assert len(set(placed)) == len(rows) + 1, "none lies upon another"


def test_boxes_are_to_scale() -> None:
    image, scaled, conv, pooled, flat, dense = boxes(network_diagram.network_svg(LAYERS))
    heights = [float(box.get("height", 0)) for box in (image, scaled, conv, pooled)]
    assert heights == pytest.approx([network_diagram.MAX_HEIGHT * rows / 28 for rows in (28, 28, 26, 13)], abs=0.1)
    widths = [float(box.get("width", 0)) for box in (image, conv)]
    assert widths[1] - widths[0] == pytest.approx(6 * (math.log2(33) - math.log2(2)), abs=0.1)
    bars = [float(box.get("height", 0)) for box in (flat, dense)]
    assert bars[0] / bars[1] == pytest.approx(math.log2(5409) / math.log2(11), abs=0.02)
    assert conv.get("fill") == COLORS["training"] and dense.get("fill") == COLORS["validation"]


def test_title_and_description_tell_what_is_drawn() -> None:
    root = ElementTree.fromstring(network_diagram.network_svg(LAYERS, name="mine & <yours>"))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "mine & <yours>: 5 layers"
    told = root.findtext(f"{SVG}desc") or ""
    assert told.startswith("image 28 × 28 × 1, then Rescaling to 28 × 28 × 1 (0 parameters), then Conv2D to 26 × 26")
    assert "currentColor" in ElementTree.tostring(root, "unicode"), "it follows the theme"


def test_what_cannot_work_is_drawn_without_a_size() -> None:
    layers: tuple[Layer, ...] = (Flatten(), Conv2D(8, 3), Dense(10, "softmax"))
    drawn = network_diagram.network_svg(layers, marked={2})
    assert texts(drawn).count("does not fit") == 2 and texts(drawn).count("?") == 2
    assert "these do not fit: Conv2D, Dense" in network_diagram.describe_network(layers)


def test_a_marked_layer_stands_out() -> None:
    plain, marked = boxes(network_diagram.network_svg(LAYERS)), boxes(network_diagram.network_svg(LAYERS, marked={2}))
    assert [box.get("stroke-dasharray") for box in plain] == [None] * 6
    assert [bool(box.get("stroke-dasharray")) for box in marked] == [False, False, True, False, False, False]


def test_a_hundred_layers_stay_within_the_page() -> None:
    root = ElementTree.fromstring(network_diagram.network_svg((*[ReLU()] * 98, Flatten(), Dense(10, "softmax"))))
    assert float(root.get("width", 0)) <= network_diagram.LAYERS_PER_ROW * network_diagram.COLUMN_WIDTH
    assert 11 * network_diagram.MAX_HEIGHT < float(root.get("height", 0)) < 11 * 2 * network_diagram.MAX_HEIGHT
    lowest = max(float(text.get("y", 0)) for text in root.iter(f"{SVG}text"))
    assert lowest < float(root.get("height", 0)) / 11, "no line of text reaches into the row below"


def test_nothing_but_the_image_where_there_is_no_layer() -> None:
    assert (
        len(boxes(network_diagram.network_svg(()))) == 1 and network_diagram.network_title(()) == "A network: 0 layers"
    )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Conv2D(32, 3, activation="relu"), "32, 3×3, relu"),
        (Conv2D(8, 5, 2, "same", None, False), "8, 5×5, stride 2, no bias, same"),
        (Rescaling(1 / 255), "1/255"),
        (MaxPooling2D(3), "3×3"),
        (MaxPooling2D(), ""),
        (Dense(10, "softmax", kernel_initializer="random_normal"), "10, softmax, random_normal"),
    ],
)
def test_settings_in_few_words(layer: Layer, words: str) -> None:
    assert network_diagram.describe_settings(layer) == words


def test_all_settings_are_drawn() -> None:
    layer = Conv2D(32, 3, 2, "same", "relu", False, "he_normal")
    shown = texts(network_diagram.network_svg((layer,)))
    parts = {part for line in shown for part in line.split(", ")}
    assert {"32", "3×3", "stride 2", "no bias", "same", "relu", "he_normal"} <= parts


def test_long_names_are_folded() -> None:
    shown = texts(network_diagram.network_svg(RECIPES["best"].settings.layers))
    assert max(map(len, shown)) <= 20
    assert "3 Batch" in shown and "Normalization" in shown
