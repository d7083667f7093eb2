"""What a training is watched by: one's own handwriting being learned, and a wall of sixty test digits."""

from __future__ import annotations

import html
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.charts import digits as digit_charts
from mnist_core.charts.common import data_url, encode_png, format_percent
from mnist_core.runs import probes
from mnist_core.runs.probes import Probe
from mnist_core.runs.run import Run
from pages.ui.shared import figure, guard, sketchpad, state, theme, thumbnails, visitor
from pages.ui.shared.sketchpad import show_sketchpad

STRIP_PIXELS = 160  # wide, and as many reports at most
WALL_COLUMNS = 15


def show_probe_pad(run: Run | None) -> None:
    """Where drawings to watch are made and taken away again: for the next training, and for the run, if it goes on."""
    with st.expander("Watch your own handwriting being learned"):
        guard.render_fragment(lambda: _pad(run))


def _pad(run: Run | None) -> None:
    chosen = _chosen(run)
    st.caption(f"Draw up to {probes.MAX_PROBES} digits. The training tells with every report what it makes of them.")
    if chosen:
        thumbnails.show_strip([(each.image, f"{place}", "") for place, each in enumerate(chosen, 1)], 48)
    with st.container(key="probe_paper"):
        image = sketchpad.normalized_digit(show_sketchpad(state.PROBE_CANVAS, theme.CANVAS_PIXELS))
    ready = image is not None and len(chosen) < probes.MAX_PROBES
    add, remove = st.columns(2)
    more = [*chosen, probes.new_probe(image)] if ready and image is not None else chosen
    add.button("Watch this one", disabled=not ready, width="stretch", on_click=_choose, args=(run, more))
    remove.button("Take the last away", disabled=not chosen, width="stretch", on_click=_choose, args=(run, chosen[:-1]))


def _chosen(run: Run | None) -> list[Probe]:
    """Of the run while it goes on, if it is this visitor's; else those for the next one."""
    if run is not None and not run.status().final and not visitor.is_locked(run):
        return list(probes.read_probes(run))
    return list(st.session_state.get(state.PROBES, ()))


def _choose(run: Run | None, chosen: list[Probe]) -> None:
    st.session_state[state.PROBES] = chosen
    if run is not None and not run.status().final and not visitor.is_locked(run):
        visitor.owner_callback(run, probes.write_probes)(run, chosen)
    sketchpad.clear_canvas(state.PROBE_CANVAS)


def show_probes(run: Run, rows: tuple[dict[str, Any], ...], live: bool) -> None:
    """How the drawings and the wall were read, up to now; of a run that has ended at any time that is chosen."""
    wall = probes.read_probe_grid(run)
    seen = probes.grid_history(rows, len(wall.labels)) if wall else []
    if not seen or wall is None:
        return
    until = seen[-1][0]
    if not live and len(seen) > 1:
        steps = [step for step, _ in seen]
        until = int(st.select_slider("After so many batches", steps, steps[-1], format_func="{:,}".format))
    _drawings(run, [row for row in rows if row.get("step", 0) <= until], live)
    read_as = next(read for step, read in reversed(seen) if step <= until)
    right = sum(str(label) == read for label, read in zip(wall.labels.tolist(), read_as, strict=True))
    wall_picture = digit_charts.digit_grid(wall.images, wall.labels, read_as, WALL_COLUMNS)
    about = f"{right} of {len(wall.labels)} test digits are read right after {until:,} batches"
    st.html(
        f'<div class="lab-note">{about}; the others are framed in orange, with what they are read as.</div>'
        f'<img class="lab-probe-grid" alt="{about}" src="{data_url(wall_picture)}">'
    )
    if not live:
        figure.show_guide_and_download("wall", "wall", partial(encode_png, wall_picture))


def _drawings(run: Run, rows: list[dict[str, Any]], live: bool) -> None:
    shown = "".join(_drawing(each, rows) for each in probes.read_probes(run))
    if shown:
        st.html(f'<div class="lab-strip">{shown}</div>')
        if not live:
            figure.show_guide("watched drawings")


def _drawing(each: Probe, rows: list[dict[str, Any]]) -> str:
    """HTML: the drawing, what it is read as now, and how that came about. Empty before the first report on it."""
    _, told = probes.probe_history(rows, each.name)
    if not len(told):
        return ""
    before = np.zeros((len(rows) - len(told), 10), np.float32)  # reports from before it was drawn
    digit, sure = int(told[-1].argmax()), float(told[-1].max())
    text = f"{digit}, {format_percent(sure)}"
    names = "".join(f"<span>{name}</span>" for name in range(10))
    strip = data_url(digit_charts.probability_strip(np.concatenate([before, told]), STRIP_PIXELS))
    return (
        f'<figure class="lab-probe" data-probe="{digit}">{thumbnails.image_html(each.image, "a drawing of yours", 56)}'
        f"<b>{html.escape(text)}</b><div class='lab-history'><div class='lab-names'>{names}</div>"
        f'<img alt="how it was read until now, a row for each digit" src="{strip}"></div></figure>'
    )
