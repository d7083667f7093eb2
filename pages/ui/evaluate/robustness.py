"""How much of a digit may be spoilt before models misread it: curves of up to three models, measured step by step."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.charts import evaluation as charts
from mnist_core.charts.common import format_duration
from mnist_core.config import runs_dir
from mnist_core.evaluation.metrics import wilson_interval
from mnist_core.evaluation.robustness import DISTORTIONS, WAYS, ways
from pages.ui.evaluate.evaluated import Measured
from pages.ui.shared import analysis_caches, caches, components, figure, state

MOST = 3
SLICE = 1.0  # seconds of measuring between two looks at what was clicked
Step = tuple[str, str, float]
"""A model, a distortion, a level."""


def show_robustness(found: Measured) -> None:
    """Menus, the curves of one distortion, and the uncentered test."""
    if not found.of_mnist:
        st.caption("Only MNIST's test images are spoilt: what follows is measured on these.")
    chosen = models(found.choice)
    name = str(
        st.selectbox(
            "What is done to the digits",
            list(DISTORTIONS),
            key=state.DISTORTION,
            format_func=lambda each: DISTORTIONS[each].title,
        )
    )
    examples(name)
    if not chosen:
        st.info("Choose a model or more.")
        return
    one, everything, going = st.columns([1, 1, 2])
    one.button("Measure this", type="primary", width="stretch", on_click=begin, args=([name],))
    everything.button("Measure all nine", width="stretch", on_click=begin, args=(list(DISTORTIONS),))
    steps = wanted(chosen)
    if steps:
        with going:
            progress(steps)
    curves(chosen, name)
    anywhere(chosen)
    if steps:
        measure(steps)


def models(choice: str) -> list[str]:
    """The menu of up to three. At first: the shipped one, the best without and the best with augmentation."""
    cards = caches.models(runs_dir())
    options = [components.SHIPPED, *cards]
    if state.SPOILT_MODELS not in st.session_state:
        proposed = dict.fromkeys((components.SHIPPED, _best(cards, False), _best(cards, True), choice))
        st.session_state[state.SPOILT_MODELS] = [each for each in proposed if each][:MOST]
    kept = [each for each in st.session_state[state.SPOILT_MODELS] if each in options]
    st.session_state[state.SPOILT_MODELS] = kept
    names = {option: components.model_name(option) for option in options}
    chosen = st.multiselect(
        f"Models, up to {MOST}", options, key=state.SPOILT_MODELS, max_selections=MOST, format_func=names.__getitem__
    )
    for augmented, word in ((False, "without"), (True, "with")):
        if _best(cards, augmented) is None:
            st.caption(f"No run {word} augmentation has a model yet: train one, and its curve can stand beside these.")
    return chosen


def _best(cards: dict[str, dict[str, object]], augmented: bool) -> str | None:
    """The run of the highest test accuracy that trained with augmentation, or without."""
    found = {
        run: card["test_accuracy"]
        for run, card in cards.items()
        if isinstance(card.get("test_accuracy"), float)
        and isinstance(settings := card.get("settings"), dict)
        and (settings.get("augmentation", "none") != "none") == augmented
    }
    return max(found, key=lambda run: found[run], default=None)


def examples(name: str) -> None:
    """One digit at each level."""
    how, (images, _) = DISTORTIONS[name], analysis_caches.spoilable(caches.at_hand())
    shown = [(how.apply(images[:1], level)[0], f"{level:g}", "") for level in how.levels]
    components.strip(shown, 56)
    st.caption(f"In {how.unit}. {how.note}")


def missing(chosen: list[str], names: list[str]) -> list[Step]:
    """What is still to be measured, all models level by level."""
    return [
        (choice, name, level)
        for name in names
        for level in DISTORTIONS[name].levels
        for choice in chosen
        if level not in _curve(choice, name)
    ]


def _curve(choice: str, name: str) -> dict[float, float]:
    """Level -> accuracy, as far as it has been measured in this session."""
    path = components.model_path(choice)
    key = (choice, path.stat().st_mtime_ns if path.exists() else 0, caches.at_hand(), name)
    found: dict[float, float] = st.session_state.setdefault(state.CURVES, {}).setdefault(key, {})
    return found


@dataclass
class Measuring:
    """What is being measured in this session, until it is done or stopped.

    Attributes:
        names: of DISTORTIONS.
        begun: when, in seconds of the monotonic clock.
        done: steps so far.
    """

    names: list[str]
    begun: float
    done: int = 0


def begin(names: list[str]) -> None:
    """Of these distortions what is missing shall be measured."""
    st.session_state[state.MEASURING] = Measuring(names, time.monotonic())


def end() -> None:
    """No more shall be; what there is is kept."""
    st.session_state.pop(state.MEASURING, None)


def wanted(chosen: list[str]) -> list[Step]:
    """What is still to be measured; none where nothing is being measured."""
    going = st.session_state.get(state.MEASURING)
    steps = missing(chosen, going.names) if going else []
    if not steps:
        end()
    return steps


def progress(steps: list[Step]) -> None:
    """A bar, the time left, and a button to stop."""
    going: Measuring = st.session_state[state.MEASURING]
    st.button("Stop measuring", icon=":material/stop:", on_click=end)
    _, name, _ = steps[0]
    told = f"{DISTORTIONS[name].title}: {going.done} of {going.done + len(steps)}"
    if going.done:
        left = (time.monotonic() - going.begun) / going.done * len(steps)
        told += f", about {format_duration(left)} left"
    st.progress(going.done / (going.done + len(steps)), told)


def measure(steps: list[Step]) -> None:
    """A slice of the steps; then the page runs again, which draws what there is and hears what was clicked meanwhile:
    a click does not interrupt a fragment that runs."""
    going: Measuring = st.session_state[state.MEASURING]
    until = time.monotonic() + SLICE
    for choice, name, level in steps:
        _curve(choice, name)[level] = analysis_caches.robust(
            components.model_path(choice), caches.at_hand(), name, level
        )
        going.done += 1
        if time.monotonic() > until:
            break
    st.rerun()


def curves(chosen: list[str], name: str) -> None:
    """The chart, as far as it has been measured."""
    told = {components.model_name(choice): _curve(choice, name) for choice in chosen}
    told = {model: curve for model, curve in told.items() if curve}
    how, count = DISTORTIONS[name], len(analysis_caches.spoilable(caches.at_hand())[1])
    if not told:
        if state.MEASURING not in st.session_state:
            st.info("Not measured yet. *Measure this* takes seconds a model, *all nine* a minute or two.")
        return
    worst = {model: min(curve, key=lambda level: curve[level]) for model, curve in told.items()}
    alt = f"Accuracy against {how.title.lower()}. Lowest: " + ", ".join(
        f"{model} {100 * told[model][level]:.1f} % at {level:g} {how.unit}" for model, level in worst.items()
    )
    chart = charts.robustness_curves(told, how.unit, how.levels, how.neutral)
    figure.chart(chart, f"Accuracy against {how.title.lower()}", alt, "robustness", "robustness")
    st.caption(f"Each point: {count:,} test images, as many of each digit. The dashed rule: nothing is changed.")


def anywhere(chosen: list[str]) -> None:
    """The uncentered test of Lesson 08, by each way in which a model can take it."""
    st.markdown("##### Digits placed anywhere")
    st.write(
        "Lesson 08 places each digit at random in a field of 56×56 pixels. A model made for such fields takes them as "
        "they are. For one of 28×28 they are brought to its size in two ways, and only one of them finds the digit."
    )
    pressed = st.button("Place them anywhere", type="primary")
    rows = [row for choice in chosen for row in _rows(choice, pressed)]
    if rows:
        figure.table(rows, "Accuracy on digits placed anywhere", "placed anywhere", "anywhere")


def _rows(choice: str, measured: bool) -> list[dict[str, Any]]:
    """One for each way, of those that have been measured; all of them where they are to be."""
    path, data, rows = components.model_path(choice), caches.at_hand(), []
    for way in ways(caches.classifier(path).input_size):
        known = _curve(choice, way)
        if measured:
            known[0] = analysis_caches.anywhere(path, data, way)
        if known:
            count = len(analysis_caches.placed_anywhere(data, way)[1])
            low, high = wilson_interval(int(np.rint(known[0] * count)), count)
            rows.append(
                {
                    "model": components.model_name(choice),
                    "sees": WAYS[way][0],
                    "accuracy": f"{100 * known[0]:.1f} %",
                    "95 % interval": f"{100 * low:.1f} – {100 * high:.1f} %",
                    "images": count,
                }
            )
    return rows
