"""The network builder on the Train page: the list of layers, the settings of the selected one, and the issues.

It is a fragment, so a change reruns nothing else on the page.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_core.charts import network_diagram
from mnist_core.networks import cost, diagnose, edit
from mnist_core.networks.architecture import MAX_LAYERS
from mnist_core.networks.cost import LayerCost
from mnist_core.networks.diagnose import Issue
from mnist_core.networks.layers import LAYERS, Layer, format_shape
from mnist_core.runs.run import Run
from pages.ui.shared import custom_network, formatting, guard, settings_form, state
from pages.ui.train import network_library, network_plan, network_sharing
from pages.ui.train.epoch_estimate import show_epoch_estimate
from pages.ui.train.issues import show_issues
from pages.ui.train.layer_settings import show_layer_settings

Layers = tuple[Layer, ...]


def show_network_switch() -> None:
    """Switches between the recipe's network and a custom one."""
    st.toggle(
        "Custom network",
        key=state.CUSTOM_NETWORK,
        help="Build your own network, starting from that of a recipe or a run. The recipe then only says how it is "
        "trained.",
    )


def select_stage(run: Run | None) -> str:
    """Shows a switch between the builder and a run. Returns `network` or `run`; without a run always `network`."""
    if run is None:
        return "network"
    st.session_state.setdefault(state.STAGE, "network")
    names = {"network": "Your network", "run": "Run"}
    return str(
        st.segmented_control(
            "Stage",
            list(names),
            format_func=names.__getitem__,
            key=state.STAGE,
            required=True,
            label_visibility="collapsed",
        )
    )


def show_builder() -> None:
    """The builder, for the custom network."""
    problem = settings_form.find_problem()
    guard.render_fragment(lambda: _show_builder(problem))


def _show_builder(problem: str) -> None:
    """The fragment. `problem`: why the network could not be trained when the page was drawn."""
    if problem != settings_form.find_problem():
        st.rerun()  # the whole page: the Train button and the problem above it are outside this fragment
    size, layers = settings_form.input_size(), custom_network.current_layers()
    rows, issues = cost.layer_costs(layers, size), diagnose.diagnose(layers, size)
    broken = any(issue.is_error for issue in issues)
    with st.container(border=True, key="builder"):
        st.caption(f"{describe_totals(layers, rows)} It reads {size:d}×{size:d} pixels.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            network_library.show_starting_point()
            st.button(
                "Undo",
                key="network_undo",
                icon=":material/undo:",
                disabled=not custom_network.can_undo(),
                on_click=custom_network.undo,
            )
        left, right = st.columns([1.15, 1], gap="large")
        with left:
            selected = show_layer_list(layers, rows, issues)
        with right:
            show_layer_settings(layers, selected)
            show_issues(issues)
        show_epoch_estimate(None if broken else settings_form.form_settings())
        diagram, costs, source, saved, sharing = st.tabs(["Diagram", "Cost", "Keras source", "Saved networks", "Share"])
        with diagram:
            network_plan.show_network_diagram(layers, size, issues)
        with costs:
            network_plan.show_network_cost(rows)
        with source:
            network_plan.show_keras_source(layers, size, broken)
        with saved:
            network_library.show_saved_networks(layers, size, broken)
        with sharing:
            network_sharing.show_network_sharing(layers, size, broken)


def describe_totals(layers: Layers, rows: Sequence[LayerCost]) -> str:
    """Number of layers, parameters and multiply-adds in a sentence. `rows`: the costs, as far as the layers fit."""
    if not rows or len(rows) < len(layers):
        return f"{formatting.plural(len(layers), 'layer')}, which do not fit together yet."
    total = cost.total_cost(rows)
    return (
        f"{formatting.plural(len(layers), 'layer')}, {total.parameters:,} parameters "
        f"({cost.megabytes(total.parameters):.2f} MB), {cost.format_count(total.multiply_adds)} multiply-adds per "
        "image."
    )


def show_layer_list(layers: Layers, rows: Sequence[LayerCost], issues: Sequence[Issue]) -> int:
    """The layers in order, and buttons to move, copy, remove and add one. Returns the index of the selected layer."""
    if not layers:
        _show_add_menu(layers, 0)
        return 0
    selected = min(st.session_state.get(state.SELECTED_LAYER) or 0, len(layers) - 1)
    st.session_state[state.SELECTED_LAYER] = selected
    first_issues = {issue.position: issue for issue in reversed(issues)}  # errors come first, so they remain
    labels = [
        _layer_label(position, layer, rows, first_issues.get(position)) for position, layer in enumerate(layers, 1)
    ]
    st.radio(
        "Layers, from input to output", range(len(layers)), format_func=labels.__getitem__, key=state.SELECTED_LAYER
    )
    with st.container(horizontal=True):
        is_last, is_full = selected == len(layers) - 1, len(layers) >= MAX_LAYERS
        _edit_button("Up", "arrow_upward", selected > 0, edit.move_layer(layers, selected, -1), selected - 1)
        _edit_button("Down", "arrow_downward", not is_last, edit.move_layer(layers, selected, 1), selected + 1)
        _edit_button(
            "Duplicate",
            "content_copy",
            not is_full,
            edit.insert_layer(layers, selected, layers[selected]),
            selected + 1,
        )
        _edit_button("Remove", "delete", True, edit.remove_layer(layers, selected), selected)
    _show_add_menu(layers, selected + 1)
    return selected


def _layer_label(position: int, layer: Layer, rows: Sequence[LayerCost], issue: Issue | None) -> str:
    """Markdown of a layer in one line: its type, settings and output shape, with an icon if it has an issue."""
    shape = format_shape(rows[position - 1].output_shape) if position <= len(rows) else "?"
    settings = formatting.escape_markdown(network_diagram.describe_settings(layer))
    text = f"{position} **{type(layer).__name__}** {settings} → {shape}"
    if issue is None:
        return text
    return f":red[:material/error:] {text}" if issue.is_error else f":orange[:material/info:] {text}"


def _edit_button(label: str, icon: str, enabled: bool, changed: Layers, selected: int) -> None:
    """A button that replaces the layers and selects one of them."""
    st.button(
        label,
        key=f"layer_{label.lower()}",
        icon=f":material/{icon}:",
        disabled=not enabled,
        on_click=custom_network.replace_layers,
        args=(changed, selected),
    )


def _show_add_menu(layers: Layers, index: int) -> None:
    """A menu of layer types, and a button that inserts one at `index`."""

    def add_layer() -> None:
        layer = edit.default_layer(st.session_state[state.NEW_LAYER])
        custom_network.replace_layers(edit.insert_layer(layers, index, layer), index)

    st.session_state.setdefault(state.NEW_LAYER, "Conv2D")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Layer to add below", list(LAYERS), key=state.NEW_LAYER, width=260)
        st.button("Add", key="layer_add", icon=":material/add:", on_click=add_layer, disabled=len(layers) >= MAX_LAYERS)
