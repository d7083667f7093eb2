"""Sharing a custom network: a link that contains it, and Keras JSON, exported and imported."""

from __future__ import annotations

from typing import IO

import streamlit as st

from mnist_core.errors import ArchitectureError
from mnist_core.networks import keras_json, keras_json_parser
from mnist_core.networks.layers import Layer
from pages.ui.shared import custom_network, feedback, guard, settings_link


def show_network_sharing(layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """The link, a download button, and a form to import a network.

    Args:
        layers: the network in the builder.
        size: side of its input in pixels.
        broken: whether it has an error.
    """
    if broken:
        st.caption("A network that cannot be built cannot be shared. Fix its errors first.")
    else:
        settings_link.show_settings_link()
        st.download_button(
            "Keras JSON",
            lambda: keras_json.to_keras_json(layers, size),
            "network.json",
            "application/json",
            key="network_json",
            on_click="ignore",
            icon=":material/download:",
        )
        st.caption("Build it with `keras.models.model_from_json(open('network.json').read())`.")
    with st.form("network_import", clear_on_submit=True, border=False):
        uploaded = st.file_uploader("A Sequential model as JSON, as `model.to_json()` returns it", ["json"])
        pressed = st.form_submit_button("Import")
    if pressed and uploaded is None:
        st.info("Choose a file first.")
    if pressed and uploaded is not None and guard.try_action(lambda: _import_network(uploaded, size), True):
        st.rerun()


def _import_network(file: IO[bytes], size: int) -> bool:
    """Loads a network from a file, also if its layers do not fit: the builder can fix that."""
    try:
        text = file.read(keras_json_parser.MAX_CHARACTERS + 1).decode("utf-8")
    except UnicodeDecodeError:
        raise ArchitectureError("The file is not text. Export one from Keras with `model.to_json()`.") from None
    network = keras_json_parser.parse_keras_json(text)
    custom_network.replace_layers(network.layers, 0)
    if network.input_size != size:
        feedback.confirm(
            f"This network was made for {network.input_size}×{network.input_size} pixels. Here it reads {size}×{size}.",
            ":material/info:",
        )
    return True
