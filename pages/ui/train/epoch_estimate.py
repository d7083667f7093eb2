"""The estimate of how long an epoch takes on this machine, and a button that measures the machine first."""

from __future__ import annotations

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.config import max_running
from mnist_core.processes import cpu_count
from mnist_core.recipes.settings import Settings
from mnist_core.training import time_model
from pages.ui.shared import caches, guard, state


def show_epoch_estimate(settings: Settings | None) -> None:
    """One line. `settings`: what would be trained; None if it cannot be trained."""
    if st.session_state[state.DATA] == "full" and caches.custom_dataset():
        return  # the time model counts the images of MNIST
    model = time_model.read_time_model()
    if model is None:
        _offer_measurement()
    elif settings is not None:
        seconds = model.epoch_seconds(settings, st.session_state[state.DATA])
        duration = f"{seconds:.1f} s" if seconds < 10 else format_duration(seconds)
        st.caption(f"Estimate: an epoch takes about **{duration}** on this machine.")


def _offer_measurement() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("To estimate how long an epoch takes, measure this machine once.")
        pressed = st.button(
            "Measure this machine",
            key="measure_machine",
            icon=":material/speed:",
            help="Takes 20 seconds. Nothing else should be training meanwhile.",
        )
    if pressed:
        with st.spinner("Training small networks for 20 seconds …"):
            measured = guard.try_action(_measure, True)
        if measured:
            st.rerun()


def _measure() -> bool:
    time_model.measure_machine(max(1, cpu_count() // max_running()))
    return True
