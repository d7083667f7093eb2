"""Has the network in training read the visitor's drawing, in the visitor's browser: again with each live snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from mnist_core.browser.model_files import check_size
from mnist_core.errors import ModelError, RunError
from mnist_core.runs.run import Run
from mnist_core.training.live_snapshot import LIVE_MODEL, LiveSnapshot, read_live_snapshot, watch
from mnist_core.wording import plural
from pages.ui.shared import browser_model, caches, formatting, guard, live_reading, state
from pages.ui.shared.live_reading import LiveModel

REDRAW_SECONDS = 1.0
SNAPSHOTS_SERVED = 4
"""How many of the last snapshots a browser may fetch: a slow one asks for one that is not the newest any more."""


def show_network_reading(run: Run) -> Callable[[], None] | None:
    """Lets the network of a run read the canvas for probes: as it is now, and later as it was trained.

    Returns:
        Call it after the canvas is shown: it tells the browser what is drawn. None during training: a timer does so.
    """
    if not run.status().final:
        guard.render_fragment(lambda: _show_network_in_training(run), every=REDRAW_SECONDS)
        return None
    models = _trained_network(run)
    place = live_reading.show_reader(state.PROBE_CANVAS)

    def show_state() -> None:
        with place:
            live_reading.show_state(state.PROBE_CANVAS, models, keep=True)

    return show_state


def _show_network_in_training(run: Run) -> None:
    live_reading.show_live_reading(state.PROBE_CANVAS, _network_in_training(run), keep=True)


def _trained_network(run: Run) -> list[LiveModel]:
    models = live_reading.models_in_browser([run.id] if run.has_model else [])
    if models:
        st.caption("The trained network reads your drawing.")
    return models


def _network_in_training(run: Run) -> list[LiveModel]:
    """The newest snapshot, with a caption. Empty if there is none yet, or the network is too large for a browser."""
    try:
        check_size(run.spec().settings.architecture)
    except ModelError as error:
        st.caption(formatting.escape_markdown(str(error)))
        return []
    except RunError:  # the run is gone: the page says so
        return []
    watch(run)
    snapshot = _read_snapshot(run.path / LIVE_MODEL)
    if snapshot is None:
        st.caption("The network reads your drawing here as soon as training starts.")
        return []
    st.caption(f"The network reads your drawing after {plural(snapshot.step, 'batch', 'batches')}.")
    place = int(time.time() / REDRAW_SECONDS) % SNAPSHOTS_SERVED
    url = browser_model.serve_model(snapshot.content, f"live {place}")
    return [LiveModel(run.id, "", f"{url}?live")]  # with a query, no browser keeps it: see reading_worker.js


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=caches.FILE_VERSION)
def _read_snapshot(path: Path) -> LiveSnapshot | None:
    return read_live_snapshot(Run(path.parent))
