"""How a single value in a network is computed: formula, steps, and the inputs and weights that contribute most.

Numbers are formatted with `z`, which writes a number that rounds to zero without a sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.explain import arithmetic
from mnist_core.explain.arithmetic import Box, UnitArithmetic
from mnist_core.networks.layers import Dropout, SpatialDropout2D
from pages.ui.explain.pipeline import Part
from pages.ui.shared import figure, formatting

MAX_TERMS = 12
"""Rows of a table of contributions."""
MIN_PATCH_PIXELS = 150
"""Smallest width of a patch on the page."""
MIN_NUMBER_PIXELS = 30
"""Smallest width of a square in which its number is readable."""
SIGNS = {"×": (((7, -5), (17, 5)), ((7, 5), (17, -5))), "=": (((6, -3), (18, -3)), ((6, 3), (18, 3)))}
"""Sign between two pictures -> its lines in a gap of 24 pixels, each (x, y), (x, y), y from the middle."""


FORMULAS = {
    "conv": "Multiply each pixel under the filter, in all channels, by its weight, and add everything up",
    "depthwise conv": "Multiply each pixel under the filter, in its own channel, by its weight, and add everything up",
    "max pooling": "Take the largest number in the window",
    "average pooling": "Take the mean of the numbers in the window",
    "dense": "Multiply each input by its weight, and add everything up",
    "softmax": "Raise e to the power of each input, and divide by the sum of all these powers",
    "batch normalization": "Subtract the channel's mean, divide by its standard deviation, times gamma, plus beta",
    "rescaling": "Multiply by a fixed number",
    "dropout": "Pass the number on unchanged: dropout acts only during training",
}
"""Operation -> what it does, in words. `formula_in_words` has the sentences that need a number."""
STEP_NAMES = {
    "sum with bias": "sum + bias",
    "exponential": "e to the power of (input − largest input)",
    "sum of exponentials": "sum of these powers over all units",
    "maximum": "largest in the window",
    "mean": "mean of the window",
    "channel mean": "mean of the channel in training",
    "channel deviation": "standard deviation of the channel",
    "normalized": "(input − mean) / standard deviation",
    "gamma": "× gamma (learned)",
    "beta": "+ beta (learned)",
}
"""Quantity -> its name in the table, where that is another."""


def show_unit_arithmetic(parts: Sequence[Part], before: NDArray[np.float32], place: tuple[int, ...]) -> None:
    """The computation of one unit, through one or more layers of a block.

    Args:
        parts: the layers, at least one.
        before: (H, W, C) or (W,) float32, the input of the first for one image.
        place: (row, column, channel) of the unit, or (unit,).
    """
    units = compute_chain(parts, before, place)
    unit = units[0]
    position = "row {}, column {}, channel {}".format(*place) if len(place) == 3 else f"unit {place[0]}"
    st.markdown(f"**How this value is computed: {position}**")
    for number, each in enumerate(units, 1):
        st.write(f"{f'{number:d}. ' if len(units) > 1 else ''}{formatting.escape_markdown(formula_in_words(each))}.")
    left, right = st.columns([1, 1], gap="large")
    with left:
        steps = [
            {"step": step_name(each, quantity), "value": f"{value:z.5g}"}
            for each in units
            for quantity, value in each.steps[each is not unit and each.steps[0][0] == "input" :]
        ]
        figure.show_table(steps, chain_in_one_line(units), "arithmetic", "arithmetic")
    with right:
        if unit.patch is not None:
            show_patch(unit, before.shape)
        elif unit.operation == "softmax":
            show_largest_shares(unit)
        elif unit.terms:
            show_largest_terms(unit)


def compute_chain(parts: Sequence[Part], before: NDArray[np.float32], place: tuple[int, ...]) -> list[UnitArithmetic]:
    """The arithmetic of one unit in each of the layers; dropout, which does nothing here, only if it is the first."""
    units: list[UnitArithmetic] = []
    inputs = before
    for part in parts:
        if not units or not isinstance(part.layer, Dropout | SpatialDropout2D):
            units.append(arithmetic.compute_unit(part.layer, part.weights, inputs, place))
        inputs = part.values
    return units


def chain_in_one_line(units: Sequence[UnitArithmetic]) -> str:
    """`sum of patch × filter 0.73 + bias −0.1 = 0.63 → batch normalization = 1.2 → rectifier = 1.2`."""
    later = (f" → {unit.operation} = {unit.value:z.4g}".replace("-", "−") for unit in units[1:])
    return computation_in_one_line(units[0]) + "".join(later)


def formula_in_words(unit: UnitArithmetic) -> str:
    """What the layer does, in a sentence without its period."""
    if unit.operation == "rectifier":
        negative = f"multiplied by {unit.negative_slope:g}" if unit.negative_slope else "set to 0"
        return f"A positive number stays as it is, a negative one is {negative}"
    if unit.operation == "flatten":
        names = ("row", "column", "channel") if len(unit.source) == 3 else ("position",)
        source = ", ".join(f"{name} {index}" for name, index in zip(names, unit.source, strict=True))
        return f"The number from {source}, now in one list with all others"
    return FORMULAS[unit.operation]


def step_name(unit: UnitArithmetic, quantity: str) -> str:
    """The name of a step in the table."""
    if quantity == "weighted sum":
        return "sum of input × weight" if unit.operation == "dense" else "sum of patch × filter"
    if quantity == "activation":
        return unit.activation or ""
    return STEP_NAMES.get(quantity, quantity)


def computation_in_one_line(unit: UnitArithmetic) -> str:
    """`sum of patch × filter 0.73 + bias −0.1 → relu = 0.63`; only the last step for layers without a sum."""
    values = {quantity: f"{value:z.4g}".replace("-", "−") for quantity, value in unit.steps}
    last = unit.steps[-1][0]
    if "weighted sum" not in values:
        return f"{step_name(unit, last)} = {values[last]}"
    text = f"{step_name(unit, 'weighted sum')} {values['weighted sum']}"
    if "bias" in values:
        text += f" + bias {values['bias']}"
    if unit.activation is not None:
        text += f" → {unit.activation}"
    return text if last == "weighted sum" else f"{text} = {values[last]}"


def show_patch(unit: UnitArithmetic, input_shape: tuple[int, ...]) -> None:
    """The patch that a unit sees and its filter, in the channel that contributes most; and a table of channels.

    Args:
        unit: of a convolution or pooling.
        input_shape: (H, W, C) of the layer's input.
    """
    patch, kernel, box = unit.patch, unit.kernel, unit.box
    if patch is None or box is None:
        return
    sums = None if kernel is None else (patch * kernel).sum(axis=(0, 1))
    channel = 0 if sums is None else int(np.abs(sums).argmax())
    pictures = [patch[..., channel]]
    title = "Patch"
    if kernel is not None:
        pictures += [kernel[..., channel], patch[..., channel] * kernel[..., channel]]
        title = "Patch × filter"
    if patch.shape[2] > 1:
        title += f", in channel {channel} of {patch.shape[2]}, which contributes most"
    area = patch_area(box, input_shape, "padding" if kernel is None else "zeros")
    filter_in_words = "" if kernel is None else f"; filter: {array_in_words(pictures[1])}"
    figure.show_picture(
        picture_equation(pictures),
        title,
        f"{area}: {array_in_words(pictures[0])}{filter_in_words}",
        "patch" if kernel is None else "patch and filter",
        "patch",
    )
    st.caption(f"{area}.")
    if sums is not None and len(sums) > 1:
        order = np.argsort(-np.abs(sums))[:MAX_TERMS]
        rows = [{"channel of the previous layer": int(index), "contribution": f"{sums[index]:z.4g}"} for index in order]
        figure.show_table(
            rows, f"Channels that contribute most ({len(rows)} of {len(sums)})", "contributions", "by_channel"
        )


def patch_area(box: Box, input_shape: tuple[int, ...], padding: str) -> str:
    """`Rows 0 to 1 and columns 4 to 6 of the previous layer, and the zeros around it`.

    Args:
        box: of the patch; it may reach beyond the input.
        input_shape: (H, W, C).
        padding: what is around the input.
    """
    top, left = max(box[0], 0), max(box[1], 0)
    bottom, right = min(box[2], input_shape[0]), min(box[3], input_shape[1])
    area = f"Rows {top} to {bottom - 1} and columns {left} to {right - 1} of the previous layer"
    return area if (top, left, bottom, right) == box else f"{area}, and the {padding} around it"


def array_in_words(values: NDArray[np.float32]) -> str:
    """A small array for screen readers: its values, or their range if there are many."""
    if values.size > 36:
        return f"{values.shape[0]} by {values.shape[1]} numbers from {values.min():z.3g} to {values.max():z.3g}"
    return " / ".join(" ".join(f"{value:z.2f}" for value in row) for row in values)


def picture_equation(arrays: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Arrays of one shape as pictures side by side, with × and = between them.

    Each has its own color scale, and shows its numbers if they fit.

    Returns:
        (H, W, 3) uint8.
    """
    scale = -(-MIN_PATCH_PIXELS // max(arrays[0].shape))
    first, *others = [_array_picture(array, scale) for array in arrays]
    pieces = [first]
    for lines, picture in zip(SIGNS.values(), others, strict=False):
        gap = np.full((len(picture), 24, 3), 60, np.uint8)
        middle = len(picture) // 2
        for (left, top), (right, bottom) in lines:
            cv2.line(gap, (left, middle + top), (right, middle + bottom), (255, 255, 255), 2, cv2.LINE_AA)
        pieces += [gap, picture]
    return np.hstack(pieces)


def _array_picture(values: NDArray[np.float32], scale: int) -> NDArray[np.uint8]:
    """(H * scale, W * scale, 3) uint8: a colored square for each value, with its number if it fits."""
    colors = layer_charts.colorize(values, layer_charts.largest_magnitude(values))
    picture = np.ascontiguousarray(colors.repeat(scale, axis=0).repeat(scale, axis=1))
    if scale < MIN_NUMBER_PIXELS:
        return picture
    for (row, column), value in np.ndenumerate(values):
        dark = picture[row * scale, column * scale].sum() < 330
        text = f"{value:z.2f}" if abs(value) < 9.995 else f"{value:z.0f}"
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.33, 1)
        corner = (column * scale + (scale - width) // 2, row * scale + (scale + height) // 2)
        color = (255, 255, 255) if dark else (0, 0, 0)
        cv2.putText(picture, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.33, color, 1, cv2.LINE_AA)
    return picture


def show_largest_shares(unit: UnitArithmetic) -> None:
    """The outputs with the largest shares of a softmax."""
    order = np.argsort([-abs(share) for _, share in unit.terms])[:MAX_TERMS]
    rows = [
        {"output": int(index), "input": f"{unit.terms[index][0]:z.4g}", "share": f"{unit.terms[index][1]:z.4g}"}
        for index in order
    ]
    figure.show_table(rows, "The largest shares", "largest shares", "terms")


def show_largest_terms(unit: UnitArithmetic) -> None:
    """The inputs that contribute most to a weighted sum."""
    products = np.array([value * weight for value, weight in unit.terms])
    rows = []
    for index in np.argsort(-np.abs(products))[:MAX_TERMS]:
        value, weight = unit.terms[index]
        rows.append(
            {
                "input": int(index),
                "value": f"{value:z.4g}",
                "× weight": f"{weight:z.4g}",
                "contribution": f"{products[index]:z.4g}",
            }
        )
    figure.show_table(rows, f"Inputs that contribute most ({len(rows)} of {len(unit.terms)})", "contributions", "terms")
