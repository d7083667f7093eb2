"""How one number in a network comes about, spelled out."""

from __future__ import annotations

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.explain import arithmetic
from mnist_core.explain.arithmetic import UnitArithmetic
from mnist_core.models.weights import Weights
from mnist_core.networks.layers import Layer
from pages.ui.shared import figure

MOST_TERMS = 12
PIXELS = 150  # at least, of a side of a patch
FOR_NUMBERS = 30  # pixels of a square that a number fits into
SIGNS = ("×", "=")


def spelled_out(layer: Layer, weights: Weights, before: NDArray[np.float32], place: tuple[int, ...]) -> None:
    """The pictures and the lines of one unit; arguments as arithmetic.unit takes them."""
    found = arithmetic.compute_unit(layer, weights, before, place)
    where = "row {}, column {}, channel {}".format(*place) if len(place) == 3 else f"unit {place[0]}"
    st.markdown(f"#### How this number comes about: {where}")
    st.write(f"{found.formula}.")
    left, right = st.columns([1, 1], gap="large")
    with left:
        lines = [{"reckoned": name, "value": f"{value:.5g}"} for name, value in found.steps]
        figure.table(lines, sentence(found), "arithmetic", "arithmetic")
    with right:
        if found.patch is not None:
            window(found)
        elif found.terms:
            terms(found)


def sentence(found: UnitArithmetic) -> str:
    """`0.73 + -0.1 → relu = 0.63`, as far as the steps are of that kind."""
    names = [name for name, _ in found.steps]
    values = [f"{value:.4g}".replace("-", "−") for _, value in found.steps]
    if "bias" in names:
        activated = f" → {names[-1]}" if len(names) > 3 else ""
        return f"{names[0]} {values[0]} + bias {values[1]}{activated} = {values[-1]}"
    if names[0].startswith("sum of"):
        return f"{names[0]} {values[0]}" + (f" → {names[-1]} = {values[-1]}" if len(names) > 1 else "")
    return f"{names[-1]} = {values[-1]}"


def window(found: UnitArithmetic) -> None:
    """What the unit sees, and its filter, of the channel that matters most; then all channels."""
    patch, kernel, box = found.patch, found.kernel, found.box
    if patch is None or box is None:
        return
    sums = None if kernel is None else (patch * kernel).sum(axis=(0, 1))
    channel = 0 if sums is None else int(np.abs(sums).argmax())
    parts = (
        [patch[..., channel]]
        if kernel is None
        else [patch[..., channel], kernel[..., channel], patch[..., channel] * kernel[..., channel]]
    )
    which = f", in channel {channel} of {patch.shape[2]}, the one that adds most" if patch.shape[2] > 1 else ""
    name = "What the unit sees" if kernel is None else "Patch, filter, both multiplied"
    figure.image(
        side_by_side(parts),
        f"{name}{which}",
        f"Rows {box[0]} to {box[2] - 1} and columns {box[1]} to {box[3] - 1} of the layer before: "
        f"{numbers(parts[0])}" + ("" if kernel is None else f"; filter: {numbers(parts[1])}"),
        "patch and filter",
        "patch",
    )
    st.caption(f"It sees rows {box[0]} to {box[2] - 1} and columns {box[1]} to {box[3] - 1} of the layer before.")
    if sums is not None and len(sums) > 1:
        order = np.argsort(-np.abs(sums))[:MOST_TERMS]
        rows = [{"channel of the layer before": int(index), "adds": f"{sums[index]:.4g}"} for index in order]
        figure.table(rows, f"The {len(rows)} channels that add most, of {len(sums)}", "contributions", "by_channel")


def numbers(values: NDArray[np.float32]) -> str:
    """A small array in words, for who cannot see it."""
    if values.size > 36:
        return f"{values.shape[0]} by {values.shape[1]} numbers from {values.min():.3g} to {values.max():.3g}"
    return " / ".join(" ".join(f"{value:.2f}" for value in row) for row in values)


def side_by_side(parts: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: arrays of one shape as pictures, each on its own scale, with × and = between them, and
    with their numbers where they fit."""
    times = -(-PIXELS // max(parts[0].shape))
    shown = [_numbered(part, times) for part in parts]
    pieces = [shown[0]]
    for sign, picture in zip(SIGNS, shown[1:], strict=False):
        gap = np.full((len(picture), 24, 3), 60, np.uint8)
        middle = len(picture) // 2
        strokes = {"×": (((7, -5), (17, 5)), ((7, 5), (17, -5))), "=": (((6, -3), (18, -3)), ((6, 3), (18, 3)))}[sign]
        for (left, top), (right, bottom) in strokes:
            cv2.line(gap, (left, middle + top), (right, middle + bottom), (255, 255, 255), 2, cv2.LINE_AA)
        pieces += [gap, picture]
    return np.hstack(pieces)


def _numbered(values: NDArray[np.float32], times: int) -> NDArray[np.uint8]:
    picture = (
        layer_charts.colorize(values, layer_charts.largest_magnitude(values))
        .repeat(times, axis=0)
        .repeat(times, axis=1)
    )
    if times < FOR_NUMBERS:
        return picture
    picture = np.ascontiguousarray(picture)
    for (row, column), value in np.ndenumerate(values):
        dark = picture[row * times, column * times].sum() < 330
        text = f"{value:.2f}" if abs(value) < 9.995 else f"{value:.0f}"
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.33, 1)
        place = (column * times + (times - width) // 2, row * times + (times + height) // 2)
        colour = (255, 255, 255) if dark else (0, 0, 0)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.33, colour, 1, cv2.LINE_AA)
    return picture


def terms(found: UnitArithmetic) -> None:
    """The inputs that matter most."""
    products = np.array([value * weight for value, weight in found.terms])
    shares = found.formula.startswith("e to the power")
    order = np.argsort(-np.abs(np.array([weight for _, weight in found.terms]) if shares else products))[:MOST_TERMS]
    rows = []
    for index in order:
        value, weight = found.terms[index]
        if shares:
            rows.append({"output": int(index), "number": f"{value:.4g}", "share": f"{weight:.4g}"})
        else:
            rows.append(
                {
                    "input": int(index),
                    "its number": f"{value:.4g}",
                    "× weight": f"{weight:.4g}",
                    "adds": f"{products[index]:.4g}",
                }
            )
    what = "The largest shares" if shares else f"The {len(rows)} inputs that add most, of {len(found.terms)}"
    figure.table(rows, what, "contributions", "terms")
