"""The layer view: what each block makes of the digit, the pipeline of a channel, and the arithmetic of one value."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.errors import ModelError, RunError
from mnist_core.explain import findings
from mnist_core.models.activations import layer_kind
from mnist_core.training.fine_tune import model_folder
from mnist_core.wording import plural
from pages.ui.explain.arithmetic import show_unit_arithmetic
from pages.ui.explain.pipeline import Part, show_pipeline
from pages.ui.shared import analysis_caches, chart_clicks, figure, formatting, layer_outputs, mode, state
from pages.ui.shared.layer_outputs import BlockOutput

MAX_CHART_PIXELS = 560
"""Width up to which a channel grows with its column: wider, its pixels would not be square."""


def show_layers(choice: str, image: NDArray[np.uint8]) -> None:
    """The view.

    Args:
        choice: of model_menu.select_model.
        image: (28, 28) uint8.
    """
    layers = layer_outputs.open_model_layers(choice, "convert_layers")
    if layers is None:
        return
    outputs = layer_outputs.image_outputs(layers, image)
    network = layer_outputs.matching_network(choice, outputs)
    blocks = layer_outputs.fold_outputs(outputs, network)
    block = chosen_block(blocks)
    layer_outputs.show_block_outputs(blocks, outputs, "wall", block, choose_block)
    st.subheader(formatting.escape_markdown(block.title))
    name = choose_part(block)
    place_in_details = st.container()
    place = choose_unit(name, outputs[name])
    try:
        weights = analysis_caches.model_weights(model_folder(choice) / "model.keras")
    except (ModelError, RunError) as error:
        st.info(f"The computation of single values cannot be shown. {formatting.escape_markdown(str(error))}")
        return
    if network is None:
        st.info("The computation of single values cannot be shown: the model card describes another network.")
        return
    first = layers.names.index(block.names[0])
    before = layers.layer_input(image[None], first)[0]
    end = block.names.index(name) + 1
    parts = [
        Part(network.layers[first + offset], weights[first + offset], outputs[each])
        for offset, each in enumerate(block.names)
    ]
    if len(place) == 3 and before.ndim == 3:
        with place_in_details:
            show_pipeline(parts, before, place)
    with st.expander("The arithmetic of this value", expanded=mode.is_expert()):
        show_unit_arithmetic(parts[:end], before, place)


def chosen_block(blocks: list[BlockOutput]) -> BlockOutput:
    """The block of the layer that was chosen last; at first the first convolution."""
    chosen = st.session_state.get(state.EXPLAINED_LAYER)
    block = next((block for block in blocks if chosen in block.names), None)
    if block is None:
        block = next((block for block in blocks if layer_kind(block.names[0]) == "Conv2D"), blocks[-1])
        choose_block(block)
    return block


def choose_block(block: BlockOutput) -> None:
    """Callback: opens a block at its last layer that does something; dropout acts only during training."""
    acting = [name for name in block.names if "Dropout" not in layer_kind(name)]
    st.session_state[state.EXPLAINED_LAYER] = (acting or block.names)[-1]


def choose_part(block: BlockOutput) -> str:
    """A menu of the layers of a block, if it has several. Returns the name of the chosen layer."""
    if len(block.names) == 1:
        return block.names[0]
    return str(
        st.segmented_control(
            "Parts",
            block.names,
            format_func=lambda name: formatting.escape_markdown(layer_outputs.layer_title(name)),
            key=state.EXPLAINED_LAYER,
            required=True,
            help="The layers of this block. The charts and the arithmetic go as far as the chosen one.",
        )
    )


def choose_unit(name: str, values: NDArray[np.float32]) -> tuple[int, ...]:
    """Charts of a layer in which a unit can be clicked. Returns (row, column, channel) of the unit, or (unit,)."""
    return choose_in_feature_maps(name, values) if values.ndim == 3 else choose_in_vector(name, values)


def choose_in_feature_maps(name: str, values: NDArray[np.float32]) -> tuple[int, int, int]:
    """All channels of a layer, one of them enlarged. Returns (row, column, channel) of the chosen unit.

    Args:
        name: of the layer.
        values: (H, W, C) float32, its activations.
    """
    rows, columns, channels = values.shape
    if state.EXPLAINED_ROW not in st.session_state:  # start at the largest activation
        peak = np.unravel_index(values.argmax(), values.shape)
        for key, index in zip(
            (state.EXPLAINED_ROW, state.EXPLAINED_COLUMN, state.EXPLAINED_CHANNEL), peak, strict=True
        ):
            st.session_state.setdefault(key, int(index))
    row = index_within(state.EXPLAINED_ROW, rows)
    column = index_within(state.EXPLAINED_COLUMN, columns)
    channel = index_within(state.EXPLAINED_CHANNEL, channels)
    thumbnails, enlarged = st.columns([1, 1], gap="large")
    with thumbnails, st.container(width=MAX_CHART_PIXELS):
        _show_thumbnails(name, values, channel)
        show_index_fields({"Channel": (state.EXPLAINED_CHANNEL, channels)})
    with enlarged, st.container(width=MAX_CHART_PIXELS):
        _show_enlarged(values, row, column, channel)
        show_index_fields({"Row": (state.EXPLAINED_ROW, rows), "Column": (state.EXPLAINED_COLUMN, columns)})
    return row, column, channel


def _show_thumbnails(name: str, values: NDArray[np.float32], channel: int) -> None:
    """The channels of a layer to click on; `channel` is the chosen one."""
    rows, columns, channels = values.shape
    strongest = int(values.max(axis=(0, 1)).argmax())
    shown = layer_charts.clickable_range(channels, channel)
    names = "All channels" if len(shown) == channels else f"Channels {shown[0]:,} to {shown[-1]:,}"
    key = chart_clicks.widget_key("channels", {"channel": channel})
    figure.show_chart(
        layer_charts.clickable_channels(values, channel),
        f"{names} of {layer_outputs.layer_title(name)}: click one",
        f"{plural(len(shown), 'small picture')} of {rows} by {columns}; channel {strongest} has the largest value, "
        f"{values.max():.3g}. Channel {channel} is chosen.",
        "channels",
        "channels",
        lambda: [
            {"channel": number, "largest": float(picture.max()), "mean": float(picture.mean())}
            for number, picture in enumerate(layer_charts.channel_images(values))
        ],
        partial(_choose_clicked, key, {"channel": state.EXPLAINED_CHANNEL}),
        finding=findings.channels(values),
        widget_key=key,
    )


def _show_enlarged(values: NDArray[np.float32], row: int, column: int, channel: int) -> None:
    """The chosen channel, enlarged, with the chosen unit."""
    rows, columns, _ = values.shape
    picture = values[..., channel]
    key = chart_clicks.widget_key("channel", {"row": row, "column": column})
    figure.show_chart(
        layer_charts.clickable_channel(picture, layer_charts.largest_magnitude(values), (row, column)),
        f"Channel {channel}: click a unit",
        f"{rows} by {columns} squares, from {picture.min():.3g} to {picture.max():.3g}. The one in row {row}, "
        f"column {column} is chosen: {picture[row, column]:.4g}.",
        "channel",
        "channel",
        on_select=partial(_choose_clicked, key, {"row": state.EXPLAINED_ROW, "column": state.EXPLAINED_COLUMN}),
        finding=findings.channel(picture),
        widget_key=key,
    )


def choose_in_vector(name: str, values: NDArray[np.float32]) -> tuple[int]:
    """A bar for each unit of a layer. Returns the chosen unit.

    Args:
        name: of the layer.
        values: (W,) float32, its activations.
    """
    unit = index_within(state.EXPLAINED_CHANNEL, len(values))
    key = chart_clicks.widget_key("units", {"unit": unit})
    figure.show_chart(
        layer_charts.clickable_bars(values.tolist(), "unit", "value", unit),
        f"Output of {layer_outputs.layer_title(name)}: click a unit",
        f"{plural(len(values), 'bar')}; the largest is unit {int(values.argmax())} with {values.max():.4g}. Unit "
        f"{unit} is chosen: {values[unit]:.4g}.",
        "units",
        "units",
        on_select=partial(_choose_clicked, key, {"unit": state.EXPLAINED_CHANNEL}),
        finding=findings.units(values),
        widget_key=key,
    )
    show_index_fields({"Unit": (state.EXPLAINED_CHANNEL, len(values))})
    return (unit,)


def index_within(key: str, size: int) -> int:
    """The index kept under a session key, limited to `size` - 1; the middle if there is none yet."""
    index = st.session_state.get(key)
    st.session_state[key] = min(index, size - 1) if isinstance(index, int) else size // 2
    return int(st.session_state[key])


def show_index_fields(fields: dict[str, tuple[str, int]]) -> None:
    """Number fields to choose without a mouse. `fields`: label -> session key, number of options."""
    for column, (label, (key, size)) in zip(st.columns(len(fields)), fields.items(), strict=True):
        column.number_input(f"{label} (0 to {size - 1:,})", 0, max(size - 1, 1), key=key, disabled=size == 1)


def _choose_clicked(chart: str, keys: dict[str, str]) -> None:
    """Callback: stores what was clicked in a chart. A click next to everything changes nothing.

    Args:
        chart: of chart_clicks.widget_key.
        keys: field of the clicked row -> session key.
    """
    row = chart_clicks.clicked_row(chart)
    st.session_state.update({key: int(row[field]) for field, key in keys.items() if field in row})
