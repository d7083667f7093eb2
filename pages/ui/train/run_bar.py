"""The bar above a run, which stays in sight: what it trains, how far it has come, its buttons, and what to do next."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.recipes import recipes
from mnist_core.runs.comparison import describe_live_changes, describe_overrides, live_changes
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.training import expected_time
from pages.ui.shared import caches, formatting, run_controls
from pages.ui.shared.imported import import_badge
from pages.ui.shared.state_badge import state_badge

ENDING_ICONS = {"finished": "check_circle", "stopped": "stop_circle"}
"""State -> icon in front of its message. Any other ending is an error."""


def show_run_bar(run: Run, spec: RunSpec, status: Status, rows: Sequence[dict[str, Any]]) -> None:
    """The bar. `rows`: the reports of the run."""
    with st.container(key="run_bar", gap="xsmall"):
        kind = formatting.escape_markdown(spec.kind)
        badges = state_badge(status.state) + import_badge(run)
        st.markdown(f"#### {kind}{', fine-tuned' if spec.base else ''} {badges}")
        changes = [*describe_overrides(spec), *describe_live_changes(live_changes(rows))]
        described = f"{run_title(run)} · {', '.join(changes) or 'the settings of the recipe'}"
        st.caption(formatting.escape_markdown(f"{described} · seed {spec.seed} · {status.data or spec.data}"))
        if status.step:
            st.html(metrics_html(status, rows))
        if status.final:
            _show_ending(run, spec, status)
        else:
            st.progress(status.progress, text=formatting.escape_markdown(_progress_text(run, status)))
            run_controls.show_run_buttons(run, status)


def metrics_html(status: Status, rows: Sequence[dict[str, Any]]) -> str:
    """HTML of one line with epoch, step, accuracy, speed and time left, for a run that has trained at least a step."""
    epoch = min(status.epoch + (not status.final), status.epochs)
    parts = {
        "Epoch": f"<b>{epoch:,}</b> of {status.epochs:,}",
        "Step": f"<b>{status.step:,}</b> of {status.steps:,}",
    }
    measured = {name: row[name] for row in rows for name in ("accuracy", "val_accuracy") if name in row}  # the latest
    if "accuracy" in measured:
        parts["Accuracy"] = f"training <b>{measured['accuracy']:.1%}</b>"
        if "val_accuracy" in measured:
            parts["Accuracy"] += f", validation <b>{measured['val_accuracy']:.2%}</b>"
    if not status.final:
        parts["Images/s"] = f"<b>{status.images_per_second:,.0f}</b>"
        if status.seconds_left is not None:
            parts["Time left"] = f"<b>{html.escape(format_duration(status.seconds_left))}</b>"
    spans = "".join(f"<span>{name} {value}</span>" for name, value in parts.items())
    return f'<div class="lab-metrics">{spans}</div>'


def _progress_text(run: Run, status: Status) -> str:
    if status.state == "queued":
        return _queue_text(run) or status.message
    return status.message


def _queue_text(run: Run) -> str:
    """The place in the queue and when the run will start, as far as that is known; empty if it is not in the queue."""
    backend = caches.backend()
    position = backend.position(run)
    if not position:
        return ""
    wait = expected_time.expected_wait(backend.ahead(run), backend.slots, caches.machine_slowness())
    start = f" It starts in about {format_duration(wait)}." if wait else ""
    return f"Number {position} in the queue.{start}"


def _show_ending(run: Run, spec: RunSpec, status: Status) -> None:
    """How the run ended, and what to do next."""
    message, icon = formatting.escape_markdown(status.message), ENDING_ICONS.get(status.state)
    if icon:
        st.markdown(f":material/{icon}: {message}")
    else:
        st.error(message)
    with st.container(horizontal=True, key="next_steps"):
        if run.has_model:
            _link("pages/draw.py", "Draw a digit for it", "draw", {"model": run.id})
            _link("pages/explain.py", "See inside", "visibility", {"model": run.id})
        if spec.recipe in recipes.RECIPES and not spec.base:
            _link("pages/train.py", "Try again with one change", "replay", {"like": run.id})


def _link(page: str, label: str, icon: str, parameters: dict[str, str]) -> None:
    st.page_link(page, label=label, icon=f":material/{icon}:", query_params=parameters, width="content")
