"""The view "Epoch by epoch": prediction and activations for one image at moments of the training."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import growth as growth_charts
from mnist_core.charts.common import data_url
from mnist_core.explain import attribution, findings
from mnist_core.explain.gradient_client import SnapshotHistory
from mnist_core.explain.gradient_server import MAX_CHANNELS
from mnist_core.models.classifier import Prediction
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import format_shape
from mnist_core.runs.model_card import load_architecture
from mnist_core.runs.snapshots import BYTES_PER_WEIGHT, MAX_SNAPSHOTS, Moment, max_snapshots, snapshot_moments
from mnist_core.training import fine_tune
from mnist_core.wording import plural
from pages.ui.explain.gradient_spinner import gradient_spinner
from pages.ui.shared import analysis_caches, figure, formatting, prediction_view, state

Image = NDArray[np.uint8]

SKIPPED_LAYERS = ("Rescaling", "Flatten", "Dropout", "SpatialDropout2D")
"""Layers whose output looks like their input."""
ROUNDING = 1e-4
"""If ten probabilities sum to 1 within this tolerance, the model has no eleventh output."""
SECONDS_PER_MOMENT = 0.4
"""How long the animation shows a moment."""


def show_growth(choice: str, image: Image) -> None:
    """The view.

    Args:
        choice: of model_menu.select_model.
        image: (28, 28) uint8.
    """
    folder = fine_tune.model_folder(choice)
    if not snapshot_moments(folder):
        st.info(why_no_snapshots(choice))
        return
    network = load_architecture(folder)
    layer = layer_menu(network)
    with gradient_spinner("Reading the snapshots …"):
        history = analysis_caches.snapshot_history(folder / "snapshots", image, layer)
    index, playing = moment_menu(history)
    place = st.empty()
    if playing:
        play_animation(history, place)
    with place.container():
        show_moment(history, index, layer_titles(network)[layer])
    show_probability_curves(history, index)
    show_filters(history, network)
    if notes := sentences_on_gaps(history, network, layer):
        st.caption(" ".join(notes))


def why_no_snapshots(choice: str) -> str:
    """Why the view is empty for a model, and what to do."""
    if choice == fine_tune.SHIPPED_MODEL:
        return (
            "Digit Lab's own model comes without snapshots of its training. Train a run on the Train page and choose "
            "it here: every training saves snapshots."
        )
    return (
        "This run has no snapshots of its weights: it was imported, which leaves them out, or trained before Digit Lab "
        "saved any. Train it again to see how it learned."
    )


def layer_titles(network: Architecture) -> dict[int, str]:
    """Index -> title, of the layers worth showing."""
    return {
        index: f"layer {index + 1}: {row.layer}, {format_shape(row.output_shape)}"
        for index, row in enumerate(network.summary())
        if row.layer not in SKIPPED_LAYERS
    }


def layer_menu(network: Architecture) -> int:
    """A menu of layers. Preselects the end of the first convolution. Returns the index of the chosen layer."""
    titles = layer_titles(network)
    if st.session_state.get(state.GROWTH_LAYER) not in titles:
        first = next(iter(titles))
        st.session_state[state.GROWTH_LAYER] = attribution.block_end(network.layers, first)
    return int(st.selectbox("Layer", list(titles), format_func=titles.__getitem__, key=state.GROWTH_LAYER))


def moment_name(moment: Moment) -> str:
    """`before training`, `after 21 steps`, `after 1 epoch`."""
    if moment == Moment(0):
        return "before training"
    return f"after {plural(moment.step, 'step') if moment.step else plural(moment.epoch, 'epoch')}"


def moment_menu(history: SnapshotHistory) -> tuple[int, bool]:
    """A slider of moments and a button that plays them all. Returns the index of the snapshot, and True to play."""
    names = [*map(moment_name, history.moments)]  # strings: a slider takes a tuple for a range
    if len(names) == 1:
        return 0, False
    if st.session_state.get(state.GROWTH_MOMENT) not in names:
        st.session_state[state.GROWTH_MOMENT] = names[-1]
    slider, button = st.columns([4, 1], vertical_alignment="bottom")
    name = slider.select_slider("Trained so far", names, key=state.GROWTH_MOMENT)
    playing = button.button("Play", icon=":material/play_arrow:", on_click=_select_moment, args=(names[-1],))
    return names.index(name), playing


def _select_moment(name: str) -> None:
    """Callback: moves the slider; an animation ends at the last moment."""
    st.session_state[state.GROWTH_MOMENT] = name


def play_animation(history: SnapshotHistory, place: st.delta_generator.DeltaGenerator) -> None:
    """Shows all moments one after another in `place`. Any click ends it."""
    for index, moment in enumerate(history.moments):
        place.html(
            f'<div class="lab-note" role="status">{moment_name(moment)}</div>'
            '<div class="lab-answer"><div style="flex:2 1 16rem">'
            f"{prediction_view.bars_html(_prediction(history, index))}</div>"
            f'<img class="lab-picture" style="max-width:100%" alt="activations {moment_name(moment)}" '
            f'src="{data_url(activation_picture(history, index))}"></div>'
        )
        time.sleep(SECONDS_PER_MOMENT)


def activation_picture(history: SnapshotHistory, index: int) -> Image:
    """The activations at one moment, on a color scale that all moments share."""
    values = history.activations
    return growth_charts.activation_grid(
        values[index], min(0.0, float(values.min())), float(np.quantile(values, 0.999))
    )


def _prediction(history: SnapshotHistory, index: int) -> Prediction:
    """The prediction at one moment. The probability of "not a digit" is what the ten digits leave of 1."""
    probabilities = history.probabilities[index]
    missing = 1 - float(probabilities.sum())
    return Prediction(probabilities, missing if missing > ROUNDING else 0.0)


def show_moment(history: SnapshotHistory, index: int, layer: str) -> None:
    """Prediction and activations at one moment. `layer`: title of the layer."""
    when, reading = moment_name(history.moments[index]), _prediction(history, index)
    prediction, activations = st.columns([2, 3], gap="large")
    with prediction:
        st.markdown(
            f"##### {formatting.escape_markdown(f'Prediction {when}: {prediction_view.prediction_text(reading)}')}"
        )
        prediction_view.show_bars(reading)
    with activations:
        low, high = float(history.activations[index].min()), float(history.activations[index].max())
        figure.show_picture(
            activation_picture(history, index),
            f"Activations {when}, {layer}",
            f"Activations of {layer} {when}: from {low:.2f} to {high:.2f}.",
            "growth",
            "growth",
        )


def show_probability_curves(history: SnapshotHistory, index: int) -> None:
    """The probabilities of the ten digits during the training, with a mark at one moment."""
    if len(history.moments) == 1:
        return
    first, last, names = history.probabilities[0], history.probabilities[-1], [*map(moment_name, history.moments)]
    figure.show_chart(
        growth_charts.probability_curves(names, history.probabilities, index),
        "Prediction during training",
        f"The probabilities of the ten digits for this image at {len(names)} moments: {names[0]} "
        f"{int(first.argmax())} leads with {first.max():.0%}, at the end {int(last.argmax())} with {last.max():.0%}.",
        "predictions by epoch",
        "answers",
        finding=findings.growth(names, history.probabilities),
    )


def show_filters(history: SnapshotHistory, network: Architecture) -> None:
    """The filters of the first layer before and after training, if they can be shown as pictures."""
    before, after = history.before, history.after
    if not before.size or (before.ndim != 3 and len(before) != network.input_size**2):
        return
    figure.show_picture(
        growth_charts.filter_grid(before, after),
        "Filters of the first layer, before and after training",
        f"Filters of the first layer {moment_name(history.moments[0])}, above, and "
        f"{moment_name(history.moments[-1])}, below. "
        f"Their weights changed by {np.abs(after - before).mean():.3f} on average.",
        "filters",
        "filters",
    )


def sentences_on_gaps(history: SnapshotHistory, network: Architecture, layer: int) -> list[str]:
    """Which snapshots and channels are missing, and why. `layer`: index of the layer that is shown."""
    epochs = [moment.epoch for moment in history.moments if not moment.step]
    last = epochs[-1]
    notes = []
    if epochs[0]:
        notes.append("The first epochs were trained before Digit Lab saved snapshots.")
    if len(epochs) < last + 1 - epochs[0]:
        limit = max_snapshots(BYTES_PER_WEIGHT * network.parameters)
        reason = "" if limit == MAX_SNAPSHOTS else f" because the network is large ({network.parameters:,} weights)"
        kept = sum(epoch > 0 for epoch in epochs)
        notes.append(f"Of {last} epochs, {kept} have a snapshot: at most {limit} snapshots are kept{reason}.")
    channels = network.summary()[layer].output_shape[-1]
    if channels > MAX_CHANNELS:
        notes.append(f"Only the first {MAX_CHANNELS} of {channels:,} channels or units are shown.")
    return notes
