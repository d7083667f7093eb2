"""The steps of the guided tour, each on its page with everything set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from mnist_core.runs import examples
from pages.ui.shared import caches, canvas_edits, model_menu, settings_link, state, visitor

BRUSH = 12
"""Brush width of the small digit, in pixels."""

SMALL_THREE = [
    (48, 37),
    (60, 29),
    (74, 28),
    (88, 34),
    (96, 44),
    (96, 54),
    (89, 64),
    (75, 72),
    (92, 75),
    (100, 86),
    (99, 100),
    (88, 111),
    (71, 117),
    (54, 114),
    (43, 105),
]
"""A small 3 in the upper left corner of the canvas, (x, y) in pixels. Plain resize makes it unreadable."""


@dataclass(frozen=True)
class Step:
    """One step of the tour.

    Attributes:
        title: what the step is about.
        page: file of its page.
        prepare: sets the session state before the page runs, and returns query parameters for its address.
        text: returns one or two sentences, which may depend on the runs there are.
    """

    title: str
    page: str
    prepare: Callable[[], dict[str, str]]
    text: Callable[[], str]


def prepare_draw() -> dict[str, str]:
    """One digit."""
    _set_state({state.DRAW_KIND: "digit"})
    return {}


def prepare_misread() -> dict[str, str]:
    """The small digit with plain resize, for the shipped model."""
    _set_state(
        {
            state.DRAW_KIND: "digit",
            state.PLAIN: True,
            state.MODEL: model_menu.SHIPPED,
            state.SECOND_MODEL: model_menu.NO_MODEL,
        }
    )
    canvas_edits.put_strokes(state.CANVAS, [SMALL_THREE], BRUSH)
    return {}


def prepare_train() -> dict[str, str]:
    """The fastest recipe with few epochs, on the data that is already here."""
    settings_link.fill_from_link({"recipe": "fast", "epochs": "3", "data": caches.available_dataset()})
    return {}


def prepare_compare() -> dict[str, str]:
    """The two latest runs that have a model; example runs, if there are fewer."""
    if len(_latest_runs()) < 2:
        examples.copy_examples(visitor.owner_id())
        caches.clear_run_caches()
    st.session_state[state.COMPARED] = _latest_runs()
    return {}


def prepare_explain() -> dict[str, str]:
    """The drawing on the canvas, or the small digit if there is none."""
    st.session_state[state.EXPLAIN_SOURCE] = "draw"
    if not canvas_edits.drawn_objects(state.CANVAS):
        canvas_edits.put_strokes(state.CANVAS, [SMALL_THREE], BRUSH)
    return {}


def prepare_fine_tune() -> dict[str, str]:
    """The kept drawings."""
    st.session_state[state.DATA_VIEW] = "kept"
    return {"view": "kept"}


def _compare_text() -> str:
    compared = (
        "Two example runs of a small network differ in the learning rate"
        if all(model_menu.model_name(run_id).startswith(examples.NAME) for run_id in _latest_runs())
        else "The two latest runs are compared"
    )
    return f"{compared}. Scroll down to their curves and the settings that differ, and draw a digit for both models."


STEPS = (
    Step(
        "Draw",
        "pages/draw.py",
        prepare_draw,
        lambda: (
            "Draw a digit in the black square. While you draw, you see the prediction and the image that the model "
            "sees."
        ),
    ),
    Step(
        "Why other apps misread you",
        "pages/draw.py",
        prepare_misread,
        lambda: (
            "This small 3 is only shrunk to 28×28, as many apps do, and the model cannot read it. Turn off *Plain "
            "resize* below: prepared the way MNIST's digits were, it is recognized."
        ),
    ),
    Step(
        "Train",
        "pages/train.py",
        prepare_train,
        lambda: (
            "The fastest recipe is selected, with three epochs. Press *Train* and watch loss and accuracy. Then change "
            "one setting and train again."
        ),
    ),
    Step("Compare", "pages/runs.py", prepare_compare, _compare_text),
    Step(
        "Look inside",
        "pages/explain.py",
        prepare_explain,
        lambda: (
            "See what each layer of the network computes for your drawing, and why it predicts what it does. Change "
            "the drawing and watch."
        ),
    ),
    Step(
        "Fine-tune",
        "pages/data.py",
        prepare_fine_tune,
        lambda: (
            "If a prediction on the Draw page is wrong, correct it there, and the drawing is kept here. *Fine-tune* "
            "trains the model further on these drawings and shows what it learned and forgot."
        ),
    ),
)


def _set_state(values: dict[str, Any]) -> None:
    for key, value in values.items():
        st.session_state[key] = value


def _latest_runs() -> list[str]:
    """Ids of the two latest runs that have a model, the visitor's own first, or fewer."""
    return [choice for choice in model_menu.model_choices() if choice != model_menu.SHIPPED][:2]
