"""Find a learning rate: a test of some seconds with the settings of the form, its curve as it grows, and its mark."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from mnist_core.charts import rates as rate_charts
from mnist_core.errors import RunNotFoundError
from mnist_core.jobs.lifecycle import start_run
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from mnist_core.runs.store import find_run
from mnist_core.training import rate_finder
from mnist_core.training.rate_finder import Point, Suggestion
from pages.ui.shared import caches, figure, guard, settings_form, state, visitor

REDRAW_SECONDS = 0.5


def show_rate_finder() -> None:
    """The fold. What is in it is made when it is open."""
    fold = st.expander("Find a learning rate", key=state.RATE_FINDER_OPEN, on_change="rerun")
    if not fold.open:
        return
    with fold:
        st.caption(
            "Trains a new network with these settings for some seconds, with a learning rate that rises from batch to "
            "batch. Where the loss still falls, the rate is good; where it explodes, it is too high."
        )
        test = _last()
        live = test is not None and not test.status().final
        pressed = st.button("Find a learning rate", width="stretch", disabled=live)
        if guard.try_action(_start, pressed):
            st.rerun()
        if test is not None:
            guard.render_fragment(lambda: _show(test, live), every=REDRAW_SECONDS if live else None)


def _last() -> Run | None:
    """The test that this session made last, if it is still there."""
    try:
        return find_run(st.session_state.get(state.RATE_FINDER_RUN) or "none", rate_finder.tests_folder())
    except RunNotFoundError:
        return None


def _start() -> bool:
    """Makes a test. Raises SettingError, ArchitectureError or QueueFullError."""
    rate_finder.delete_old_tests()
    test = start_run(caches.backend(), settings_form.form_spec(), visitor.owner_id(), rate_finder.tests_folder())
    st.session_state[state.RATE_FINDER_RUN] = test.id
    return True


def _show(test: Run, live: bool) -> None:
    status, points = test.status(), rate_finder.read_points(test)
    if live and status.final:
        st.rerun()  # once more without the timer
    spec = test.spec()
    st.caption(f"{spec.recipe}, {spec.settings.optimizer}, batches of {spec.settings.batch_size:,}: {_images(status)}")
    if live:
        _progress(test, status)
    found = None if live else rate_finder.suggest_rate(points)
    if points:
        _chart(points, found, live)
    if live:
        return
    (st.info if status.state in ("finished", "stopped") else st.error)(status.message)
    if found is not None:
        if st.button(f"Use {found.rate:g}", type="primary", width="stretch", on_click=_use, args=(found.rate,)):
            st.rerun()  # the whole page: its slider is not in this fragment
        _note_changes(test)


def _images(status: Status) -> str:
    return status.data or "its images"


def _progress(test: Run, status: Status) -> None:
    place = caches.backend().position(test)
    st.progress(status.progress, text=f"Number {place} in the queue." if place else status.message)
    st.button("Stop", key="stop_rate_test", width="stretch", on_click=lambda: caches.backend().request_stop(test))


def _chart(points: list[Point], found: Suggestion | None, live: bool) -> None:
    told = [asdict(point) for point in points]
    ends = (rate_finder.LOWEST_RATE, rate_finder.HIGHEST_RATE)
    drawn = rate_charts.range_test_curve(told, ends, found.rate if found else None)
    mark = f"; {found.rate:g} is marked, the loss is lowest at {found.lowest:.2g}" if found else ""
    alt = f"Loss of {len(told)} batches by learning rate, up to {told[-1]['rate']:.2g}{mark}"
    figure.show_chart(drawn, "Loss by learning rate", alt, "range test", "range_test", live=live)


def _use(rate: float) -> None:
    st.session_state[state.LEARNING_RATE] = rate


def _note_changes(test: Run) -> None:
    """Says where the form has gone on since the test was made."""
    now, then = settings_form.form_settings(), test.spec().settings
    names = ("optimizer", "batch_size", "loss", "momentum", "layers")
    changed = [name.replace("_", " ") for name in names if getattr(now, name) != getattr(then, name)]
    if changed:
        st.caption(f"Since this test you have changed: {', '.join(changed)}. Test again for these settings.")
