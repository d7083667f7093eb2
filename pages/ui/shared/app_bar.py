"""The bar on every page: the current model and drawing, the visitor's training, the Simple/Expert switch."""

from __future__ import annotations

import html

import cv2
import streamlit as st

from mnist_core.charts.common import data_url, format_duration
from mnist_core.config import runs_dir
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES, Status
from pages.ui.shared import (
    caches,
    feedback,
    formatting,
    guard,
    mode,
    model_menu,
    navigation,
    sign_in,
    sketchpad,
    state,
    theme,
    visitor,
)

REDRAW_SECONDS = 1.0
THUMBNAIL_PIXELS = 56
CANVAS_PAGES = ("pages/home.py", "pages/draw.py", "pages/explain.py")
"""Pages where the drawing itself is in view."""


def show_app_bar(path: str) -> None:
    """Shows the bar. `path`: of the page, in the address."""
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="app_bar"):
        _show_current(navigation.page_at(path))
        _show_training()
        mode.show_mode_switch()
        sign_in.show_sign_out()


def _show_current(page: str) -> None:
    """The current model, and the drawing on the canvas where the page does not show it itself."""
    choice = model_menu.current_model()
    st.session_state[state.BAR_MODEL] = choice
    name = model_menu.model_name(choice)
    drawing = None if page in CANVAS_PAGES else _thumbnail_url()
    image = f'<img src="{drawing}" alt="your drawing" title="your drawing">' if drawing else ""
    st.html(
        f'<div class="lab-current" title="current model"><span>{html.escape(name)}</span>{image}</div>', width="content"
    )


def _thumbnail_url() -> str | None:
    """The drawing on the canvas as a small picture; None if there is none."""
    sent = st.session_state.get(state.drawing_key(state.CANVAS))
    drawing = sketchpad.drawing_from_strokes(sent, theme.CANVAS_PIXELS)
    if drawing is None:
        return None
    return data_url(cv2.resize(drawing.image, (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), interpolation=cv2.INTER_AREA))


def _show_training() -> None:
    """A link to the visitor's run that trains, or else waits, redrawn every second. A toast tells of its end."""
    _announce_end()
    owner = visitor.owner_id()
    rows = [row for row in caches.run_history(runs_dir()) if row["owner"] == owner and not row["sweep"]]
    unfinished = [row for row in rows if row["state"] not in FINAL_STATES]
    unfinished.sort(key=lambda row: row["state"] == "queued")  # those that train first
    run = Run(runs_dir() / unfinished[0]["run"]) if unfinished else None
    if run is not None and not run.status().final:
        st.session_state[state.FOLLOWED_RUN] = run.id
        guard.render_fragment(lambda: _show_progress(run), every=REDRAW_SECONDS)


def _announce_end() -> None:
    """Says how the run ended that the bar showed last."""
    run_id = st.session_state.get(state.FOLLOWED_RUN)
    if run_id is None or not (status := Run(runs_dir() / run_id).status()).final:
        return
    del st.session_state[state.FOLLOWED_RUN]
    feedback.confirm(f"{run_title(Run(runs_dir() / run_id))} · {status.message}", ":material/flag:")


def _show_progress(run: Run) -> None:
    status = run.status()
    if status.final:
        st.rerun()  # the whole page, without the timer
    st.page_link(
        "pages/train.py",
        label=formatting.escape_markdown(f"{run.spec().kind} · {_progress_text(run, status)}"),
        icon=":material/model_training:",
        query_params={"run": run.id},
        width="content",
    )


def _progress_text(run: Run, status: Status) -> str:
    """`42% · 4 s left`, or what a run does that does not train at the moment."""
    if status.state == "queued" and (position := caches.backend().position(run)):
        return f"number {position} in the queue"
    if not status.step:
        return "starting"
    if status.state != "running":
        return status.state
    if status.step >= status.steps:
        return "finishing"
    parts = [f"{status.progress:.0%}"]
    if status.seconds_left is not None:
        parts.append(f"{format_duration(status.seconds_left)} left")
    return " · ".join(parts)
