"""The view "layers" of the Explain page: every layer's activations, and one unit spelled out."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.errors import ModelError
from mnist_core.models.activations import layer_kind
from pages.ui.explain import arithmetic
from pages.ui.shared import analysis_caches, figure, layer_outputs, state


def show_layers(choice: str, image: NDArray[np.uint8]) -> None:
    """All of it. `choice`: of components.model_menu; `image`: (28, 28) uint8."""
    layers = layer_outputs.opened(choice, "convert_layers")
    if layers is None:
        return
    found = layer_outputs.outputs(layers, image)
    layer_outputs.wall(found, "wall")
    try:
        network, weights = analysis_caches.network(choice), analysis_caches.weights(choice)
    except ModelError as error:
        network, weights = None, ()
        st.info(f"How a number comes about cannot be shown. {error}")
    name, place = closer(found)
    if network is not None and len(network.layers) != len(layers.names):
        st.info("How a number comes about cannot be shown: the card of this model is of another network.")
    elif network is not None:
        position = layers.names.index(name)
        before = layers.layer_input(image[None], position)[0]
        arithmetic.spelled_out(network.layers[position], weights[position], before, place)


def closer(found: layer_outputs.Outputs) -> tuple[str, tuple[int, ...]]:
    """One layer and one of its channels, large. Returns the layer's name and the place of the chosen unit in it."""
    st.subheader("Look closer")
    names = list(found)
    if st.session_state.get(state.EXPLAINED_LAYER) not in names:
        st.session_state[state.EXPLAINED_LAYER] = next(
            (name for name in names if layer_kind(name) == "Conv2D"), names[-1]
        )
    name = str(st.selectbox("Layer", names, format_func=layer_outputs.title, key=state.EXPLAINED_LAYER))
    values = found[name]
    return name, (_image_place(name, values) if values.ndim == 3 else _list_place(name, values))


def _image_place(name: str, values: NDArray[np.float32]) -> tuple[int, ...]:
    rows, columns, channels = values.shape
    if state.EXPLAINED_ROW not in st.session_state:  # at first, where most is to be seen
        strongest = [int(index) for index in np.unravel_index(values.argmax(), values.shape)]
        keys = state.EXPLAINED_ROW, state.EXPLAINED_COLUMN, state.EXPLAINED_CHANNEL
        for key, index in zip(keys, strongest, strict=True):
            state.default(key, index)
    row, column, channel = (
        _bounded(key, size)
        for key, size in (
            (state.EXPLAINED_ROW, rows),
            (state.EXPLAINED_COLUMN, columns),
            (state.EXPLAINED_CHANNEL, channels),
        )
    )
    small, large = st.columns([1, 1], gap="large")
    strongest = int(values.max(axis=(0, 1)).argmax())
    with small:
        figure.chart(
            layer_charts.clickable_channels(values, channel),
            f"All channels of {layer_outputs.title(name)}: click one",
            f"{channels} small pictures of {rows} by {columns}; channel {strongest} has the largest value, "
            f"{values.max():.3g}. Channel {channel} is chosen.",
            "channels",
            "channels",
            lambda: [
                {"channel": number, "largest": float(each.max()), "mean": float(each.mean())}
                for number, each in enumerate(layer_charts.channel_images(values))
            ],
            partial(_clicked, "channels", {"channel": state.EXPLAINED_CHANNEL}),
        )
        _numbers({"Channel": (state.EXPLAINED_CHANNEL, channels)})
    with large:
        picture = values[..., channel]
        figure.chart(
            layer_charts.clickable_channel(picture, layer_charts.largest_magnitude(values), (row, column)),
            f"Channel {channel}: click a unit",
            f"{rows} by {columns} squares, from {picture.min():.3g} to {picture.max():.3g}. The one in row {row}, "
            f"column {column} is chosen: {picture[row, column]:.4g}.",
            "channel",
            "channel",
            on_select=partial(_clicked, "channel", {"row": state.EXPLAINED_ROW, "column": state.EXPLAINED_COLUMN}),
        )
        _numbers({"Row": (state.EXPLAINED_ROW, rows), "Column": (state.EXPLAINED_COLUMN, columns)})
    return row, column, channel


def _list_place(name: str, values: NDArray[np.float32]) -> tuple[int, ...]:
    chosen = _bounded(state.EXPLAINED_CHANNEL, len(values))
    figure.chart(
        layer_charts.clickable_bars(values.tolist(), "unit", "value", chosen),
        f"What {layer_outputs.title(name)} gives: click a unit",
        f"{len(values)} bars; the largest is unit {int(values.argmax())} with {values.max():.4g}. Unit {chosen} is "
        f"chosen: {values[chosen]:.4g}.",
        "units",
        "units",
        on_select=partial(_clicked, "units", {"unit": state.EXPLAINED_CHANNEL}),
    )
    _numbers({"Unit": (state.EXPLAINED_CHANNEL, len(values))})
    return (chosen,)


def _bounded(key: str, size: int) -> int:
    """The chosen number, of as many as this layer has; at first the one in the middle."""
    value = st.session_state.get(key)
    st.session_state[key] = min(value, size - 1) if isinstance(value, int) else size // 2
    return int(st.session_state[key])


def _numbers(wanted: dict[str, tuple[str, int]]) -> None:
    """The same choice by number, for who does not click."""
    for column, (label, (key, size)) in zip(st.columns(len(wanted)), wanted.items(), strict=True):
        column.number_input(f"{label}, 0 to {size - 1}", 0, max(size - 1, 1), key=key, disabled=size == 1)


def _clicked(chart: str, keys: dict[str, str]) -> None:
    """Takes a click on a chart over into the choice. A click beside all of it changes nothing."""
    chosen = st.session_state[chart]["selection"].get("clicked") or []
    for name, key in keys.items():
        if chosen and name in chosen[0]:
            st.session_state[key] = int(chosen[0][name])
