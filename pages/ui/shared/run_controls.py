"""The controls of a run: pause, single steps, stop, learning rate and epochs; resume once it has ended."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_core.jobs.lifecycle import can_be_resumed, resume_run
from mnist_core.recipes.settings import Settings
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.control import Control
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from pages.ui.shared import caches, feedback, guard, mode, state, visitor

LEARNING_RATES = (1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0)
MAX_EPOCHS = 1000


def show_run_buttons(run: Run, status: Status) -> None:
    """Pause or resume, in Expert mode single steps, and stop, for a run that is training."""
    control, paused = Control.from_json(run.control()), status.state == "paused"
    request, locked = visitor.owner_callback(run, run.update_control), visitor.is_locked(run)
    with st.container(horizontal=True, gap="small"):
        if paused or control.paused:
            st.button(
                "Resume", key="resume", on_click=request, kwargs={"paused": False}, width="stretch", disabled=locked
            )
        else:
            st.button(
                "Pause",
                key="pause",
                on_click=request,
                kwargs={"paused": True},
                width="stretch",
                disabled=locked or status.state != "running",
            )
        if mode.is_expert():
            _show_step_buttons(control, request, disabled=locked or not paused)
        st.button(
            "Stop",
            key="stop",
            on_click=visitor.owner_callback(run, lambda: caches.backend().request_stop(run)),
            help="Ends training and keeps the model.",
            width="stretch",
            disabled=locked or status.state == "stopping",
        )
    visitor.show_owner_note(run)


def _show_step_buttons(control: Control, request: Callable[..., None], disabled: bool) -> None:
    st.button(
        "One batch",
        key="batch",
        on_click=request,
        kwargs={"batches": control.batches + 1},
        width="stretch",
        help="While paused: trains on one batch and pauses again.",
        disabled=disabled,
    )
    st.button(
        "One epoch",
        key="epoch",
        on_click=request,
        kwargs={"whole_epochs": control.whole_epochs + 1},
        help="While paused: trains to the end of the epoch and pauses again.",
        width="stretch",
        disabled=disabled,
    )


def show_live_settings(run: Run, settings: Settings, status: Status) -> None:
    """An expander with the settings that can be changed during the training."""
    expander = st.expander("Change while running", key=state.LIVE_SETTINGS_OPEN, on_change="rerun")
    if expander.open:
        with expander:
            _show_learning_rate(run, Control.from_json(run.control()).learning_rate or settings.learning_rate)
            _show_total_epochs(run, status)


def _show_learning_rate(run: Run, current: float) -> None:
    """A slider. Its value is given as the default, not by session state: see `_show_total_epochs`."""
    key = f"rate-{run.id}"

    def request_learning_rate() -> None:
        rate = st.session_state[key]
        visitor.owner_callback(run, run.update_control)(learning_rate=rate)
        if Control.from_json(run.control()).learning_rate == rate:  # a refusal has its own toast
            feedback.confirm(f"The learning rate is {rate:g} from the next batches on.")

    st.select_slider(
        "Learning rate from now on",
        sorted({*LEARNING_RATES, current}),
        current,
        key=key,
        on_change=request_learning_rate,
        format_func="{:g}".format,
        help="The peak of the schedule. Its shape stays the same.",
        disabled=visitor.is_locked(run),
    )


def _show_total_epochs(run: Run, status: Status) -> None:
    """An input. Its value is given as the default, not by session state.

    Streamlit sends a value of session state to the browser only once. If the next redraw comes before a slow browser
    has drawn it, the browser falls back to the default, which without one is the minimum, and reports that as a change.
    """
    key = f"epochs-{run.id}"

    def request_epochs() -> None:
        epochs = st.session_state[key]
        visitor.owner_callback(run, run.update_control)(epochs=epochs)
        if Control.from_json(run.control()).epochs == epochs:
            feedback.confirm(f"The run trains for {epochs} epochs in all.")

    st.number_input(
        "Total epochs",
        min(status.epoch + 1, status.epochs),  # all epochs are trained while the run is tested and saved
        MAX_EPOCHS,
        status.epochs,
        key=key,
        on_change=request_epochs,
        disabled=visitor.is_locked(run),
        help="The schedule is stretched to the new end.",
    )


def show_resume(run: Run, status: Status) -> None:
    """Continues a run that has ended from its last checkpoint, or starts it over if there is none.

    Shows nothing if the run has a model but no checkpoint: training it again would replace the model.
    """
    if not can_be_resumed(run) or status.epoch >= MAX_EPOCHS:
        return
    from_checkpoint = has_checkpoint(run.path)
    label, effect = "Resume", "Continues from its last checkpoint, the end of an epoch."
    if status.state == "finished":
        label = "Train longer"
        effect = "Continues from its last checkpoint, the end of an epoch; the limits of early stopping start over."
    elif not from_checkpoint:
        label, effect = "Start over", "It ended before its first checkpoint, so there is nothing to continue from."
    button, input_column = st.columns(2, vertical_alignment="bottom")
    epochs = input_column.number_input(
        "Total epochs",
        status.epoch + 1,
        MAX_EPOCHS,
        max(status.epochs, status.epoch + 1),
        key=f"more-{run.id}",
    )
    pressed = button.button(
        label,
        key="continue",
        width="stretch",
        help=effect,
        disabled=visitor.is_locked(run),
    )
    if guard.try_action(lambda: visitor.change_run(run, resume_run, caches.backend(), run, int(epochs)), pressed):
        st.rerun(scope="app")
