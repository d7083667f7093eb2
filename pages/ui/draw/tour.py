"""The guided tour: six steps through the app, each on its page with everything set up.

The step is kept in the session and in the address (`?tour=3`), so the tour can be left, resumed, and opened by a link.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from pages.ui.shared import caches, canvas_edits, model_menu, navigation, settings_link, state

ADDRESS = "tour"
"""The query parameter."""
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
    """One digit, with normalization."""
    _set_state({state.MODE: "digit", state.PLAIN: False})
    return {}


def prepare_misread() -> dict[str, str]:
    """The small digit with plain resize, for the shipped model."""
    _set_state(
        {
            state.MODE: "digit",
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
    """The two latest runs."""
    st.session_state[state.COMPARED] = _latest_runs()
    return {}


def prepare_explain() -> dict[str, str]:
    """The drawing on the canvas, or the small digit if there is none."""
    st.session_state[state.EXPLAIN_SOURCE] = "draw"
    if not (st.session_state.get(state.drawing_key(state.CANVAS)) or {}).get("objects"):
        canvas_edits.put_strokes(state.CANVAS, [SMALL_THREE], BRUSH)
    return {}


def prepare_fine_tune() -> dict[str, str]:
    """The kept drawings."""
    st.session_state[state.DATA_VIEW] = "kept"
    return {"view": "kept"}


def _compare_text() -> str:
    if len(_latest_runs()) < 2:
        return (
            "This step needs two trained runs. Go back and train twice, with one setting changed, or continue with "
            "the next step."
        )
    return (
        "Your two latest runs are compared: their curves, the settings that differ, and what each of them confuses. "
        "Select other runs in the table."
    )


STEPS = (
    Step(
        "Draw",
        "pages/draw.py",
        prepare_draw,
        lambda: (
            "Draw a digit in the black square. When you lift the pen, you see the prediction and the image that the "
            "model gets."
        ),
    ),
    Step(
        "Why other apps misread you",
        "pages/draw.py",
        prepare_misread,
        lambda: (
            "This small 3 is only shrunk to 28×28, as many apps do, and the model cannot read it. Switch *Plain "
            "resize* off below: prepared the way MNIST's digits were, it is recognized."
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
    """Ids of the two latest runs that have a model, or fewer."""
    return list(caches.model_cards(runs_dir()))[:2]


def show_tour(path: str) -> None:
    """Shows the current step above the page, or nothing outside the tour. `path`: of the page in the address."""
    number = st.session_state.get(state.TOUR_STEP)
    linked = _linked_step()
    if linked is not None and linked != number:
        go_to_step(linked)
    if number is None:
        return
    if "recipe" in st.query_params:  # the Train page takes every parameter of such an address for a setting
        st.query_params.pop(ADDRESS, None)
    else:
        st.query_params[ADDRESS] = str(number)
    _show_step(number, path)


def _linked_step() -> int | None:
    """The step that the address names. Anything else is removed from the address."""
    value = st.query_params.get(ADDRESS)
    if value is not None and value in map(str, range(1, len(STEPS) + 1)):
        return int(value)
    st.query_params.pop(ADDRESS, None)
    return None


def _show_step(number: int, path: str) -> None:
    """The text of a step, and buttons to move on, go back and leave."""
    step = STEPS[number - 1]
    is_last = number == len(STEPS)
    with st.container(border=True, key="tour"):
        st.markdown(f"**Guided tour, {number} of {len(STEPS)}: {step.title}.** {step.text()}")
        with st.container(horizontal=True):
            is_elsewhere = path != navigation.page_url_path(step.page)
            if is_elsewhere and st.button("Back to this step", key="tour_here", type="primary"):
                go_to_step(number)
            if not is_last and st.button("Next", key="tour_next", icon=":material/arrow_forward:"):
                go_to_step(number + 1)
            if number > 1 and st.button("Previous", key="tour_back", icon=":material/arrow_back:"):
                go_to_step(number - 1)
            st.button(
                "End the tour" if is_last else "Leave the tour", key="tour_leave", type="tertiary", on_click=leave_tour
            )


def go_to_step(number: int) -> None:
    """Prepares a step and opens its page."""
    step = STEPS[number - 1]
    parameters = step.prepare()
    st.session_state[state.TOUR_STEP] = number
    st.switch_page(step.page, query_params=parameters | {ADDRESS: str(number)})


def leave_tour() -> None:
    """Leaves the tour, and remembers the step unless it was the last."""
    number = st.session_state.pop(state.TOUR_STEP, None)
    st.session_state[state.TOUR_PAUSED_AT] = None if number == len(STEPS) else number
    st.query_params.pop(ADDRESS, None)


def show_tour_button() -> None:
    """A button that starts the tour, or resumes it. Hidden during the tour."""
    if st.session_state.get(state.TOUR_STEP) is not None:
        return
    paused_at = st.session_state.get(state.TOUR_PAUSED_AT)
    label = f"Resume the tour at step {paused_at}" if paused_at else "Take the tour"
    st.button(label, key="tour_begin", icon=":material/tour:", on_click=_link_to_step, args=(paused_at or 1,))


def _link_to_step(number: int) -> None:
    """Opens a step as a link does: before the page's widgets exist, since their values cannot be set afterwards."""
    st.query_params[ADDRESS] = str(number)
