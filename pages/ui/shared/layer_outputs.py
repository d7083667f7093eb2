"""The outputs of a model's layers for one image, folded into blocks, for the views of the Explain page."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.charts.common import encode_csv
from mnist_core.errors import ModelError, RunError
from mnist_core.explain.blocks import Block, fold_layers
from mnist_core.models.activations import ActivationModel, NoActivationsError, layer_kind
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import format_shape
from mnist_core.runs.model_card import load_architecture
from mnist_core.training import fine_tune, reconvert
from mnist_core.wording import plural
from pages.ui.shared import analysis_caches, figure, formatting, guard, model_menu

LayerOutputs = dict[str, NDArray[np.float32]]
"""Name of a layer -> its output for one image, (H, W, C) or (W,) float32."""


@dataclass(frozen=True, eq=False)
class BlockOutput:
    """What a block of layers makes of one image.

    Attributes:
        title: of the block, `Conv 32 · BN · ReLU`.
        names: of its layers, in order.
        values: output of the last of them, (H, W, C) or (W,) float32.
    """

    title: str
    names: tuple[str, ...]
    values: NDArray[np.float32]


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


def matching_network(choice: str, outputs: LayerOutputs) -> Architecture | None:
    """The network that a model's card describes; None if there is none or it is another one."""
    try:
        network = load_architecture(fine_tune.model_folder(choice))
    except (ModelError, RunError):
        return None
    return network if len(network.layers) == len(outputs) else None


def fold_outputs(outputs: LayerOutputs, network: Architecture | None) -> list[BlockOutput]:
    """Folds the layers into blocks; without a network, each layer is a block of its own."""
    names = list(outputs)
    if network is None:
        blocks: Sequence[Block] = [Block(layer_kind(name), index, index) for index, name in enumerate(names)]
    else:
        blocks = fold_layers(network.layers)
    return [
        BlockOutput(block.title, tuple(names[block.first : block.last + 1]), outputs[names[block.last]])
        for block in blocks
    ]


def layer_title(name: str) -> str:
    """`2 · Conv2D` for `002_Conv2D`."""
    return f"{int(name[:3])} · {layer_kind(name)}"


def show_block_outputs(
    blocks: Sequence[BlockOutput],
    outputs: LayerOutputs,
    key: str,
    chosen: BlockOutput | None = None,
    on_choose: Callable[[BlockOutput], None] | None = None,
) -> None:
    """The channels of every block as small images.

    Args:
        blocks: of fold_outputs.
        outputs: of all layers, for the CSV.
        key: prefix of the widgets' keys.
        chosen: the block that is marked.
        on_choose: callback of a click on a block; None if blocks cannot be clicked.
    """
    figure.show_title(
        "What each layer makes of the digit",
        "layer outputs",
        f"{key}_layers",
        lambda: encode_csv(_csv_rows(outputs)),
        "csv",
    )
    if on_choose is None:
        st.html(f'<div class="lab-layers">{"".join(_block_html(block, title=True) for block in blocks)}</div>')
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"{key}_blocks"):
        for number, block in enumerate(blocks):
            with st.container(key=f"{key}_clickable_{number}", width="content", gap=None):
                st.html(_block_html(block, title=False), width="content")
                st.button(
                    formatting.escape_markdown(block.title),
                    key=f"{key}_choose_{number}",
                    icon=":material/keyboard_arrow_down:" if block is chosen else None,
                    on_click=on_choose,
                    args=(block,),
                )


def _csv_rows(outputs: LayerOutputs) -> list[dict[str, object]]:
    return [
        {
            "layer": layer_title(name),
            "output": format_shape(values.shape),
            "smallest": float(values.min()),
            "mean": float(values.mean()),
            "largest": float(values.max()),
            "zero": f"{float((values == 0).mean()):.0%}",
        }
        for name, values in outputs.items()
    ]


def _block_html(block: BlockOutput, title: bool) -> str:
    """A `<figure>` of a block's channels. `title`: whether its caption names the block."""
    values = block.values
    grid, images = layer_charts.activation_grid(values), layer_charts.channel_images(values)
    channels = values.shape[-1] if values.ndim == 3 else 1
    shown = layer_charts.MAX_CHANNELS if values.ndim == 3 else layer_charts.MAX_UNITS
    note = f", the first {shown:,} shown" if values.shape[-1] > shown else ""
    active = int((images.max(axis=(1, 2)) > 0).sum())
    alt = (
        f"Layer {block.title}: {plural(channels, 'image')} {images.shape[2]} pixels wide, {active} of them with a "
        f"value above zero; values from {values.min():.2g} to {values.max():.2g}"
    )
    name = f"<b>{html.escape(block.title)}</b><br>" if title else ""
    return (
        f'<figure class="lab-figure"><img class="lab-picture" width="{grid.shape[1]}" alt="{html.escape(alt)}" '
        f'src="{layer_charts.fast_data_url(grid)}"><figcaption>{name}{format_shape(values.shape)}{note}</figcaption>'
        "</figure>"
    )
