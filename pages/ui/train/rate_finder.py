"""The learning-rate finder: a range test with the settings of the form, its curve, and the suggested learning rate."""

from __future__ import annotations

from dataclasses import asdict, fields

import streamlit as st

from mnist_core.charts import rates as rate_charts
from mnist_core.errors import RunNotFoundError
from mnist_core.jobs.lifecycle import start_run
from mnist_core.recipes.settings import Settings
from mnist_core.runs import findings
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from mnist_core.runs.store import find_run
from mnist_core.training import rate_finder
from mnist_core.training.rate_finder import Point, Suggestion
from pages.ui.shared import caches, feedback, figure, formatting, guard, settings_form, state, visitor

REDRAW_SECONDS = 0.5
UNUSED_SETTINGS = (
    "learning_rate",
    "schedule",
    "warm_up",
    "decay_factor",
    "decay_epochs",
    "epochs",
    "patience",
    "time_budget",
    "target_accuracy",
)
"""Settings that a test does not use. A change of any other makes its result obsolete."""


def show_rate_finder() -> None:
    """The expander. Its content is created when it is open."""
    expander = st.expander("Learning-rate finder", key=state.RATE_FINDER_OPEN, on_change="rerun")
    if not expander.open:
        return
    with expander:
        st.caption(
            "Trains a new network with these settings for a few seconds while the learning rate rises from batch to "
            "batch. As long as the loss falls, the rate is good; where the loss explodes, it is too high."
        )
        test = _last_test()
        live = test is not None and not test.status().final
        pressed = st.button("Find a learning rate", width="stretch", disabled=live)
        if guard.try_action(_start_test, pressed):
            st.rerun()
        if test is not None:
            guard.render_fragment(lambda: _show_test(test, live), every=REDRAW_SECONDS if live else None)


def _last_test() -> Run | None:
    """The last test of this session, if it still exists."""
    try:
        return find_run(st.session_state.get(state.RATE_FINDER_RUN) or "none", rate_finder.tests_folder())
    except RunNotFoundError:
        return None


def _start_test() -> bool:
    """Starts a test. Raises SettingError, ArchitectureError or QueueFullError."""
    rate_finder.delete_old_tests()
    test = start_run(caches.backend(), settings_form.form_spec(), visitor.owner_id(), rate_finder.tests_folder())
    st.session_state[state.RATE_FINDER_RUN] = test.id
    return True


def _show_test(test: Run, live: bool) -> None:
    status, points = test.status(), rate_finder.read_points(test)
    if live and status.final:
        st.rerun()  # without the timer
    spec = test.spec()
    settings = f"{spec.recipe}, {spec.settings.optimizer}, batch size {spec.settings.batch_size:,}"
    st.caption(formatting.escape_markdown(f"{settings}, {status.data}" if status.data else settings))
    if live:
        _show_progress(test, status)
        if points:
            _show_curve(points, None, live)
        return
    suggestion = rate_finder.suggest_rate(points)
    if points:
        _show_curve(points, suggestion, live)
    box = st.info if status.state in ("finished", "stopped") else st.error
    box(formatting.escape_markdown(status.message))
    if suggestion is not None:
        label = f"Use {suggestion.rate:g}"
        if st.button(label, type="primary", width="stretch", on_click=_use_rate, args=(suggestion.rate,)):
            st.rerun()  # the whole page: the slider is outside this fragment
        _show_obsolete_note(test)


def _show_progress(test: Run, status: Status) -> None:
    position = caches.backend().position(test)
    text = f"Number {position} in the queue." if position else status.message
    st.progress(status.progress, text=formatting.escape_markdown(text))
    st.button("Stop", key="stop_rate_test", width="stretch", on_click=lambda: caches.backend().request_stop(test))


def _show_curve(points: list[Point], suggestion: Suggestion | None, live: bool) -> None:
    rows = [asdict(point) for point in points]
    ends = (rate_finder.LOWEST_RATE, rate_finder.HIGHEST_RATE)
    chart = rate_charts.range_test_curve(rows, ends, suggestion.rate if suggestion else None)
    alt = f"Loss of {len(rows)} batches by learning rate, up to {rows[-1]['rate']:.2g}"
    if suggestion:
        alt += f"; {suggestion.rate:g} is marked, the loss is lowest at {suggestion.lowest:.2g}"
    finding = findings.range_test(suggestion.rate, suggestion.lowest) if suggestion else ""
    figure.show_chart(chart, "Loss by learning rate", alt, "range test", "range_test", live=live, finding=finding)


def _use_rate(rate: float) -> None:
    st.session_state[state.LEARNING_RATE] = rate
    feedback.confirm(f"The next run will train with a learning rate of {rate:g}.")


def _show_obsolete_note(test: Run) -> None:
    """Lists what has changed in the form since the test."""
    now, then = settings_form.form_spec(), test.spec()
    compared = [field.name for field in fields(Settings) if field.name not in UNUSED_SETTINGS]
    changed = [name for name in compared if getattr(now.settings, name) != getattr(then.settings, name)]
    if now.data != then.data:
        changed.append("data set")
    if changed:
        names = formatting.escape_markdown(", ".join(changed).replace("_", " "))
        st.caption(f"Changed since this test: {names}. Test again with these settings.")
