"""The robustness view: accuracy of up to three models on distorted digits, measured step by step, and uncentered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.charts import evaluation as evaluation_charts
from mnist_core.charts.common import format_duration
from mnist_core.config import runs_dir
from mnist_core.evaluation import findings
from mnist_core.evaluation.metrics import wilson_interval
from mnist_core.evaluation.robustness import DISTORTIONS, PREPARATIONS, preparations_for
from pages.ui.evaluate.evaluated_model import EvaluatedModel
from pages.ui.shared import analysis_caches, caches, figure, model_menu, state, thumbnails

MAX_MODELS = 3
SLICE_SECONDS = 1.0
"""How long the page measures before it reruns, to draw the curves so far and to react to clicks."""

Step = tuple[str, str, float]
"""A model, a distortion, a level."""


@dataclass
class Measurement:
    """A measurement that is under way in this session.

    Attributes:
        distortions: of DISTORTIONS.
        started: seconds of the monotonic clock.
        done: number of steps measured so far.
    """

    distortions: list[str]
    started: float
    done: int = 0


def show_robustness(model: EvaluatedModel) -> None:
    """Menus of models and distortions, the accuracy curves of one distortion, and the test on uncentered digits."""
    if not model.on_mnist:
        st.caption("Robustness is measured on distorted MNIST test images, whichever images are chosen above.")
    choices = robustness_model_menu(model.choice)
    distortion = str(
        st.selectbox(
            "Distortion",
            list(DISTORTIONS),
            key=state.DISTORTION,
            format_func=lambda name: DISTORTIONS[name].title,
        )
    )
    show_distortion_levels(distortion)
    if not choices:
        st.info("Choose at least one model.")
        return
    measure_one, measure_all, progress = st.columns([1, 1, 2])
    measure_one.button(
        "Measure this one", type="primary", width="stretch", on_click=start_measuring, args=([distortion],)
    )
    measure_all.button(
        f"Measure all {len(DISTORTIONS)}", width="stretch", on_click=start_measuring, args=(list(DISTORTIONS),)
    )
    steps = remaining_steps(choices)
    if steps:
        with progress:
            show_measuring_progress(steps)
    show_robustness_curves(choices, distortion)
    show_uncentered_accuracy(choices)
    if steps:
        measure_slice(steps)


def robustness_model_menu(choice: str) -> list[str]:
    """A menu of up to three models. Preselects the shipped one and the best runs without and with augmentation.

    Args:
        choice: the model that the page evaluates; preselected if one of those is missing.
    """
    cards = caches.model_cards(runs_dir())
    options = model_menu.model_choices()
    cards = {option: cards[option] for option in options if option in cards}
    best_runs = {"without": _best_run(cards, augmented=False), "with": _best_run(cards, augmented=True)}
    if state.ROBUSTNESS_MODELS not in st.session_state:
        preselected = dict.fromkeys((model_menu.SHIPPED, *best_runs.values(), choice))
        st.session_state[state.ROBUSTNESS_MODELS] = [option for option in preselected if option][:MAX_MODELS]
    existing = [option for option in st.session_state[state.ROBUSTNESS_MODELS] if option in options]
    st.session_state[state.ROBUSTNESS_MODELS] = existing
    names = model_menu.distinct_names(options)
    choices = st.multiselect(
        f"Models (up to {MAX_MODELS})",
        options,
        key=state.ROBUSTNESS_MODELS,
        max_selections=MAX_MODELS,
        format_func=names.__getitem__,
    )
    for word, best_run in best_runs.items():
        if best_run is None:
            st.caption(f"No run {word} augmentation has a model yet. Train one to compare its curve.")
    return choices


def _best_run(cards: dict[str, dict[str, object]], augmented: bool) -> str | None:
    """The run with the highest validation accuracy among those trained with augmentation, or without."""
    accuracies, rows = dict[str, float](), caches.model_rows(runs_dir())
    for run_id, card in cards.items():
        row, settings = rows.get(run_id, {}), card.get("settings")
        accuracy = row.get("val_accuracy")
        if not isinstance(accuracy, float) or not isinstance(settings, dict):
            continue
        if (settings.get("augmentation", "none") != "none") == augmented:
            accuracies[run_id] = accuracy
    return max(accuracies, key=accuracies.__getitem__, default=None)


def show_distortion_levels(name: str) -> None:
    """One digit at every level of a distortion."""
    distortion, (images, _) = DISTORTIONS[name], analysis_caches.robustness_images(caches.available_dataset())
    examples = [(distortion.apply(images[:1], level)[0], f"{level:g}", "") for level in distortion.levels]
    thumbnails.show_strip(examples, 56)
    st.caption(f"In {distortion.unit}. {distortion.note}")


def missing_steps(choices: list[str], distortions: list[str]) -> list[Step]:
    """What has not been measured yet, level by level for all models."""
    return [
        (choice, name, level)
        for name in distortions
        for level in DISTORTIONS[name].levels
        for choice in choices
        if level not in _curve(choice, name)
    ]


def _curve(choice: str, name: str) -> dict[float, float]:
    """Level -> accuracy, as far as it has been measured in this session."""
    path = model_menu.model_path(choice)
    key = (choice, caches.modified_ns(path), caches.available_dataset(), name)
    curve: dict[float, float] = st.session_state.setdefault(state.ROBUSTNESS_CURVES, {}).setdefault(key, {})
    return curve


def start_measuring(distortions: list[str]) -> None:
    """Callback: measures what is missing of these distortions."""
    st.session_state[state.ROBUSTNESS_JOB] = Measurement(distortions, time.monotonic())


def stop_measuring() -> None:
    """Ends the measurement and keeps what has been measured."""
    st.session_state.pop(state.ROBUSTNESS_JOB, None)


def remaining_steps(choices: list[str]) -> list[Step]:
    """The steps left of the measurement that is under way. Ends it if there are none."""
    measurement = st.session_state.get(state.ROBUSTNESS_JOB)
    steps = missing_steps(choices, measurement.distortions) if measurement else []
    if not steps:
        stop_measuring()
    return steps


def show_measuring_progress(steps: list[Step]) -> None:
    """A stop button and a progress bar with the time left."""
    measurement: Measurement = st.session_state[state.ROBUSTNESS_JOB]
    st.button("Stop measuring", icon=":material/stop:", on_click=stop_measuring)
    _, name, _ = steps[0]
    total = measurement.done + len(steps)
    text = f"{DISTORTIONS[name].title}: {measurement.done:d} of {total:d}"
    if measurement.done:
        seconds_left = (time.monotonic() - measurement.started) / measurement.done * len(steps)
        text += f", about {format_duration(seconds_left)} left"
    st.progress(measurement.done / total, text)


def measure_slice(steps: list[Step]) -> None:
    """Measures for a second, then reruns: a click does not interrupt a fragment that is running."""
    measurement: Measurement = st.session_state[state.ROBUSTNESS_JOB]
    deadline = time.monotonic() + SLICE_SECONDS
    for choice, name, level in steps:
        accuracy = analysis_caches.robustness_accuracy(
            model_menu.model_path(choice), caches.available_dataset(), name, level
        )
        _curve(choice, name)[level] = accuracy
        measurement.done += 1
        if time.monotonic() > deadline:
            break
    st.rerun()


def show_robustness_curves(choices: list[str], name: str) -> None:
    """Accuracy by level of a distortion, a curve for each model, as far as measured."""
    names = model_menu.distinct_names(choices)
    measured = {names[choice]: _curve(choice, name) for choice in choices if _curve(choice, name)}
    if not measured:
        if state.ROBUSTNESS_JOB not in st.session_state:
            st.info("Not measured yet. One distortion takes a few seconds per model, all of them a minute or two.")
        return
    distortion, images = DISTORTIONS[name], len(analysis_caches.robustness_images(caches.available_dataset())[1])
    title = f"Accuracy by {distortion.title.lower()}"
    finding = findings.robustness(measured, distortion.unit)
    figure.show_chart(
        evaluation_charts.robustness_curves(measured, distortion.unit, distortion.levels, distortion.neutral),
        title,
        f"{title}. {finding}",
        "robustness",
        "robustness",
        finding=finding,
    )
    st.caption(f"Each point: {images:,} test images, equally many of each digit. Dashed line: undistorted images.")


def show_uncentered_accuracy(choices: list[str]) -> None:
    """Accuracy on digits at random places of a 56×56 field, for each way in which a model can take such a field."""
    st.markdown("##### Uncentered digits")
    st.write(
        "Lesson 08 places each digit at a random position in a field of 56×56 pixels. A model for 56×56 pixels gets "
        "the field as it is. For a model of 28×28 pixels the field is converted in two ways, and only one of them "
        "finds the digit."
    )
    pressed = st.button("Test on uncentered digits", type="primary")
    names = model_menu.distinct_names(choices)
    rows = [row for choice in choices for row in _uncentered_rows(choice, names[choice], measure=pressed)]
    if rows:
        figure.show_table(rows, "Accuracy on uncentered digits", "uncentered accuracy", "anywhere")


def _uncentered_rows(choice: str, model: str, measure: bool) -> list[dict[str, Any]]:
    """A row for each way of converting the field.

    Args:
        choice: of model_menu.select_model.
        model: its name.
        measure: False for only those that have been measured already.
    """
    path, data, rows = model_menu.model_path(choice), caches.available_dataset(), []
    for way in preparations_for(caches.classifier(path).input_size):
        curve = _curve(choice, way)
        if measure:
            curve[0] = analysis_caches.uncentered_accuracy(path, data, way)
        if not curve:
            continue
        images = len(analysis_caches.uncentered_images(data, way)[1])
        low, high = wilson_interval(int(np.rint(curve[0] * images)), images)
        rows.append(
            {
                "model": model,
                "input": PREPARATIONS[way][0],
                "accuracy": f"{curve[0]:.1%}",
                "95% interval": f"{100 * low:.1f} – {high:.1%}",
                "images": images,
            }
        )
    return rows
