"""How long an epoch of a network will take on this machine, and the button that measures the machine first."""

from __future__ import annotations

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.config import max_running
from mnist_core.processes import cpu_count
from mnist_core.recipes.settings import Settings
from mnist_core.training import time_model
from pages.ui.shared import guard, state


def show_epoch_estimate(settings: Settings | None) -> None:
    """A line. `settings`: what would be trained; None where it cannot be."""
    known = time_model.read_time_model()
    if known is None:
        _offer()
    elif settings is not None:
        seconds = known.epoch_seconds(settings, st.session_state[state.DATA])
        shown = f"{seconds:.1f} s" if seconds < 10 else format_duration(seconds)
        st.caption(f"An epoch takes about **{shown}** on this machine, by what was measured of it.")


def _offer() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("How long an epoch takes here is not measured yet.")
        pressed = st.button(
            "Measure this machine",
            key="own_measure",
            icon=":material/speed:",
            help="Twenty seconds, once. Nothing should train meanwhile.",
        )
    if pressed:
        with st.spinner("Small networks are trained for a moment each: twenty seconds in all …"):
            threads = max(1, cpu_count() // max_running())
            done = guard.try_action(lambda: [time_model.measure_machine(threads)], True)
        if done:
            st.rerun()
