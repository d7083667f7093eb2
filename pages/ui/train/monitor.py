"""A run on the Train page: state, progress and curves, which update themselves during training, and then its result."""

from __future__ import annotations

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.config import runs_dir
from mnist_core.runs.comparison import describe_overrides
from mnist_core.runs.run import Metrics, Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.runs.store import list_runs
from pages.ui.shared import caches, figure, formatting, guard, run_controls, state
from pages.ui.shared.state_badge import state_badge
from pages.ui.train.probe_panel import show_probes
from pages.ui.train.result import show_result

REDRAW_SECONDS = 0.5
RECENT_RUNS = 10


def show_run(run: Run) -> None:
    """The run, redrawn twice a second until it has ended."""
    live = not run.status().final
    guard.render_fragment(lambda: _show_current_run(run, live), every=REDRAW_SECONDS if live else None)


def _show_current_run(run: Run, live: bool) -> None:
    status = run.status()
    if live and status.final:
        st.rerun()  # the whole page, without the timer: the menus of models have to change, too
    spec = guard.try_action(run.spec, True)
    if spec is None:
        return
    _show_heading(run, spec, status)
    metrics = _read_metrics(run)
    _show_curves(run, metrics, status, live)
    show_probes(run, metrics.rows, live)
    if metrics.broken:
        st.caption(f"{metrics.broken} lines of metrics.jsonl could not be read and are left out.")
    if run.has_model:
        show_result(run, spec)


def _show_heading(run: Run, spec: RunSpec, status: Status) -> None:
    changes = ", ".join(describe_overrides(spec)) or "the recipe's settings"
    st.markdown(f"#### {spec.kind}{', fine-tuned' if spec.base else ''} {state_badge(status.state)}")
    st.caption(f"{changes} · seed {spec.seed} · {status.data or spec.data}")
    if not status.final:
        st.progress(status.progress, text=_progress_text(run, status))
        run_controls.show_run_controls(run, spec.settings, status)
        return
    (st.success if status.state in ("finished", "stopped") else st.error)(status.message)
    run_controls.show_resume(run, status)


def _progress_text(run: Run, status: Status) -> str:
    if status.state == "queued":
        position = caches.backend().position(run)
        return f"Number {position} in the queue." if position else status.message
    if not status.step or status.message != "Training.":
        return status.message
    parts = [
        f"epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}",
        f"step {status.step:,} of {status.steps:,}",
        f"{status.images_per_second:,.0f} images/s",
    ]
    if status.seconds_left is not None:
        parts.append(f"{format_duration(status.seconds_left)} left")
    return " · ".join(parts)


def _read_metrics(run: Run) -> Metrics:
    """The reports of the run. Reads only those that this session has not read yet."""
    run_id, read_before = st.session_state.get(state.METRICS, ("", Metrics()))
    metrics = run.metrics(read_before if run_id == run.id else None)
    st.session_state[state.METRICS] = (run.id, metrics)
    return metrics


def _show_curves(run: Run, metrics: Metrics, status: Status, live: bool) -> None:
    if not metrics.rows:
        st.caption("The curves start with the first batch.")
        return
    steps_per_epoch, last = status.steps / max(status.epochs, 1), metrics.rows[-1]
    for column, measure in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        chart = caches.learning_curve(run, metrics.rows, measure, steps_per_epoch)
        alt = f"{measure.capitalize()} by epoch on training and validation images; now {last[measure]:.4f}"
        with column:
            figure.show_chart(chart, measure.capitalize(), alt, "learning curves", f"{measure}_chart", live=live)
    validated = next((row for row in reversed(metrics.rows) if "val_accuracy" in row), None)
    validation = f", validation {100 * validated['val_accuracy']:.2f} %" if validated else ""
    st.caption(f"Now: loss {last['loss']:.4f}, accuracy {100 * last['accuracy']:.2f} %{validation}.")


def show_recent_runs() -> None:
    """Links to the latest runs."""
    runs = list_runs(runs_dir())[:RECENT_RUNS]
    if not runs:
        return
    with st.expander("Recent runs"):
        for run in runs:
            label = f"{formatting.run_time(run.id)} · {run.id[16:].rsplit('-', 1)[0]} · {run.status().state}"
            st.page_link("pages/train.py", label=label, query_params={"run": run.id})
