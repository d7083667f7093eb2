"""What a sweep shows about its settings: which values work, which settings matter, and how another sweep compares."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from mnist_core.charts import sweep as sweep_charts
from mnist_core.charts import sweep_settings as sweep_settings_charts
from mnist_core.charts.parallel_coordinates import parallel_coordinates
from mnist_core.sweeps import findings, importance
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import MEASURES, SweepPlan
from mnist_core.sweeps.search_space import Dimension
from mnist_core.sweeps.store import Sweep, find_sweep
from pages.ui.shared import analysis_caches, figure, formatting, guard, state
from pages.ui.sweep.form import setting_title
from pages.ui.sweep.menu import summaries_by_id, sweep_titles

MIN_TRIALS = 3
"""Trials with a value that a chart of them needs to be of any use."""

Trials = list[dict[str, Any]]


def show_sweep_analysis(sweep: Sweep, plan: SweepPlan, live: bool) -> None:
    """The charts, redrawn on request while the sweep runs: redrawing would discard what is selected in them."""
    trials = sweep.trials()
    evaluated = sweep_charts.trials_with_value(trials)
    if len(evaluated) < MIN_TRIALS and not live:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### Analysis of {formatting.plural(len(evaluated), 'trial')}")
        if live:
            st.button("Refresh", icon=":material/refresh:", type="tertiary")
    if len(evaluated) < MIN_TRIALS:
        st.caption(f"The charts need {MIN_TRIALS} trials with a result.")
        return
    figure.show_chart(
        parallel_coordinates(trials, plan),
        "All settings at once",
        f"Parallel coordinates of {len(evaluated)} trials by their settings and {MEASURES[plan.measure]}",
        "parallel coordinates",
        "sweep_parallel",
        rows=lambda: _trial_rows(evaluated, plan),
        finding=findings.best_settings(trials, plan),
    )
    if len(plan.space) > 1:
        left, right = st.columns(2)
        with left:
            name = setting_menu("Setting", plan, state.SWEEP_SLICE)
            show_setting(trials, plan, next(vary for vary in plan.space if vary.name == name))
        with right:
            show_importance(sweep, trials, plan)
    show_sweep_comparison(sweep, plan, trials)


def _trial_rows(trials: Any, plan: SweepPlan) -> list[dict[str, Any]]:
    """The trials as rows of a CSV."""
    return [sweep_charts.trial_row(row, [vary.name for vary in plan.space]) for row in trials]


def setting_menu(label: str, plan: SweepPlan, key: str, exclude: str = "") -> str:
    """A menu of the settings that vary, without `exclude`. Returns the name of the chosen one."""
    names = [vary.name for vary in plan.space if vary.name != exclude]
    if st.session_state.get(key) not in names:
        st.session_state[key] = names[0]
    return str(st.selectbox(label, names, format_func=setting_title, key=key))


def show_heat_map(trials: Trials, plan: SweepPlan, live: bool) -> None:
    """The metric by two settings, interpolated between the trials; by the only setting if there is only one.

    Args:
        trials: of the sweep.
        plan: of the sweep.
        live: whether it is redrawn every second.
    """
    if len(sweep_charts.trials_with_value(trials)) < MIN_TRIALS:
        return
    across, up = plan.space[0], plan.space[-1]
    if len(plan.space) > 2:
        by_name = {vary.name: vary for vary in plan.space}
        left, right = st.columns(2)
        with left:
            across = by_name[setting_menu("x-axis", plan, state.CONTOUR_X)]
        with right:
            up = by_name[setting_menu("y-axis", plan, state.CONTOUR_Y, exclude=across.name)]
    if across is up:
        show_setting(trials, plan, across, live)
        return
    title = f"{setting_title(across.name)} × {setting_title(up.name)}"
    figure.show_chart(
        sweep_settings_charts.contour_plot(trials, plan, across, up),
        title.capitalize(),
        f"{MEASURES[plan.measure]} by {title}: trials as dots, interpolated in between",
        "contour",
        "sweep_contour",
        rows=lambda: _trial_rows(sweep_charts.trials_with_value(trials), plan),
        live=live,
        finding=findings.two_settings(trials, plan, across, up),
    )


def show_setting(trials: Trials, plan: SweepPlan, vary: Dimension, live: bool = False) -> None:
    """The metric of each trial by one setting."""
    figure.show_chart(
        sweep_settings_charts.slice_plot(trials, plan, vary),
        f"By {setting_title(vary.name)}",
        f"{MEASURES[plan.measure]} of each trial by its {setting_title(vary.name)}",
        "slice",
        "sweep_slice_chart",
        live=live,
        finding=findings.setting(trials, plan, vary),
    )


def show_importance(sweep: Sweep, trials: Trials, plan: SweepPlan) -> None:
    """How much of the differences between trials each setting explains."""
    shares = analysis_caches.setting_importances(str(sweep.path), sum(row["state"] == "finished" for row in trials))
    if not shares:
        st.caption(f"Importance needs at least {importance.MIN_TRIALS} finished trials with different results.")
        return
    in_words = ", ".join(f"{setting_title(row['setting'])} {row['share']:.0%}" for row in shares)
    figure.show_chart(
        sweep_settings_charts.importance_bars(shares),
        "Importance of the settings",
        f"Share of the variance: {in_words}",
        "importance",
        "sweep_importance",
        finding=findings.importance(shares),
    )


def show_sweep_comparison(sweep: Sweep, plan: SweepPlan, trials: Trials) -> None:
    """Another sweep with the same metric in one chart with this one."""
    summaries = summaries_by_id()
    others = [
        sweep_id
        for sweep_id, row in summaries.items()
        if sweep_id != sweep.id and row["measure"] == plan.measure and row["trials"]
    ]
    if not others:
        return
    if st.session_state.get(state.SWEEP_BESIDE) not in others:
        st.session_state[state.SWEEP_BESIDE] = None
    titles = sweep_titles(summaries)
    chosen = st.selectbox(
        "Compare with",
        others,
        format_func=titles.__getitem__,
        key=state.SWEEP_BESIDE,
        index=None,
        placeholder="another sweep",
    )
    other = guard.try_action(partial(find_sweep, chosen or ""), chosen is not None)
    if other is None:
        return
    both = {"this sweep": (trials, plan), "the other": (other.trials(), other.plan())}
    points = [point for label, (rows, of) in both.items() for point in sweep_charts.best_so_far(rows, of, label)]
    figure.show_chart(
        sweep_charts.best_so_far_curve(points, plan, "seconds"),
        "Both sweeps",
        "Best so far of two sweeps by seconds of training",
        "best so far",
        "sweep_beside",
        finding=findings.two_sweeps({label: best_trial(rows, of) for label, (rows, of) in both.items()}, plan),
    )
    st.table(formatting.escape_table([_comparison_row(label, rows, of) for label, (rows, of) in both.items()]))


def _comparison_row(label: str, trials: Trials, plan: SweepPlan) -> dict[str, str]:
    best = best_trial(trials, plan)
    return {
        "": label,
        "search space": ", ".join(str(vary) for vary in plan.space),
        "sampler": plan.sampler,
        "data": plan.base.data,
        "trials": str(len(trials)),
        "pruned": str(sum(row["state"] == "pruned" for row in trials)),
        "seconds": f"{sum(row.get('seconds') or 0 for row in trials):.0f}",
        "best": "-" if best is None else f"{best['value']:.4f}",
    }
