"""A map of 5,000 digits in two dimensions, with one's own drawing on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.charts.common import data_url
from pages.ui.shared import analysis_caches, caches, components, figure, layer_outputs, sketchpad, state, theme

KINDS = {"pixels": "By their pixels", "layer": "By a model's last hidden layer"}


def show_digit_map() -> None:
    """What the map is made of, and the map."""
    state.default(state.MAP_OF, "pixels")
    kind = st.segmented_control(
        "Map", list(KINDS), format_func=KINDS.__getitem__, key=state.MAP_OF, required=True, label_visibility="collapsed"
    )
    path = None
    if kind == "layer":
        choice = components.model_menu("Model", state.MODEL)
        if layer_outputs.opened(choice, "map_convert") is None:
            return
        path = components.model_path(choice)
    found = analysis_caches.digit_map(caches.at_hand(), path)
    image = own_drawing()
    chart(str(kind), found, place(image, found, path) if image is not None else None)
    if image is None:
        st.caption("Draw a digit, and it is marked on the map.")
        st.page_link("pages/draw.py", label="Draw", icon=":material/draw:")


def chart(kind: str, found: analysis_caches.Map, own: tuple[float, float, str] | None) -> None:
    """The map itself."""
    model = st.session_state.get(state.MODEL, components.SHIPPED)
    by = "their pixels" if kind == "pixels" else f"what {components.plain(components.model_name(model))} makes of them"
    shares = found.plane.shares
    alt = f"{len(found.labels):,} digits by {by}, in two dimensions that hold {sum(shares):.0%} of the variance. " + (
        "Your own drawing is marked." if own else "No drawing of yours is marked."
    )
    figure.chart(
        data_charts.digit_map(
            found.points, found.labels, analysis_caches.mapped_pictures(caches.at_hand()), shares, own
        ),
        f"{len(found.labels):,} digits in two dimensions, by {by}",
        alt,
        "map of digits",
        "map",
        rows=lambda: [
            {"number": number, "x": float(x), "y": float(y), "digit": int(label)}
            for number, ((x, y), label) in enumerate(zip(found.points, found.labels, strict=True))
        ],
    )


def own_drawing() -> NDArray[np.uint8] | None:
    """What was last drawn on the Draw page, as it normalises it, (28, 28) uint8; None where nothing was."""
    return sketchpad.digit(sketchpad.redrawn(st.session_state.get(state.drawing(state.CANVAS)), theme.CANVAS_PIXELS))


def place(image: NDArray[np.uint8], found: analysis_caches.Map, path: Path | None) -> tuple[float, float, str]:
    """Where a (28, 28) uint8 image lies on the map, and its picture."""
    x, y = found.plane.project(analysis_caches.map_values(image[None], path))[0].tolist()
    return x, y, data_url(image)
