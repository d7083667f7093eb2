"""The guided tour: six steps through the app, each on the right page in the right state. Its step stands in the session
and in the address, `?tour=3`: it can be left and taken up again at any time, and by a link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from pages.ui.shared import caches, model_menu, navigation, settings_link, state, theme

ADDRESS = "tour"
BRUSH = 12  # pixels, of the small digit

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
"""A 3 in the upper left corner of the canvas, as the pen went: x, y in pixels. Merely shrunk to 28×28 it is lost."""


@dataclass(frozen=True)
class Step:
    """One stop.

    Attributes:
        title: what is done there.
        page: the file of its page.
        prepare: brings the session into the right state before the page runs; gives what the address is to name.
        text: one or two sentences, asked for anew at each look.
    """

    title: str
    page: str
    prepare: Callable[[], dict[str, str]]
    text: Callable[[], str]


def draw() -> dict[str, str]:
    """One digit, read as the app reads."""
    _set({state.MODE: "digit", state.PLAIN: False})
    return {}


def misread() -> dict[str, str]:
    """A small digit in a corner, merely shrunk, read by the shipped model."""
    _set(
        {
            state.MODE: "digit",
            state.PLAIN: True,
            state.MODEL: model_menu.SHIPPED,
            state.SECOND_MODEL: model_menu.NO_MODEL,
        }
    )
    bring_up(SMALL_THREE)
    return {}


def train() -> dict[str, str]:
    """The quickest recipe, few epochs, on the images at hand."""
    settings_link.fill_from_link({"recipe": "fast", "epochs": "3", "data": caches.available_dataset()})
    return {}


def compare() -> dict[str, str]:
    """The two latest runs, laid over one another."""
    st.session_state[state.COMPARED] = _latest()
    return {}


def inside() -> dict[str, str]:
    """The drawing on the canvas; where there is none, the small digit."""
    st.session_state[state.EXPLAIN_SOURCE] = "draw"
    if not (st.session_state.get(state.drawing_key(state.CANVAS)) or {}).get("objects"):
        bring_up(SMALL_THREE)
    return {}


def teach() -> dict[str, str]:
    """The kept drawings."""
    st.session_state[state.DATA_VIEW] = "kept"
    return {"view": "kept"}


def _compare_text() -> str:
    if len(_latest()) < 2:
        return (
            "Two trained runs are needed here, and there are not two yet: go back, train twice with a change between, "
            "and come again. Or go on."
        )
    return (
        "The two latest runs lie over one another: curves, the settings that differ, what each confuses. Tick others "
        "in the table."
    )


STEPS = (
    Step(
        "Draw",
        "pages/draw.py",
        draw,
        lambda: (
            "Draw a digit in the black square. The answer comes when you lift the pen, with the image that the model "
            "sees."
        ),
    ),
    Step(
        "Why other apps misread you",
        "pages/draw.py",
        misread,
        lambda: (
            "This small 3 is merely shrunk to 28×28, as many apps do, and the model makes nothing of it. Below it, "
            "switch *Plain resize* off: treated as MNIST's makers treated theirs, it is read at once."
        ),
    ),
    Step(
        "Train",
        "pages/train.py",
        train,
        lambda: (
            "The quickest recipe and three epochs are set. Press *Train* and watch loss and accuracy move. Then change "
            "one "
            "thing and train again."
        ),
    ),
    Step("Compare", "pages/runs.py", compare, _compare_text),
    Step(
        "Look inside",
        "pages/explain.py",
        inside,
        lambda: (
            "What the layers of the network make of your drawing, and why it answers as it does. Change the drawing "
            "and "
            "watch."
        ),
    ),
    Step(
        "Teach",
        "pages/data.py",
        teach,
        lambda: (
            "Where the model was wrong, say so under its answer on the Draw page: the drawing is kept here. *Teach* "
            "makes "
            "a model that has learned it, and shows what it forgot."
        ),
    ),
)


def _set(values: dict[str, Any]) -> None:
    for key, value in values.items():
        st.session_state[key] = value


def _latest() -> list[str]:
    """Ids of the two latest runs that have a model, or fewer."""
    return list(caches.model_cards(runs_dir()))[:2]


def bring_up(points: list[tuple[int, int]]) -> None:
    """Puts a stroke on the Draw page's canvas: a new canvas, since one that is shown cannot be told to change."""
    (x, y), *rest = points
    stroke = {
        "type": "path",
        "version": "4.4.0",
        "path": [["M", x, y], *(["L", *point] for point in rest)],
        "fill": None,
        "stroke": theme.CANVAS_INK,
        "strokeWidth": BRUSH,
        "strokeLineCap": "round",
        "strokeLineJoin": "round",
    }
    drawing = {"version": "4.4.0", "objects": [stroke], "background": theme.CANVAS_PAPER}
    count = st.session_state.get(state.clear_count_key(state.CANVAS), 0)
    _set(
        {
            state.clear_count_key(state.CANVAS): count + 1,
            state.drawing_key(state.CANVAS): drawing,
            state.initial_drawing_key(state.CANVAS): drawing,
        }
    )


def show_tour(path: str) -> None:
    """Above each page while the tour goes on, and nothing else.

    Args:
        path: of the page in the address.
    """
    number = st.session_state.get(state.TOUR_STEP)
    linked = _linked()
    if linked is not None and linked != number:
        go(linked)
    if number is None:
        return
    if "recipe" in st.query_params:  # the Train page takes all of such an address for settings
        st.query_params.pop(ADDRESS, None)
    else:
        st.query_params[ADDRESS] = str(number)
    show(number, path)


def _linked() -> int | None:
    """The step that the address names; what is no step is taken out of it."""
    named = st.query_params.get(ADDRESS)
    if named in map(str, range(1, len(STEPS) + 1)):
        return int(named)
    st.query_params.pop(ADDRESS, None)
    return None


def show(number: int, path: str) -> None:
    """What to do at a step, and the ways on, back and out."""
    step = STEPS[number - 1]
    with st.container(border=True, key="tour"):
        st.markdown(f"**Guided tour, {number} of {len(STEPS)}: {step.title}.** {step.text()}")
        with st.container(horizontal=True):
            if path != navigation.page_url_path(step.page) and st.button(
                "To this step", key="tour_here", type="primary"
            ):
                go(number)
            if number < len(STEPS) and st.button("Next", key="tour_next", icon=":material/arrow_forward:"):
                go(number + 1)
            if number > 1 and st.button("Back", key="tour_back", icon=":material/arrow_back:"):
                go(number - 1)
            last = number == len(STEPS)
            st.button("End the tour" if last else "Leave", key="tour_leave", type="tertiary", on_click=leave)


def go(number: int) -> None:
    """To a step: its state, then its page."""
    step = STEPS[number - 1]
    address = step.prepare()
    st.session_state[state.TOUR_STEP] = number
    st.switch_page(step.page, query_params=address | {ADDRESS: str(number)})


def leave() -> None:
    """Where it was left is remembered, unless that was its end."""
    number = st.session_state.pop(state.TOUR_STEP, None)
    st.session_state[state.TOUR_PAUSED_AT] = None if number == len(STEPS) else number
    st.query_params.pop(ADDRESS, None)


def show_tour_button() -> None:
    """A button that begins the tour, or takes it up where it was left."""
    if st.session_state.get(state.TOUR_STEP) is not None:
        return
    left = st.session_state.get(state.TOUR_PAUSED_AT)
    label = f"Go on with the tour at step {left}" if left else "Take the tour"
    st.button(label, key="tour_begin", icon=":material/tour:", on_click=_follow, args=(left or 1,))


def _follow(number: int) -> None:
    """As a link does: the bar takes it up before the widgets of the page, whose values nobody may change after them."""
    st.query_params[ADDRESS] = str(number)
