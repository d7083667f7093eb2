"""Before and after training: a run's answer to one image, and what a layer makes of it, epoch by epoch."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import growth as growth_charts
from mnist_core.charts.common import data_url, format_percent
from mnist_core.explain import attribution
from mnist_core.explain.gradient_client import SnapshotHistory
from mnist_core.explain.gradient_server import MAX_CHANNELS, load_architecture
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import format_shape
from mnist_core.runs.snapshots import MOST, kept_of, snapshot_epochs
from mnist_core.training import fine_tune
from pages.ui.explain.attribution import STARTING
from pages.ui.shared import analysis_caches, components, figure, state

Image = NDArray[np.uint8]
DULL = ("Rescaling", "Flatten", "Dropout", "SpatialDropout2D")  # they change nothing that is worth a look
SECONDS = 0.6  # that each epoch is shown while it plays


def show_growth(choice: str, image: Image) -> None:
    """The view.

    Args:
        choice: of `components.model_menu`.
        image: (28, 28) uint8.
    """
    folder = fine_tune.model_folder(choice)
    if not snapshot_epochs(folder):
        st.info(_none(choice))
        return
    network = load_architecture(folder)
    layer = _layer_menu(network)
    with st.spinner("Reading the snapshots …" if analysis_caches.gradient_helper().ready else STARTING, show_time=True):
        found = analysis_caches.growth(folder, image, layer)
    at, playing = _moment_menu(found)
    place = st.empty()
    if playing:
        _play(found, place)
    with place.container():
        _moment(found, at, _layers(network)[layer])
    _answers(found, at)
    if found.before.size and (found.before.ndim == 3 or len(found.before) == network.input_size**2):
        figure.image(
            growth_charts.filter_grid(found.before, found.after),
            "Filters of the first layer, before and after training",
            f"Filters of the first layer at epoch {found.epochs[0]}, above, and at epoch {found.epochs[-1]}, below. "
            f"Their weights changed by {np.abs(found.after - found.before).mean():.3f} on the average.",
            "filters",
            "filters",
        )
    _notes(folder, found, network)


def _none(choice: str) -> str:
    """Why there is nothing to see."""
    if choice == fine_tune.SHIPPED_MODEL:
        return (
            "Digit Lab's own model comes trained, without snapshots of how it grew. Train one on the Train page, "
            "and choose it here: each training leaves them."
        )
    return (
        "This run has no snapshots of its weights: it was trained before Digit Lab left any, or it came as a zip, "
        "in which they do not travel. Train it again, and you can watch it grow."
    )


def _layers(network: Architecture) -> dict[int, str]:
    rows = enumerate(network.summary())
    return {
        index: f"layer {index + 1}: {row.layer}, {format_shape(row.output_shape)}"
        for index, row in rows
        if row.layer not in DULL
    }


def _layer_menu(network: Architecture) -> int:
    names = _layers(network)
    if st.session_state.get(state.GROWTH_LAYER) not in names:
        first = next(iter(names))
        st.session_state[state.GROWTH_LAYER] = attribution.block_end(network.layers, first)
    return int(st.selectbox("Layer", list(names), format_func=names.__getitem__, key=state.GROWTH_LAYER))


def _moment_menu(found: SnapshotHistory) -> tuple[int, bool]:
    """The slider: the index of the snapshot to show. And whether the button was pressed that moves through all."""
    if len(found.epochs) == 1:
        return 0, False
    if st.session_state.get(state.GROWTH_EPOCH) not in found.epochs:
        st.session_state[state.GROWTH_EPOCH] = found.epochs[-1]
    slider, button = st.columns([4, 1], vertical_alignment="bottom")
    chosen = slider.select_slider("Epochs trained", found.epochs, key=state.GROWTH_EPOCH)
    playing = button.button("Play", icon=":material/play_arrow:", on_click=_to_the_end, args=(found.epochs[-1],))
    return found.epochs.index(int(chosen)), playing


def _to_the_end(last: int) -> None:
    """It ends where the training did."""
    st.session_state[state.GROWTH_EPOCH] = last


def _play(found: SnapshotHistory, place: st.delta_generator.DeltaGenerator) -> None:
    """All moments, one after the other, where the one of the slider stands afterwards. Any click ends it."""
    for at, epoch in enumerate(found.epochs):
        pixels = _picture(found, at)
        place.html(
            f'<div class="lab-note" role="status">after {epoch} of {found.epochs[-1]} epochs</div>'
            '<div class="lab-answer"><div style="flex:2 1 16rem">'
            f"{components.bars(found.probabilities[at])}</div>"
            f'<img class="lab-picture" style="max-width:100%" alt="activations after {epoch} epochs" '
            f'src="{data_url(pixels)}"></div>'
        )
        time.sleep(SECONDS)


def _picture(found: SnapshotHistory, at: int) -> Image:
    """The activations of one moment, on a scale that all moments share."""
    values = found.activations
    return growth_charts.activation_grid(values[at], min(0.0, float(values.min())), float(np.quantile(values, 0.999)))


def _moment(found: SnapshotHistory, at: int, layer: str) -> None:
    epoch, row = found.epochs[at], found.probabilities[at]
    digit = int(row.argmax())
    when = "before its first step" if epoch == 0 else f"after {epoch} epoch{'s' if epoch > 1 else ''}"
    answer, wall = st.columns([2, 3], gap="large")
    with answer:
        st.markdown(f"##### Its answer {when}: {digit}, {format_percent(float(row[digit]))}")
        st.html(components.bars(row))
    with wall:
        low, high = float(found.activations[at].min()), float(found.activations[at].max())
        alt = f"Activations of {layer} {when}: from {low:.2f} to {high:.2f}."
        figure.image(_picture(found, at), f"Activations {when}, {layer}", alt, "growth", "growth")


def _answers(found: SnapshotHistory, at: int) -> None:
    if len(found.epochs) == 1:
        return
    first, last, epochs = found.probabilities[0], found.probabilities[-1], found.epochs
    figure.chart(
        growth_charts.probability_curves(found.epochs, found.probabilities, epochs[at]),
        "Its answer, epoch by epoch",
        f"The probabilities of the ten digits for this image over {epochs[-1]} epochs: at epoch {epochs[0]} "
        f"{int(first.argmax())} leads with {first.max():.0%}, in the end "
        f"{int(last.argmax())} with {last.max():.0%}.",
        "answers by epoch",
        "answers",
    )


def _notes(folder: Path, found: SnapshotHistory, network: Architecture) -> None:
    kept, epochs = len(found.epochs), found.epochs[-1]
    notes = []
    if found.epochs[0]:
        notes.append("Its first epochs were trained before Digit Lab left snapshots.")
    if kept < epochs + 1 - found.epochs[0]:
        most = kept_of(network.parameters)
        why = "" if most == MOST else f", since a network of {network.parameters:,} weights is large"
        notes.append(f"Kept are {kept} moments of {epochs} epochs: at most {most}{why}.")
    if found.activations.shape[-1] == MAX_CHANNELS:
        notes.append(f"At most {MAX_CHANNELS} channels or units are shown.")
    if notes:
        st.caption(" ".join(notes))
