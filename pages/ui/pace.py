"""How long an epoch of a network will take on this machine, and the button that measures the machine first."""

from __future__ import annotations

import streamlit as st

from mnist_core import figures, jobs, speed
from mnist_core.recipes import Settings
from mnist_core.workers import cores
from pages.ui import components, state


def show(settings: Settings | None) -> None:
    """A line. `settings`: what would be trained; None where it cannot be."""
    known = speed.read()
    if known is None:
        _offer()
    elif settings is not None:
        seconds = known.epoch_seconds(settings, st.session_state[state.DATA])
        shown = f"{seconds:.1f} s" if seconds < 10 else figures.duration(seconds)
        st.caption(f"An epoch takes about **{shown}** on this machine, by what was measured of it.")


def _offer() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("How long an epoch takes here is not measured yet.")
        pressed = st.button("Measure this machine", key="own_measure", icon=":material/speed:",
                            help="Half a minute, once. Nothing should train meanwhile.")  # fmt: skip
    if pressed:
        with st.spinner("Small networks are trained for half a second each: half a minute in all …"):
            threads = max(1, cores() // jobs.max_running())
            done = components.attempt(lambda: [speed.measure(threads)], True)
        if done:
            st.rerun()
