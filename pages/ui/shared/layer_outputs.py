"""The outputs of a model's layers for one image, for the views of the Explain page."""

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
"""Name of a layer -> its output for one image, (H, W, C) or (W,) float32."""


def open_model_layers(choice: str, key: str) -> ActivationModel | None:
    """Opens a model to inspect its layers. If its file gives only predictions, offers to convert it again.

    Args:
        choice: of model_menu.select_model.
        key: of the button, unique on the page.

    Returns:
        The model, or None if it has to be converted first.
    """
    try:
        return analysis_caches.model_layers(model_menu.model_path(choice))
    except NoActivationsError:
        st.info(
            "The file of this model gives predictions but no layer outputs: it was converted by an older version of "
            "Digit Lab or by another program. Its weights are there, so it can be converted again. Its predictions "
            "stay the same."
        )
        if st.button("Convert again", key=key):
            with st.spinner("Starting TensorFlow and converting the model. This takes about ten seconds …"):
                converted = guard.try_action(lambda: _convert(choice), True)
            if converted:
                st.rerun()
        return None


def _convert(choice: str) -> bool:
    reconvert.reconvert_in_process(choice)
    return True


def image_outputs(layers: ActivationModel, image: NDArray[np.uint8]) -> LayerOutputs:
    """The output of every layer for an image, (28, 28) uint8, ink bright."""
    return {name: values[0] for name, values in layers.outputs(image[None]).items()}


def layer_title(name: str) -> str:
    """`2 · Conv2D` for `002_Conv2D`."""
    return f"{int(name[:3])} · {layer_kind(name)}"


def show_layer_outputs(outputs: LayerOutputs, key: str) -> None:
    """The channels of every layer as small images.

    Args:
        outputs: of image_outputs.
        key: of the download button, unique on the page.
    """
    st.markdown("##### The output of each layer")
    images = "".join(_layer_html(name, values) for name, values in outputs.items())
    st.html(f'<div class="lab-layers">{images}</div>')
    with st.container(horizontal=True, vertical_alignment="center"):
        figure.show_guide("layer outputs")
        rows = [
            {
                "layer": layer_title(name),
                "output": format_shape(values.shape),
                "smallest": float(values.min()),
                "mean": float(values.mean()),
                "largest": float(values.max()),
                "zero": f"{100 * float((values == 0).mean()):.0f} %",
            }
            for name, values in outputs.items()
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


def _layer_html(name: str, values: NDArray[np.float32]) -> str:
    """A `<figure>` of one layer's channels."""
    grid, images = layer_charts.activation_grid(values), layer_charts.channel_images(values)
    shown, channels = layer_charts.MAX_CHANNELS, values.shape[-1] if values.ndim == 3 else 1
    note = f", the first {shown} shown" if channels > shown else ""
    active = int((images.max(axis=(1, 2)) > 0).sum())
    alt = (
        f"Layer {layer_title(name)}: {channels} images {images.shape[2]} pixels wide, {active} of them with a value "
        f"above zero; values from {values.min():.2g} to {values.max():.2g}"
    )
    caption = f"<figcaption><b>{html.escape(layer_title(name))}</b><br>{format_shape(values.shape)}{note}</figcaption>"
    return (
        f'<figure class="lab-figure"><img class="lab-picture" width="{grid.shape[1]}" alt="{html.escape(alt)}" '
        f'src="{layer_charts.fast_data_url(grid)}">{caption}</figure>'
    )
