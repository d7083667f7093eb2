"""The builder of one's own network, on the Train page: a list of layers, the chosen one's settings, what is wrong and
how it is mended. A change runs nothing but this part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from mnist_core.charts import network_diagram
from mnist_core.fields import Choice, Integer
from mnist_core.networks import cost, diagnose, edit
from mnist_core.networks.architecture import MAX_LAYERS
from mnist_core.networks.cost import LayerCost
from mnist_core.networks.diagnose import Fix, Issue
from mnist_core.networks.layers import LAYERS, Layer, format_shape
from pages.ui.shared import custom_network, formatting, guard, settings_form, state
from pages.ui.train import network_library, network_plan
from pages.ui.train.epoch_estimate import show_epoch_estimate

Layers = tuple[Layer, ...]

NONE = {"strides": "as the window", "activation": "none"}
"""Setting -> what it is called where it is None."""
TITLES = {"use_bias": "bias", "kernel_initializer": "initial weights"}
MOST_PROBLEMS = 6  # shown at once


def show_network_switch() -> None:
    """Whether the network of the recipe is trained, or one's own."""
    st.toggle(
        "Your own network",
        key=state.CUSTOM_NETWORK,
        help="Build the network yourself. The recipe then says only how it is "
        "trained. Start from the network of a recipe or a run.",
    )


def show_builder() -> None:
    """The builder, a part of the page that runs by itself."""
    guard.render_fragment(_show)


def _show() -> None:
    size, layers = settings_form.input_size(), custom_network.current_layers()
    rows, problems = cost.layer_costs(layers, size), diagnose.diagnose(layers, size)
    broken = any(problem.is_error for problem in problems)
    with st.container(border=True, key="builder"):
        st.caption(f"{summary(layers, rows)} It reads {size}×{size} pixels.")
        _above(layers)
        chosen, changed = st.columns([1.15, 1], gap="large")
        with chosen:
            place = _list(layers, rows, problems)
        with changed:
            _layer(layers, place)
            _problems(problems)
        show_epoch_estimate(None if broken else settings_form.form_settings())
        drawn, counted, source, kept, shared = st.tabs(["Diagram", "Cost", "Keras source", "Keep", "Share"])
        with drawn:
            network_plan.show_network_diagram(layers, size, problems)
        with counted:
            network_plan.show_network_cost(rows)
        with source:
            network_plan.show_keras_source(layers, size, broken)
        with kept:
            network_library.show_saved_networks(layers, size, broken)
        with shared:
            network_library.show_network_sharing(layers, size, broken)


def summary(layers: Layers, rows: Sequence[LayerCost]) -> str:
    """The network in a sentence of figures."""
    if not rows or len(rows) < len(layers):
        return f"{len(layers)} layers, which do not fit together yet."
    whole = cost.total_cost(rows)
    return (
        f"{len(layers)} layers, {whole.parameters:,} parameters ({cost.megabytes(whole.parameters):.2f} MB), "
        f"{cost.format_count(whole.multiply_adds)} multiply-adds an image."
    )


def _above(layers: Layers) -> None:
    """Where to start from, and the way back."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        network_library.show_starting_point()
        st.button(
            "Undo",
            key="own_undo",
            icon=":material/undo:",
            disabled=not custom_network.can_undo(),
            on_click=custom_network.undo,
        )


def _list(layers: Layers, rows: Sequence[LayerCost], problems: Sequence[Issue]) -> int:
    """The layers in order. Returns the index of the chosen one."""
    if not layers:
        _add(layers, 0)
        return 0
    place = min(st.session_state.get(state.SELECTED_LAYER) or 0, len(layers) - 1)
    st.session_state[state.SELECTED_LAYER] = place
    marks = {problem.position: problem for problem in reversed(problems)}  # errors come first, and stay
    labels = [_label(position, layer, rows, marks.get(position)) for position, layer in enumerate(layers, 1)]
    st.radio(
        "Layers, from the image to the answer",
        range(len(layers)),
        format_func=labels.__getitem__,
        key=state.SELECTED_LAYER,
    )
    with st.container(horizontal=True):
        _button("Up", "arrow_upward", place > 0, edit.move_layer(layers, place, -1), place - 1)
        _button("Down", "arrow_downward", place < len(layers) - 1, edit.move_layer(layers, place, 1), place + 1)
        full = len(layers) >= MAX_LAYERS
        _button("Duplicate", "content_copy", not full, edit.insert_layer(layers, place, layers[place]), place + 1)
        _button("Remove", "delete", True, edit.remove_layer(layers, place), place)
    _add(layers, place + 1)
    return place


def _label(position: int, layer: Layer, rows: Sequence[LayerCost], problem: Issue | None) -> str:
    """A layer in a line: what it is, what is set, what it makes of its input."""
    shape = format_shape(rows[position - 1].output_shape) if position <= len(rows) else "?"
    text = f"{position} **{type(layer).__name__}** {formatting.escape_markdown(network_diagram.describe_settings(layer))} → {shape}"
    if problem is None:
        return text
    return f":{'red' if problem.is_error else 'orange'}[:material/{'error' if problem.is_error else 'info'}:] {text}"


def _button(label: str, icon: str, possible: bool, changed: Layers, place: int) -> None:
    st.button(
        label,
        key=f"own_{label.lower()}",
        icon=f":material/{icon}:",
        disabled=not possible,
        on_click=custom_network.replace_layers,
        args=(changed, place),
    )


def _add(layers: Layers, index: int) -> None:
    """A menu of all kinds, and the button that puts one in."""

    def add() -> None:
        custom_network.replace_layers(
            edit.insert_layer(layers, index, edit.default_layer(st.session_state[state.NEW_LAYER])), index
        )

    st.session_state.setdefault(state.NEW_LAYER, "Conv2D")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("A layer to add after it", list(LAYERS), key=state.NEW_LAYER, width=260)
        st.button("Add", key="own_add", icon=":material/add:", on_click=add, disabled=len(layers) >= MAX_LAYERS)


def _layer(layers: Layers, place: int) -> None:
    """What can be set of the chosen layer."""
    if not layers:
        return
    layer = layers[place]
    kind = type(layer).__name__
    st.markdown(f"**Layer {place + 1}: {kind}.** {_about(layer)}")
    columns = st.columns(2)
    for number, (name, (rule, value)) in enumerate(edit.layer_settings(layer).items()):
        with columns[number % 2]:
            _setting(kind, name, rule, value, layers, place)


def _about(layer: Layer) -> str:
    """The first sentence of its docstring, where it has one of its own."""
    text = type(layer).__doc__ or ""
    return ABOUT.get(type(layer).__name__, "" if text.startswith(type(layer).__name__) else text)


ABOUT = {
    "Conv2D": "Slides small filters over the image; each makes a channel of where it fits.",
    "BatchNormalization": "Brings each channel to mean 0 and deviation 1 over the batch, then stretches as learned.",
    "Dropout": "Leaves out a random share of the values in each step of the training.",
    "Flatten": "Puts all pixels of all channels into one list.",
    "Dense": "Each unit adds up all inputs, each times a weight of its own.",
}


def _setting(kind: str, name: str, rule: Any, value: Any, layers: Layers, place: int) -> None:
    key = state.layer_setting_key(kind, name)
    st.session_state[key] = value

    def change() -> None:
        given = st.session_state[key]
        custom_network.replace_layers(
            edit.change_layer(layers, place, **{name: value if given is None and name not in NONE else given})
        )

    title = TITLES.get(name, name.replace("_", " "))
    if isinstance(rule, Choice) and set(rule.values) == {True, False}:
        st.toggle(title, key=key, on_change=change)
    elif isinstance(rule, Choice):
        st.selectbox(
            title,
            rule.values,
            key=key,
            on_change=change,
            format_func=lambda each: NONE.get(name, "none") if each is None else str(each),
        )
    elif isinstance(rule, Integer):
        st.number_input(title, rule.low, rule.high, step=1, key=key, on_change=change)
    else:
        st.session_state[key] = float(value)
        step = 0.001 if 0 < value < 0.05 else 0.05  # the scale of the pixels is 1/255
        st.number_input(title, float(rule.low), float(rule.high), step=step, format="%.4g", key=key, on_change=change)


def _problems(problems: Sequence[Issue]) -> None:
    """What is wrong, each with its mends as buttons."""
    for number, problem in enumerate(problems[:MOST_PROBLEMS]):
        where = f"Layer {problem.position}: " if problem.position else ""
        text = formatting.escape_markdown(f"{where}{problem.message}")
        (st.error if problem.is_error else st.info)(
            text, icon=":material/error:" if problem.is_error else ":material/info:"
        )
        with st.container(horizontal=True):
            for mend in problem.fixes:
                _mend(mend, problem, number)
    if len(problems) > MOST_PROBLEMS:
        st.caption(f"And {len(problems) - MOST_PROBLEMS} more.")


def _mend(mend: Fix, problem: Issue, number: int) -> None:
    place = problem.position - 1 if problem.position else None
    st.button(
        formatting.escape_markdown(mend.title),
        key=f"own_mend_{number}_{mend.title}",
        icon=":material/build:",
        on_click=custom_network.replace_layers,
        args=(mend.layers, place),
    )
