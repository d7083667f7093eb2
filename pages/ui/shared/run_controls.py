"""The hand on a run: pause, step, stop, another learning rate, more epochs, and taking up again what has ended."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs.lifecycle import resume_run
from mnist_core.recipes.settings import Settings
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.control import Control
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from pages.ui.shared import caches, guard, visitor

LEARNING_RATES = (1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0)
MOST_EPOCHS = 1000


def show_run_controls(run: Run, settings: Settings, status: Status) -> None:
    """What can be asked of a run that goes on."""
    control, paused = Control.from_json(run.control()), status.state == "paused"
    ask, locked = visitor.owner_callback(run, run.update_control), visitor.is_locked(run)
    pause, batch, epoch, stop = st.columns(4)
    if paused or control.paused:
        pause.button("Resume", key="resume", on_click=ask, kwargs={"paused": False}, width="stretch", disabled=locked)
    else:
        pause.button(
            "Pause",
            key="pause",
            on_click=ask,
            kwargs={"paused": True},
            width="stretch",
            disabled=locked or status.state != "running",
        )
    batch.button(
        "One batch",
        key="batch",
        on_click=ask,
        kwargs={"batches": control.batches + 1},
        width="stretch",
        help="While paused: trains on one batch, and pauses again.",
        disabled=locked or not paused,
    )
    epoch.button(
        "One epoch",
        key="epoch",
        on_click=ask,
        kwargs={"whole_epochs": control.whole_epochs + 1},
        help="While paused: to the end of the epoch.",
        width="stretch",
        disabled=locked or not paused,
    )
    stop.button(
        "Stop",
        key="stop",
        on_click=visitor.owner_callback(run, lambda: caches.backend().request_stop(run)),
        help="Ends the training and keeps the model.",
        width="stretch",
        disabled=locked or status.state == "stopping",
    )
    visitor.show_owner_note(run)
    with st.expander("Change it while it runs"):
        _learning_rate(run, settings, control)
        _epochs(run, status)


def _learning_rate(run: Run, settings: Settings, control: Control) -> None:
    now, key = control.learning_rate or settings.learning_rate, f"rate-{run.id}"
    st.session_state.setdefault(key, now)

    def ask() -> None:
        visitor.owner_callback(run, run.update_control)(learning_rate=st.session_state[key])

    st.select_slider(
        "Learning rate from here on",
        sorted({*LEARNING_RATES, now}),
        key=key,
        on_change=ask,
        format_func="{:g}".format,
        help="The peak; the schedule keeps its shape.",
        disabled=visitor.is_locked(run),
    )


def _epochs(run: Run, status: Status) -> None:
    key = f"epochs-{run.id}"
    st.session_state.setdefault(key, status.epochs)

    def ask() -> None:
        visitor.owner_callback(run, run.update_control)(epochs=st.session_state[key])

    st.number_input(
        "Epochs in all",
        max(1, status.epoch + 1),
        MOST_EPOCHS,
        key=key,
        on_change=ask,
        disabled=visitor.is_locked(run),
        help="A schedule is stretched to the new end.",
    )


def show_resume(run: Run, status: Status) -> None:
    """For a run that has ended with a checkpoint: goes on from its last finished epoch."""
    if not has_checkpoint(run.path):
        return
    least = max(status.epochs, status.epoch + 1)
    button, epochs = st.columns(2, vertical_alignment="bottom")
    wanted = epochs.number_input("Epochs in all", status.epoch + 1, MOST_EPOCHS, least, key=f"more-{run.id}")
    label = "Train on" if status.state == "finished" else "Resume"
    pressed = button.button(
        label, key="take-up", width="stretch", help="From the last finished epoch.", disabled=visitor.is_locked(run)
    )
    if guard.try_action(lambda: visitor.change_run(run, resume_run, caches.backend(), run, int(wanted)), pressed):
        st.rerun(scope="app")
