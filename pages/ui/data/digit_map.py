"""The map view: 5,000 digits projected to two dimensions, with the user's own drawing among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.charts.common import data_url
from mnist_core.data import findings
from pages.ui.shared import (
    analysis_caches,
    caches,
    figure,
    layer_outputs,
    model_menu,
    sketchpad,
    state,
    theme,
)
from pages.ui.shared.analysis_caches import DigitMap

FEATURES = {"pixels": "By pixels", "layer": "By a model's last hidden layer"}

MarkedDrawing = tuple[float, float, str]
"""Coordinates of the user's drawing on the map, and its image as a data URL."""


def show_digit_map() -> None:
    """A menu of what is projected, and the map."""
    st.session_state.setdefault(state.MAP_FEATURES, "pixels")
    features = st.segmented_control(
        "Map",
        list(FEATURES),
        format_func=FEATURES.__getitem__,
        key=state.MAP_FEATURES,
        required=True,
        label_visibility="collapsed",
    )
    path, by = None, "pixels"
    if features == "layer":
        choice = model_menu.select_model("Model", state.MODEL)
        if layer_outputs.open_model_layers(choice, "map_convert") is None:
            return
        path = model_menu.model_path(choice)
        by = f"the last hidden layer of {model_menu.model_name(choice)}"
    digit_map = analysis_caches.digit_map(caches.available_dataset(), path)
    image = last_drawing()
    show_map_chart(digit_map, by, None if image is None else mark_drawing(image, digit_map, path))
    if image is None:
        st.caption("Draw a digit on the Draw page to see it marked on the map.")
        st.page_link("pages/draw.py", label="Draw", icon=":material/draw:")


def show_map_chart(digit_map: DigitMap, by: str, drawing: MarkedDrawing | None) -> None:
    """The map itself.

    Args:
        digit_map: digits and their coordinates.
        by: what they were projected from, in words.
        drawing: the user's drawing, if there is one.
    """
    shares = digit_map.plane.explained_variance
    marked = "Your drawing is marked." if drawing else "No drawing of yours is marked."
    figure.show_chart(
        data_charts.digit_map(
            digit_map.points,
            digit_map.labels,
            analysis_caches.digit_map_thumbnails(caches.available_dataset()),
            shares,
            drawing,
        ),
        f"{len(digit_map.labels):,} digits in two dimensions, by {by}",
        f"{len(digit_map.labels):,} digits by {by}, in two dimensions that explain {sum(shares):.0%} of the variance. "
        f"{marked}",
        "map of digits",
        "map",
        finding=findings.digit_map(digit_map.points, digit_map.labels),
        rows=lambda: [
            {"number": index, "x": float(x), "y": float(y), "digit": int(label)}
            for index, ((x, y), label) in enumerate(zip(digit_map.points, digit_map.labels, strict=True))
        ],
    )


def last_drawing() -> NDArray[np.uint8] | None:
    """The last drawing on the Draw page, normalized, (28, 28) uint8; None if the canvas is empty."""
    return sketchpad.normalized_digit(
        sketchpad.drawing_from_strokes(st.session_state.get(state.drawing_key(state.CANVAS)), theme.CANVAS_PIXELS)
    )


def mark_drawing(image: NDArray[np.uint8], digit_map: DigitMap, path: Path | None) -> MarkedDrawing:
    """Projects a (28, 28) uint8 image onto the map. `path`: of the model whose layer the map shows; None for pixels."""
    x, y = digit_map.plane.project(analysis_caches.digit_map_features(image[None], path))[0].tolist()
    return x, y, data_url(image)
