"""The settings of the layer that is selected in the network builder."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.fields import Choice, Integer
from mnist_core.networks import edit
from mnist_core.networks.layers import Layer
from pages.ui.shared import custom_network, formatting, state

Layers = tuple[Layer, ...]

NONE_NAMES = {"strides": "same as the window", "activation": "none"}
"""Setting -> what the page calls its value None."""
TITLES = {"use_bias": "bias", "kernel_initializer": "initial weights"}
"""Setting -> its title, where that is not its name."""
DESCRIPTIONS = {
    "Conv2D": "Slides small filters over the image. The output has a channel for each filter.",
    "BatchNormalization": "Gives each channel mean 0 and standard deviation 1 over the batch, then rescales it.",
    "Dropout": "Drops a random share of the values in each training step.",
    "Flatten": "Puts all pixels of all channels into one list.",
    "Dense": "Each unit computes a weighted sum of all inputs.",
}
"""Layer type -> what it does, where its docstring does not say it."""


def show_layer_settings(layers: Layers, selected: int) -> None:
    """The type of the selected layer, what it does, and a widget for each of its settings."""
    if not layers:
        return
    layer = layers[selected]
    kind = type(layer).__name__
    st.markdown(f"**Layer {selected + 1}: {kind}.** {formatting.escape_markdown(_description(layer))}")
    columns = st.columns(2)
    for index, (name, (rule, value)) in enumerate(edit.layer_settings(layer).items()):
        with columns[index % 2]:
            _show_setting(kind, name, rule, value, layers, selected)


def _description(layer: Layer) -> str:
    kind, docstring = type(layer).__name__, type(layer).__doc__ or ""
    generated = docstring.startswith(kind)  # by dataclass, for a class without a docstring
    return DESCRIPTIONS.get(kind, "" if generated else docstring)


def _show_setting(kind: str, name: str, rule: Any, value: Any, layers: Layers, selected: int) -> None:
    """A widget for one setting, by the values that its rule allows.

    The value of a number is its default, too: what an emptied input goes back to.
    """
    key = state.layer_setting_key(kind, name)
    title = formatting.escape_markdown(TITLES.get(name, name.replace("_", " ")))
    st.session_state[key] = value

    def change_setting() -> None:
        custom_network.replace_layers(edit.change_layer(layers, selected, **{name: st.session_state[key]}))

    if isinstance(rule, Choice) and set(rule.values) == {True, False}:
        st.toggle(title, key=key, on_change=change_setting)
    elif isinstance(rule, Choice):
        none_name = NONE_NAMES.get(name, "none")
        st.selectbox(
            title,
            rule.values,
            key=key,
            on_change=change_setting,
            format_func=lambda choice: none_name if choice is None else str(choice),
        )
    elif isinstance(rule, Integer):
        st.number_input(title, rule.low, rule.high, value, step=1, key=key, on_change=change_setting)
    else:
        st.session_state[key] = current = float(value)
        step = 0.001 if 0 < value < 0.05 else 0.05  # the scale of the pixels is 1/255
        low, high = float(rule.low), float(rule.high)
        st.number_input(title, low, high, current, step=step, format="%.6g", key=key, on_change=change_setting)
