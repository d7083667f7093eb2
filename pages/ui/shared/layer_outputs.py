"""Models that can be looked into: what several views of the Explain page share."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.charts.common import encode_csv
from mnist_core.models.activations import ActivationModel, NoActivationsError, layer_kind
from mnist_core.networks.layers import format_shape
from mnist_core.training import reconvert
from pages.ui.shared import analysis_caches, figure, guard, model_menu

LayerOutputs = dict[str, NDArray[np.float32]]
"""Name of a layer -> what it makes of one image, (H, W, C) or (W,) float32."""


def open_model_layers(choice: str, key: str) -> ActivationModel | None:
    """The model, to look into; None, with an offer to mend it, where its file gives answers only.

    Args:
        choice: of model_menu.select_model.
        key: of the button, one for the page.
    """
    try:
        return analysis_caches.model_layers(model_menu.model_path(choice))
    except NoActivationsError:
        st.info(
            "The file of this model gives answers, and not what its layers make of an image: an older version of "
            "Digit Lab converted it, or another program. Its weights are there, so it can be converted again; its "
            "answers stay the same."
        )
        if st.button("Convert it again", key=key):
            with st.spinner("TensorFlow starts in a process of its own and converts the model: about ten seconds …"):
                done = guard.try_action(lambda: [reconvert.reconvert_in_process(choice)], True)
            if done:
                st.rerun()
        return None


def image_outputs(layers: ActivationModel, image: NDArray[np.uint8]) -> LayerOutputs:
    """What every layer makes of a (28, 28) uint8 image."""
    return {name: values[0] for name, values in layers.outputs(image[None]).items()}


def layer_title(name: str) -> str:
    """`2 · Conv2D` of `002_Conv2D`."""
    return f"{int(name[:3])} · {layer_kind(name)}"


def show_layer_outputs(found: LayerOutputs, key: str) -> None:
    """Every layer's channels as small pictures, each layer in a frame of its own."""
    st.markdown("##### What each layer makes of the digit")
    st.html(f'<div class="lab-layers">{"".join(_figure(name, values) for name, values in found.items())}</div>')
    with st.container(horizontal=True, vertical_alignment="center"):
        figure.show_guide("layer wall")
        rows = [
            {
                "layer": layer_title(name),
                "output": format_shape(values.shape),
                "smallest": float(values.min()),
                "mean": float(values.mean()),
                "largest": float(values.max()),
                "zero": f"{100 * float((values == 0).mean()):.0f} %",
            }
            for name, values in found.items()
        ]
        st.download_button(
            "CSV",
            lambda: encode_csv(rows),
            "layers.csv",
            "text/csv",
            key=f"{key}_csv",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )


def _figure(name: str, values: NDArray[np.float32]) -> str:
    shown = layer_charts.activation_grid(values)
    most, channels = layer_charts.MAX_CHANNELS, values.shape[-1] if values.ndim == 3 else 1
    cut = f", the first {most} shown" if channels > most else ""
    lit = int((layer_charts.channel_images(values).max(axis=(1, 2)) > 0).sum())
    alt = (
        f"Layer {layer_title(name)}: {channels} pictures of {layer_charts.channel_images(values).shape[2]} columns, {lit} of "
        f"them with something above zero; values from {values.min():.2g} to {values.max():.2g}"
    )
    caption = f"<figcaption><b>{html.escape(layer_title(name))}</b><br>{format_shape(values.shape)}{cut}</figcaption>"
    return (
        f'<figure class="lab-figure"><img class="lab-picture" width="{shown.shape[1]}" alt="{html.escape(alt)}" '
        f'src="{layer_charts.fast_data_url(shown)}">{caption}</figure>'
    )
