"""Everything that pages keep in the session, in one place: the keys, and what outlives a change of page."""

from __future__ import annotations

from typing import Any

import streamlit as st

VALUES = "values"  # of the widgets that outlive a change of page, by key
PAGE = "page"  # url path of the page shown
CANVAS = "canvas"
DRAWING = "drawing"  # the canvas's paths, kept while another page is shown
DRAWING_AT_ENTRY = "drawing_at_entry"  # what the canvas began with on this visit: feeding back every stroke would loop

BRUSH = "brush"
PLAIN = "plain"
MODEL = "model"
OTHER_MODEL = "other_model"

RUN = "run"  # id of the run that the Train page shows
RECIPE = "recipe"
EPOCHS = "epochs"
BATCH_SIZE = "batch_size"
LEARNING_RATE = "learning_rate"
OPTIMIZER = "optimizer"
DROPOUT = "dropout"
AUGMENTATION = "augmentation"
SEED = "seed"
DATA = "data"
TEST_INDEX = "test_index"
METRICS = "metrics"  # (run id, reports read so far): only new ones are read

_KEPT = (
    BRUSH, PLAIN, MODEL, OTHER_MODEL,
    RECIPE, EPOCHS, BATCH_SIZE, LEARNING_RATE, OPTIMIZER, DROPOUT, AUGMENTATION, SEED, DATA, TEST_INDEX,
)  # fmt: skip


def begin(page: str) -> None:
    """To be called before a page runs: brings back the widgets' values that Streamlit dropped with their page."""
    values = st.session_state.setdefault(VALUES, {})
    for key in _KEPT:
        if key in st.session_state:
            values[key] = st.session_state[key]
        if key in values:
            st.session_state[key] = values[key]
    if st.session_state.get(PAGE) != page:
        st.session_state[PAGE] = page
        st.session_state[DRAWING_AT_ENTRY] = st.session_state.get(DRAWING)


def default(key: str, value: Any) -> None:
    """Gives a key its first value."""
    st.session_state.setdefault(key, value)
