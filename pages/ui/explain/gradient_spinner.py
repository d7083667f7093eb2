"""The spinner shown while the gradient process works, or starts."""

from __future__ import annotations

from contextlib import AbstractContextManager

import streamlit as st

from pages.ui.shared import analysis_caches

STARTING = (
    "Starting a TensorFlow process that computes gradients for all users of this server. This takes about ten "
    "seconds, only the first time …"
)


def gradient_spinner(text: str) -> AbstractContextManager[None]:
    """A spinner with this text; if the gradient process has to be started first, it says so instead."""
    return st.spinner(text if analysis_caches.gradient_helper().ready else STARTING, show_time=True)
