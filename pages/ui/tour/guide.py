"""The guided tour: the current step above the page, and how to move, leave and resume.

The step is kept in the session and in the address (`?tour=3`), so the tour can be left, resumed, and opened by a link.
"""

from __future__ import annotations

import streamlit as st

from pages.ui.shared import navigation, state
from pages.ui.tour import presenter
from pages.ui.tour.steps import STEPS

ADDRESS = "tour"
"""The query parameter."""


def show_tour(path: str) -> None:
    """Shows the current step above the page, or nothing outside the tour. `path`: of the page in the address."""
    number = st.session_state.get(state.TOUR_STEP)
    linked = _linked_step()
    if linked is not None and linked != number:
        go_to_step(linked)
    if number is None and presenter.is_presenting():
        go_to_step(1)
    if number is None:
        return
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
    """The text of a step, and buttons to move on, go back and leave. In presenter mode keys press these buttons."""
    step = STEPS[number - 1]
    is_last = number == len(STEPS)
    keys = " *Arrow keys move, Escape leaves.*" if presenter.is_presenting() and number == 1 else ""
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="tour"):
        st.markdown(f"**Guided tour, {number:d} of {len(STEPS)}: {step.title}.** {step.text()}{keys}")
        with st.container(horizontal=True, width="content", gap="small"):
            is_elsewhere = path != navigation.page_url_path(step.page)
            if is_elsewhere and st.button("Back to this step", key="tour_here", type="primary"):
                go_to_step(number)
            if number > 1 and st.button("Previous", key="tour_back", icon=":material/arrow_back:"):
                go_to_step(number - 1)
            if not is_last and st.button("Next", key="tour_next", icon=":material/arrow_forward:", type="primary"):
                go_to_step(number + 1)
            if not presenter.is_presenting() and st.button("Present", key="tour_present", icon=":material/slideshow:"):
                presenter.start()
                go_to_step(number)
            st.button("End the tour" if is_last else "Leave", key="tour_leave", type="tertiary", on_click=leave_tour)


def go_to_step(number: int) -> None:
    """Prepares a step and opens its page."""
    step = STEPS[number - 1]
    st.session_state[state.PLAIN] = False  # one step switches it on
    parameters = step.prepare()
    st.session_state[state.TOUR_STEP] = number
    st.switch_page(step.page, query_params=parameters | {ADDRESS: str(number)} | presenter.address())


def leave_tour() -> None:
    """Leaves the tour and presenter mode, and remembers the step unless it was the last."""
    presenter.leave()
    st.session_state[state.PLAIN] = False
    number = st.session_state.pop(state.TOUR_STEP, None)
    st.session_state[state.TOUR_PAUSED_AT] = None if number == len(STEPS) else number
    st.query_params.pop(ADDRESS, None)


def show_tour_button() -> None:
    """A button that starts the tour, or resumes it. Hidden during the tour."""
    if st.session_state.get(state.TOUR_STEP) is not None:
        return
    paused_at = st.session_state.get(state.TOUR_PAUSED_AT)
    label = f"Resume the tour at step {paused_at:d}" if paused_at else "Take the tour"
    if st.button(label, key="tour_begin", icon=":material/tour:"):
        st.query_params[ADDRESS] = str(paused_at or 1)  # as a link does: go_to_step cannot set widgets of this run
        st.rerun(scope="app")
