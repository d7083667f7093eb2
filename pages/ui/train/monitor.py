"""A run as it goes: state, progress, curves, and at the end what became of it. It redraws itself while it lives."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.config import runs_dir
from mnist_core.recipes import recipes
from mnist_core.runs.comparison import describe_overrides
from mnist_core.runs.run import Metrics, Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.runs.store import list_runs
from pages.ui.shared import (
    caches,
    figure,
    formatting,
    guard,
    prediction_view,
    run_controls,
    state,
    thumbnails,
)
from pages.ui.shared.export import show_export
from pages.ui.shared.state_badge import state_badge
from pages.ui.train.probe_panel import show_probes

REDRAW_SECONDS = 0.5
RECENT = 10


def show_run(run: Run) -> None:
    """The run, redrawn twice a second until it has ended."""
    live = not run.status().final
    guard.render_fragment(lambda: _show(run, live), every=REDRAW_SECONDS if live else None)


def _show(run: Run, live: bool) -> None:
    status = run.status()
    if live and status.final:
        st.rerun()  # once more without the timer, so that page and menus know of the model
    spec = guard.try_action(run.spec, True)
    if spec is None:
        return
    _heading(run, spec, status)
    metrics = _metrics(run)
    _curves(run, metrics, status, live)
    show_probes(run, metrics.rows, live)
    if metrics.broken:
        st.caption(f"{metrics.broken} lines of its metrics could not be read and are left out.")
    if run.has_model:
        _result(run, spec)


def _heading(run: Run, spec: RunSpec, status: Status) -> None:
    changed = ", ".join(describe_overrides(spec))
    taught = ", taught" if spec.base else ""
    st.markdown(f"#### {spec.kind}{taught} {state_badge(status.state)}")
    st.caption(f"{changed or 'as the recipe says'} · seed {spec.seed} · {status.data or spec.data}")
    if not status.final:
        st.progress(status.progress, text=_progress(run, status))
        run_controls.show_run_controls(run, spec.settings, status)
        return
    (st.success if status.state in ("finished", "stopped") else st.error)(status.message)
    run_controls.show_resume(run, status)


def _progress(run: Run, status: Status) -> str:
    """One line on how far it is."""
    if status.state == "queued":
        place = caches.backend().position(run)
        return f"Number {place} in the queue." if place else status.message
    if not status.step:
        return status.message
    parts = [
        f"epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}",
        f"step {status.step:,} of {status.steps:,}",
        f"{status.images_per_second:,.0f} images/s",
    ]
    if status.seconds_left is not None:
        parts.append(f"{format_duration(status.seconds_left)} left")
    return " · ".join(parts) if status.message == "Training." else status.message


def _metrics(run: Run) -> Metrics:
    """The reports, read on from where this session stopped reading."""
    seen_of, seen = st.session_state.get(state.METRICS, ("", Metrics()))
    metrics = run.metrics(seen if seen_of == run.id else None)
    st.session_state[state.METRICS] = (run.id, metrics)
    return metrics


def _curves(run: Run, metrics: Metrics, status: Status, live: bool) -> None:
    if not metrics.rows:
        st.caption("The curves begin with the first batch.")
        return
    steps_per_epoch, last = status.steps / max(status.epochs, 1), metrics.rows[-1]
    for column, measure in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        chart = caches.learning_curve(run, metrics.rows, measure, steps_per_epoch)
        alt = f"{measure.capitalize()} by epoch, of training and of validation images; now {last[measure]:.4f}"
        with column:
            figure.show_chart(chart, measure.capitalize(), alt, "learning curves", f"{measure}_chart", live=live)
    validated = next((row for row in reversed(metrics.rows) if "val_accuracy" in row), None)
    beside = f", validation {100 * validated['val_accuracy']:.2f} %" if validated else ""
    st.caption(f"Now: loss {last['loss']:.4f}, accuracy {100 * last['accuracy']:.2f} %{beside}.")


def _result(run: Run, spec: RunSpec) -> None:
    """What became of it, and one test digit of the reader's choice."""
    card = run.card()
    accuracy, error, loss, spent = st.columns(4)
    accuracy.metric("Test accuracy", f"{100 * card['test_accuracy']:.2f} %")
    error.metric("Error", f"{100 * (1 - card['test_accuracy']):.2f} %")
    loss.metric("Test loss", f"{card['test_loss']:.4f}")
    spent.metric("Training time", format_duration(card["train_seconds"]))
    published = recipes.RECIPES[spec.kind].published if spec.kind in recipes.RECIPES else None
    notes = ["" if spec.base or not published else f"Published: {published.text}.", _data_note(card)]
    st.caption(" ".join(filter(None, notes)))
    if card.get("taught"):
        _lesson(card)
    _test_digit(run, spec, card)
    with st.expander("Take it home", icon=":material/download:"):
        show_export(run)
    label = "Draw a digit for this model"
    st.page_link("pages/draw.py", label=label, icon=":material/draw:", query_params={"model": run.id})


def _data_note(card: dict[str, Any]) -> str:
    """Says so if the model was not trained on the full MNIST; otherwise empty."""
    data = card.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return "Trained on the offline sample, 5,000 digits." if name == "sample" else ""


def _lesson(card: dict[str, Any]) -> None:
    """What was learned, and what was forgotten."""
    taught, after = card["taught"], card["test_accuracy"]
    learned, kept = st.columns(2)
    right = f"{taught['right_after']} of {taught['drawings']}"
    learned.metric(
        "Kept drawings read right", right, f"{taught['right_after'] - taught['right_before']:+d} by teaching"
    )
    change = 100 * (after - taught["test_accuracy_before"])
    kept.metric("MNIST after teaching", f"{100 * after:.2f} %", f"{change:+.2f} points")


def _test_digit(run: Run, spec: RunSpec, card: dict[str, Any]) -> None:
    settings = spec.settings
    data_name = "sample" if card["data"]["name"] == "sample" else spec.data
    images, labels = caches.test_images(data_name, settings.split, settings.uncentered)
    index = min(int(st.session_state.get(state.TEST_INDEX, 0)), len(labels) - 1)
    st.session_state[state.TEST_INDEX] = index
    st.markdown("##### One test digit")
    index = int(st.number_input(f"Number, 0 to {len(labels) - 1:,}", 0, len(labels) - 1, key=state.TEST_INDEX))
    reading = caches.classifier(run.model).predict(images[index])
    shown, read = st.columns([1, 2])
    with shown:
        thumbnails.show_strip([(images[index], f"number {index}", f"labelled {labels[index]}")])
    with read:
        prediction_view.show_prediction(reading)
        right = reading.digit == int(labels[index])
        st.caption("Right." if right else f"Wrong: it is a {labels[index]}.")


def show_recent_runs() -> None:
    """Links to the last runs."""
    runs = list_runs(runs_dir())[:RECENT]
    if not runs:
        return
    with st.expander("Recent runs"):
        for run in runs:
            label = f"{formatting.run_time(run.id)} · {run.id[16:].rsplit('-', 1)[0]} · {run.status().state}"
            st.page_link("pages/train.py", label=label, query_params={"run": run.id})
