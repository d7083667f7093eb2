"""How a training run reads the visitor's own drawings (probes) and sixty test digits (the probe grid)."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.charts import digits as digit_charts
from mnist_core.charts.common import data_url, format_percent, png_url
from mnist_core.runs import probes
from mnist_core.runs.probes import Probe
from mnist_core.runs.run import Run
from pages.ui.shared import (
    caches,
    canvas_edits,
    figure,
    guard,
    live_reading,
    sketchpad,
    state,
    theme,
    thumbnails,
    visitor,
)
from pages.ui.shared.sketchpad import show_sketchpad
from pages.ui.shared.thumbnails import PictureHtml
from pages.ui.train.network_reading import show_network_reading

STRIP_PIXELS = 160
"""Width of a probe's history, and thus the most reports it can show."""
GRID_COLUMNS = 15


def show_probe_pad(run: Run | None) -> None:
    """A canvas to add and remove probes. They apply to the next run, and to `run` while it is training.

    The network of `run` reads what is on the canvas.
    """
    expander = st.expander("Watch your own handwriting during training", key=state.PROBE_PAD_OPEN, on_change="rerun")
    with expander, st.container(key="probe_workbench"):
        answer, pad, details = (st.container(key=name) for name in ("answer", "pad", "details"))
    show_state = None
    if run is not None and expander.open:
        with answer:
            show_state = show_network_reading(run)
            with st.container():  # of its own: what is next to an answer is hidden
                live_reading.show_place(state.PROBE_CANVAS, "answer")
        with details:
            live_reading.show_place(state.PROBE_CANVAS, "bars")
    with pad:
        guard.render_fragment(lambda: _show_probe_pad(run, show_state))


def _show_probe_pad(run: Run | None, show_state: Callable[[], None] | None) -> None:
    current = _current_probes(run)
    st.caption(f"Draw up to {probes.MAX_PROBES} digits. You will see how the network reads them as it learns.")
    if current:
        thumbnails.show_strip([(probe.image, f"{number}", "") for number, probe in enumerate(current, 1)], 48)
    image = sketchpad.normalized_digit(show_sketchpad(state.PROBE_CANVAS, theme.CANVAS_PIXELS))
    if show_state is not None:
        show_state()
    can_add = image is not None and len(current) < probes.MAX_PROBES
    added = [*current, probes.new_probe(image)] if can_add and image is not None else current
    add, remove = st.columns(2)
    add.button("Add this digit", disabled=not can_add, width="stretch", on_click=_set_probes, args=(run, added))
    remove.button(
        "Remove the last digit", disabled=not current, width="stretch", on_click=_set_probes, args=(run, current[:-1])
    )


def _takes_probes(run: Run | None) -> bool:
    """Whether the run is training and belongs to this visitor."""
    return run is not None and not run.status().final and not visitor.is_locked(run)


def _current_probes(run: Run | None) -> list[Probe]:
    if run is not None and _takes_probes(run):
        return list(probes.read_probes(run))
    return list(st.session_state.get(state.PROBES, ()))


def _set_probes(run: Run | None, changed: list[Probe]) -> None:
    st.session_state[state.PROBES] = changed
    if run is not None and _takes_probes(run):
        visitor.owner_callback(run, probes.write_probes)(run, changed)
    canvas_edits.clear_canvas(state.PROBE_CANVAS)


def show_probes(run: Run, rows: tuple[dict[str, Any], ...], live: bool) -> None:
    """How the probes and the probe grid are read. After the training, a slider goes back in time.

    Args:
        run: the run.
        rows: its reports.
        live: whether it is training.
    """
    grid = caches.probe_grid(run)
    shown = [row for row in rows if "wall" in row][-1:] if live else rows
    history = probes.grid_history(shown, len(grid.labels)) if grid else []
    if not history or grid is None:
        return
    until = history[-1][0]
    if not live and len(history) > 1:
        steps = [step for step, _ in history]
        until = int(st.select_slider("After this many batches", steps, steps[-1], format_func="{:,}".format))
    _show_probe_histories(run, [row for row in rows if row.get("step", 0) <= until], live)
    predicted = next(predicted for step, predicted in reversed(history) if step <= until)
    right = sum(str(label) == digit for label, digit in zip(grid.labels.tolist(), predicted, strict=True))
    picture = caches.probe_grid_png(run, predicted, GRID_COLUMNS)
    summary = f"{right} of {len(grid.labels)} test digits are read correctly after {until:,} batches."
    if right < len(grid.labels):
        summary += " The others are framed in orange, with the digit they are mistaken for."
    figure.show_title("Test digits", "probe grid", "probe_grid", lambda: picture, live=live)
    st.html(
        PictureHtml(
            f'<div class="lab-note">{summary}</div>'
            f'<img class="lab-probe-grid" alt="{summary}" src="{png_url(picture)}">'
        )
    )


def _show_probe_histories(run: Run, rows: list[dict[str, Any]], live: bool) -> None:
    histories = "".join(_probe_html(probe, rows) for probe in probes.read_probes(run))
    if histories:
        st.html(PictureHtml(f'<div class="lab-strip">{histories}</div>'))
        if not live:
            figure.show_guide("probe history")


def _probe_html(probe: Probe, rows: list[dict[str, Any]]) -> str:
    """HTML of a probe: the drawing, its prediction, and its probabilities over time. Empty before its first report."""
    _, probabilities = probes.probe_history(rows, probe.name)
    if not len(probabilities):
        return ""
    before = np.zeros((len(rows) - len(probabilities), 10), np.float32)  # reports from before it was drawn
    digit, confidence = int(probabilities[-1].argmax()), float(probabilities[-1].max())
    names = "".join(f"<span>{name}</span>" for name in range(10))
    strip = data_url(digit_charts.probability_strip(np.concatenate([before, probabilities]), STRIP_PIXELS))
    return (
        f'<figure class="lab-probe" data-probe="{digit:d}">{thumbnails.image_html(probe.image, "your drawing", 56)}'
        f"<b>{html.escape(f'{digit}, {format_percent(confidence)}')}</b>"
        f"<div class='lab-history'><div class='lab-names'>{names}</div>"
        f'<img alt="probabilities over time, a row for each digit" src="{strip}"></div></figure>'
    )
