"""A network on paper: its diagram, what each layer costs and sees, its Keras source."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_core.charts import network_diagram
from mnist_core.networks import cost
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.cost import LayerCost
from mnist_core.networks.diagnose import Issue
from mnist_core.networks.keras_model import keras_source
from mnist_core.networks.layers import Layer, format_shape
from pages.ui.shared import figure

COLUMNS = {name: st.column_config.NumberColumn(format="localized") for name in ("parameters", "multiply-adds")}


def show_network_diagram(layers: tuple[Layer, ...], size: int, problems: Sequence[Issue]) -> None:
    """Boxes to scale."""
    marked = {problem.position for problem in problems if problem.is_error}
    figure.show_svg(
        network_diagram.network_svg(layers, size, marked),
        "The network, box by box",
        network_diagram.describe_network(layers, size),
        "network diagram",
        "network",
    )


def show_network_cost(rows: Sequence[LayerCost]) -> None:
    """Shapes, parameters, multiply-adds and receptive field of each layer, as far as they fit together."""
    if not rows:
        st.caption("Nothing can be counted before the first layer fits.")
        return
    told = [_row(str(number), row) for number, row in enumerate(rows, 1)] + [_row("", cost.total_cost(rows))]
    figure.show_table(
        told, "What each layer costs, and how much of the image it sees", "network cost", "cost", column_config=COLUMNS
    )


def _row(number: str, row: LayerCost) -> dict[str, object]:
    seen = f"{row.receptive_field} × {row.receptive_field}"
    return {
        "": number,
        "layer": row.layer,
        "output": format_shape(row.output_shape),
        "parameters": row.parameters,
        "MB": round(cost.megabytes(row.parameters), 3),
        "multiply-adds": row.multiply_adds,
        "sees pixels": seen,
        "step in pixels": str(row.stride or "–"),
    }


def show_keras_source(layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """The lines of Python that build it."""
    if broken:
        st.caption("There is no source of a network that cannot be built: mend it first.")
        return
    text = f"import keras\nfrom keras import layers\n\n{keras_source(Architecture(layers, size))}"
    st.code(text, language="python")
    st.download_button(
        "PY",
        text,
        "network.py",
        "text/x-python",
        key="network_source",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def show_network_summary(architecture: Architecture) -> None:
    """The table of layers: name, output shape, parameters."""
    rows = [
        {"layer": row.layer, "output shape": format_shape(row.output_shape), "parameters": f"{row.parameters:,}"}
        for row in architecture.summary()
    ]
    with st.expander(f"Network: {len(rows)} layers, {architecture.parameters:,} parameters"):
        st.table(rows)
