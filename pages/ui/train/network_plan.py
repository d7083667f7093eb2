"""A network before it is trained: its diagram, the cost of each layer, and its Keras source."""

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
from pages.ui.shared import figure, formatting

NUMBER_COLUMNS = {name: st.column_config.NumberColumn(format="localized") for name in ("parameters", "multiply-adds")}


def show_network_diagram(layers: tuple[Layer, ...], size: int, issues: Sequence[Issue]) -> None:
    """The diagram, with the layers that have an error marked. `size`: side of the input in pixels."""
    marked = {issue.position for issue in issues if issue.is_error}
    figure.show_svg(
        network_diagram.network_svg(layers, size, marked),
        "Network diagram",
        network_diagram.describe_network(layers, size),
        "network diagram",
        "network",
    )


def show_network_cost(rows: Sequence[LayerCost]) -> None:
    """The table of layers as far as they fit together: shape, parameters, multiply-adds and receptive field."""
    if not rows:
        st.caption("The costs appear once the first layer fits.")
        return
    table = [_cost_row(str(number), row) for number, row in enumerate(rows, 1)]
    table.append(_cost_row("", cost.total_cost(rows)))
    figure.show_table(
        table, "Cost and receptive field of each layer", "network cost", "cost", column_config=NUMBER_COLUMNS
    )


def _cost_row(number: str, row: LayerCost) -> dict[str, object]:
    return {
        "": number,
        "layer": row.layer,
        "output": format_shape(row.output_shape),
        "parameters": row.parameters,
        "MB": round(cost.megabytes(row.parameters), 3),
        "multiply-adds": row.multiply_adds,
        "receptive field": f"{row.receptive_field} × {row.receptive_field}",
        "stride in input pixels": str(row.stride or "–"),
    }


def show_keras_source(layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """The Python code that builds the network. `broken`: whether it has an error."""
    if broken:
        st.caption("There is no source code for a network that cannot be built. Fix its errors first.")
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


def network_rows(architecture: Architecture) -> list[dict[str, str]]:
    """A row for each layer: name, output shape, parameters."""
    return [
        {"layer": row.layer, "output shape": format_shape(row.output_shape), "parameters": f"{row.parameters:,}"}
        for row in architecture.summary()
    ]


def show_network_summary(architecture: Architecture) -> None:
    """An expander with the layers as they would be trained."""
    rows = network_rows(architecture)
    with st.expander(f"Network: {formatting.plural(len(rows), 'layer')}, {architecture.parameters:,} parameters"):
        st.table(formatting.escape_table(rows))
