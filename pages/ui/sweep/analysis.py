"""What a sweep teaches: which settings lead where, which matter, and how it fares beside another sweep."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts import sweep as sweep_charts
from mnist_core.charts import sweep_settings as sweep_settings_charts
from mnist_core.config import runs_dir
from mnist_core.sweeps import importance, plans
from mnist_core.sweeps.plans import MEASURES, Plan
from mnist_core.sweeps.store import Sweep, find_sweep, list_sweeps, summarize_sweep
from pages.ui.shared import analysis_caches, components, figure, state
from pages.ui.sweep import menu

FEWEST = 3  # trials with a value, below which a chart of them says nothing


def show_sweep_analysis(sweep: Sweep, plan: Plan, live: bool) -> None:
    """Drawn when it is asked for while the sweep goes on: a box that is being drawn would be lost every second."""
    trials = sweep.trials()
    done = sweep_charts.trials_with_value(trials)
    if len(done) < FEWEST:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### What {len(done)} trials tell")
        if live:
            st.button("Draw it again", icon=":material/refresh:", type="tertiary")
    said = f"{len(done)} trials by their settings and {MEASURES[plan.measure]}"
    figure.chart(
        sweep_settings_charts.parallel_coordinates(trials, plan),
        "All settings at once",
        f"Parallel coordinates of {said}",
        "parallel coordinates",
        "sweep_parallel",
        rows=lambda: _rows(done, plan),
    )
    left, right = st.columns(2)
    with left:
        _slice(trials, plan)
    with right:
        _importance(sweep, trials, plan)
    if len(plan.vary) > 1:
        _contour(trials, plan)
    _beside(sweep, plan, trials)


def _rows(trials: Any, plan: Plan) -> list[dict[str, Any]]:
    return [sweep_charts.trial_row(row, [vary.name for vary in plan.vary]) for row in trials]


def _menu(label: str, plan: Plan, key: str, other: str = "") -> str:
    """One of the settings that vary, but for `other`."""
    names = [vary.name for vary in plan.vary if vary.name != other]
    if st.session_state.get(key) not in names:
        st.session_state[key] = names[0]
    return str(st.selectbox(label, names, format_func=lambda name: name.replace("_", " "), key=key))


def _slice(trials: list[dict[str, Any]], plan: Plan) -> None:
    name = _menu("Against", plan, state.SWEEP_SLICE)
    vary = next(vary for vary in plan.vary if vary.name == name)
    words = name.replace("_", " ")
    said = f"{MEASURES[plan.measure]} of each trial against its {words}"
    figure.chart(
        sweep_settings_charts.slice_plot(trials, plan, vary), f"By {words}", said, "slice", "sweep_slice_chart"
    )


def _importance(sweep: Sweep, trials: list[dict[str, Any]], plan: Plan) -> None:
    found = analysis_caches.importances(str(sweep.path), sum(row["state"] == "finished" for row in trials))
    if not found:
        st.caption(f"Which settings matter is told from {importance.FEWEST} trials that were trained to their end.")
        return
    told = ", ".join(f"{row['setting'].replace('_', ' ')} {100 * row['share']:.0f} %" for row in found)
    figure.chart(
        sweep_settings_charts.importance_bars(found),
        "Which settings matter",
        f"Share of the variance: {told}",
        "importance",
        "sweep_importance",
    )


def _contour(trials: list[dict[str, Any]], plan: Plan) -> None:
    left, right = st.columns(2)
    with left:
        across = _menu("Across", plan, state.SWEEP_ACROSS)
    with right:
        up = _menu("Up", plan, state.SWEEP_UP, other=across)
    by_name = {vary.name: vary for vary in plan.vary}
    title = f"{across} × {up}".replace("_", " ")
    figure.chart(
        sweep_settings_charts.contour_plot(trials, plan, by_name[across], by_name[up]),
        title,
        f"{MEASURES[plan.measure]} over {title}, trials as dots, a guess between them",
        "contour",
        "sweep_contour",
        rows=lambda: _rows(sweep_charts.trials_with_value(trials), plan),
    )


def _beside(sweep: Sweep, plan: Plan, trials: list[dict[str, Any]]) -> None:
    """Another sweep by the same measure laid over this one."""
    rows = {row["sweep"]: row for row in map(summarize_sweep, list_sweeps(runs_dir()))}
    alike = [name for name, row in rows.items() if row["measure"] == plan.measure and row["trials"]]
    others = [name for name in alike if name != sweep.id]
    if not others:
        return
    if st.session_state.get(state.SWEEP_BESIDE) not in others:
        st.session_state[state.SWEEP_BESIDE] = None
    name = st.selectbox(
        "Beside another sweep",
        others,
        format_func=lambda name: menu.title(rows[name]),
        key=state.SWEEP_BESIDE,
        index=None,
        placeholder="choose one",
    )
    other = components.attempt(lambda: find_sweep(name), name is not None)
    if other is None:
        return
    both = {"this sweep": (trials, plan), "the other": (other.trials(), other.plan())}
    points = [point for label, (rows_, of) in both.items() for point in sweep_charts.best_so_far(rows_, of, label)]
    figure.chart(
        sweep_charts.best_so_far_curve(points, plan, "seconds"),
        "Two sweeps",
        "Best so far of two sweeps against seconds of training",
        "best so far",
        "sweep_beside",
    )
    st.table([_compared(label, rows_, of) for label, (rows_, of) in both.items()])


def _compared(label: str, trials: list[dict[str, Any]], plan: Plan) -> dict[str, str]:
    best = plans.best_of(trials, plan)
    return {
        "": label,
        "searched": ", ".join(str(vary) for vary in plan.vary),
        "how": plan.how,
        "data": plan.base.data,
        "trials": str(len(trials)),
        "pruned": str(sum(row["state"] == "pruned" for row in trials)),
        "seconds": f"{sum(row.get('seconds') or 0 for row in trials):.0f}",
        "best": "-" if best is None else f"{best['value']:.4f}",
    }
