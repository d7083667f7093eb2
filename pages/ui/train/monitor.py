"""A run on the Train page, redrawn until it has ended: its bar, curves, settings and probes, and then its result."""

from __future__ import annotations

import streamlit as st

from mnist_core.runs import findings
from mnist_core.runs.run import Metrics, Run
from mnist_core.runs.status import Status
from pages.ui.shared import caches, figure, guard, run_controls, state
from pages.ui.shared.figure_guides import CURVE_GUIDES
from pages.ui.train.probe_panel import show_probes
from pages.ui.train.result import show_result
from pages.ui.train.run_bar import show_run_bar
from pages.ui.train.run_settings import show_run_settings

REDRAW_SECONDS = 0.5


def show_run(run: Run) -> None:
    """The run, redrawn twice a second until it has ended."""
    live = not run.status().final
    guard.render_fragment(lambda: _show_current_run(run, live), every=REDRAW_SECONDS if live else None)


def _show_current_run(run: Run, live: bool) -> None:
    status = run.status()
    if live == status.final:
        st.rerun()  # ended, or resumed in another tab: the whole page, since the menus of models have to change, too
    spec = guard.try_action(run.spec, True)
    if spec is None:
        return
    metrics = _read_metrics(run)
    show_run_bar(run, spec, status, metrics.rows)
    _show_curves(run, metrics, status, live)
    if live:
        run_controls.show_live_settings(run, spec.settings, status)
    else:
        run_controls.show_resume(run, status)
    show_run_settings(spec, metrics.rows)
    show_probes(run, metrics.rows, live)
    if metrics.broken:
        st.caption(f"{metrics.broken:,} lines of metrics.jsonl could not be read and are left out.")
    if run.has_model and not live:  # else it is of an earlier training
        show_result(run, spec)


def _read_metrics(run: Run) -> Metrics:
    """The reports of the run. Reads only those that this session has not read yet."""
    run_id, read_before = st.session_state.get(state.METRICS, ("", Metrics()))
    metrics = run.sampled_metrics(read_before if run_id == run.id else None)
    st.session_state[state.METRICS] = (run.id, metrics)
    return metrics


def _show_curves(run: Run, metrics: Metrics, status: Status, live: bool) -> None:
    if metrics.rows:
        show_curves(run, metrics, status, live)
    elif live:
        st.caption("The curves begin with the first batch.")
    else:
        st.caption("This run ended before its first batch, so there are no curves.")


def show_curves(run: Run, metrics: Metrics, status: Status, live: bool) -> None:
    """Loss and accuracy of a run that has reports. `live`: whether they are redrawn, without the menu of a figure."""
    steps_per_epoch = status.steps / max(status.epochs, 1)
    for column, measure in zip(st.columns(2), CURVE_GUIDES, strict=True):
        chart = caches.learning_curve(run, metrics.rows, measure, steps_per_epoch)
        alt = f"{measure.capitalize()} by epoch on training and validation images"
        if not live:  # Streamlit builds a chart again whose description has changed, instead of adding the new points
            latest = [f"; at the end {row[measure]:.4f}" for row in metrics.rows if measure in row][-1:]
            alt += "".join(latest)
        with column:
            figure.show_chart(
                chart,
                measure.capitalize(),
                alt,
                CURVE_GUIDES[measure],
                f"{measure}_chart",
                live=live,
                finding=findings.learning_curve(metrics.rows, measure, live),
            )
