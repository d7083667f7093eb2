"""A sweep while it runs and after: progress, controls, the best trial, the heat map, and all trials."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from mnist_core.charts import sweep as sweep_charts
from mnist_core.charts.common import format_duration
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from mnist_core.sweeps import findings, search_space
from mnist_core.sweeps.launch import resume_sweep
from mnist_core.sweeps.objective import best_trial, best_unless_retrained
from mnist_core.sweeps.plan import MEASURES, SweepPlan, max_trials, plan_title
from mnist_core.sweeps.store import Sweep
from mnist_core.wording import plural
from pages.ui.shared import cluster_status, figure, formatting, guard, mode, visitor
from pages.ui.shared.state_badge import state_badge
from pages.ui.sweep.analysis import show_heat_map, show_sweep_analysis
from pages.ui.sweep.form import SAMPLERS, setting_title

REDRAW_SECONDS = 1.0
EXPERT_COLUMNS = ("epochs run", "seconds", "message", "run")
"""Columns of the table of trials that only Expert mode shows, except for the message."""
MESSAGE_BOXES = {"finished": st.success, "stopped": st.info, "paused": st.info}
"""State -> how its message is shown; others as errors."""


def show_sweep(sweep: Sweep) -> None:
    """The sweep, its best trial and its heat map first, redrawn every second until it has ended. In Expert mode all."""
    plan = guard.try_action(sweep.plan, True)
    if plan is None:
        return
    live = sweep.live
    guard.render_fragment(lambda: _show_progress(sweep, plan, live), every=REDRAW_SECONDS if live else None)
    if mode.is_expert():
        guard.render_fragment(lambda: show_sweep_analysis(sweep, plan, live))


def _show_progress(sweep: Sweep, plan: SweepPlan, live: bool) -> None:
    status, trials = sweep.status(), sweep.trials()
    if live != sweep.live:
        st.rerun()  # started or ended meanwhile: begin or stop redrawing every second
    _show_heading(sweep, plan, status, live)
    _show_controls(sweep, status, live)
    retrained = sweep.retrained_best()
    best = best_unless_retrained(trials, plan, retrained)
    if best is not None:
        _show_best_trial(best, plan)
    if retrained.get("run"):
        _show_retrained_best(sweep, plan, retrained, earlier=best is not None)
    if not trials:
        starting = "The first trial starts in a few seconds: the worker loads TensorFlow once for all trials."
        st.caption(starting if live else "The sweep ended before its first trial.")
        if mode.is_expert() and not live:
            _show_extension(sweep, plan, status)
        return
    show_heat_map(trials, plan, live)
    if mode.is_expert():
        _show_best_so_far(trials, plan, live)
        _show_trial_curves(trials, plan, live)
    _show_trials(trials, plan, live)
    if mode.is_expert():
        _show_extension(sweep, plan, status)


def _show_trial_curves(trials: list[dict[str, Any]], plan: SweepPlan, live: bool) -> None:
    """The metric of every trial by epoch; nothing while no trial has two epochs."""
    if any(len(row["values"]) > 1 for row in trials):
        figure.show_chart(
            sweep_charts.trial_curves(trials, plan),
            f"{MEASURES[plan.measure].capitalize()} by epoch",
            f"{MEASURES[plan.measure]} by epoch of {plural(len(trials), 'trial')}, pruned ones in gray",
            "pruned curves",
            "sweep_curves",
            live=live,
            finding=findings.trial_curves(trials),
        )


def _show_heading(sweep: Sweep, plan: SweepPlan, status: Status, live: bool) -> None:
    """Title and state; progress while the sweep runs, and why it ended if it is not finished. In Expert mode all."""
    st.markdown(f"#### {formatting.escape_markdown(plan_title(plan))} {state_badge(status.state)}")
    if mode.is_expert():
        space = " · ".join(map(str, plan.space))
        sampler = SAMPLERS[plan.sampler][0]
        about = (
            f"{space} · sampler {sampler} · metric {MEASURES[plan.measure]} · {plan.base.data} data · seed {plan.seed}"
        )
        st.caption(formatting.escape_markdown(about))
    if live:
        left = "" if status.seconds_left is None else f" · {format_duration(status.seconds_left)} left"
        text = f"{status.step} of {plural(status.steps, 'trial')}{left} · {status.message}"
        st.progress(status.progress, text=formatting.escape_markdown(text))
    elif status.state != "finished" or mode.is_expert():
        MESSAGE_BOXES.get(status.state, st.error)(formatting.escape_markdown(status.message))


def _show_controls(sweep: Sweep, status: Status, live: bool) -> None:
    """Pause and stop, or resume. Disabled on the sweep of another visitor."""
    locked = visitor.is_locked(sweep.files)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if live:
            request = visitor.owner_callback(sweep.files, sweep.update_control)
            st.button("Pause", icon=":material/pause:", on_click=request, kwargs={"paused": True}, disabled=locked)
            st.button("Stop", icon=":material/stop:", on_click=request, kwargs={"stop": True}, disabled=locked)
        elif status.state != "finished":
            st.button(
                "Resume",
                icon=":material/play_arrow:",
                on_click=visitor.owner_callback(sweep.files, resume_sweep),
                args=(sweep,),
                kwargs={"backend": cluster_status.chosen_backend()},
                disabled=locked,
            )


def _show_extension(sweep: Sweep, plan: SweepPlan, status: Status) -> None:
    """More trials, if the sweep can have more."""
    limit = max_trials(plan)
    if status.steps >= limit:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = f"more_{sweep.id}"
        st.number_input("More trials", 1, 1000, 10, key=key, width=140)

        def extend(**backend: Any) -> None:  # reads the number now: it may have been typed just before the click
            resume_sweep(sweep, min(limit, status.steps + int(st.session_state[key])), **backend)

        st.button(
            "Extend",
            icon=":material/add:",
            on_click=visitor.owner_callback(sweep.files, extend),
            kwargs={"backend": cluster_status.chosen_backend()},
            disabled=visitor.is_locked(sweep.files),
        )


def _show_best_trial(best: dict[str, Any], plan: SweepPlan) -> None:
    """The best trial so far, and a link to its run."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        st.metric(f"Best {MEASURES[plan.measure]}", _format_value(best["value"], plan), width="content")
        settings = formatting.escape_markdown(search_space.settings_text(best["settings"]))
        st.markdown(f"Trial {_trial_number(best)}: **{settings}**", width="content")
        st.page_link(
            "pages/train.py", label="Open run", icon=":material/monitoring:", query_params={"run": best["run"]}
        )


def _trial_number(trial: dict[str, Any]) -> str:
    return formatting.escape_markdown(str(trial["trial"]))


def _format_value(value: float, plan: SweepPlan) -> str:
    return f"{value:.2%}" if plan.higher_is_better else f"{value:.4f}"


def _show_best_so_far(trials: list[dict[str, Any]], plan: SweepPlan, live: bool) -> None:
    """Charts of the best value against trials and against training time."""
    best = best_trial(trials, plan)
    if best is None:
        return
    points = sweep_charts.best_so_far(trials, plan, "this sweep")
    axes = {"number": "trials", "seconds": "seconds of training"}
    for column, (axis, axis_title) in zip(st.columns(2), axes.items(), strict=True):
        value = _format_value(best["value"], plan)
        with column:
            figure.show_chart(
                sweep_charts.best_so_far_curve(points, plan, axis),
                f"Best so far by {axis_title}",
                f"Best {MEASURES[plan.measure]} so far by {axis_title}: {value} after {plural(len(points), 'trial')}",
                "best so far",
                f"sweep_best_{axis}",
                live=live,
                finding=findings.best_so_far(points),
            )


def _show_trials(trials: list[dict[str, Any]], plan: SweepPlan, live: bool) -> None:
    """A table of all trials, newest first."""
    names = [vary.name for vary in plan.space]
    rows = [sweep_charts.trial_row(row, names) for row in reversed(trials)]
    for row in rows:
        row["open"] = f"train?run={row['run']}" if row["run"] else None
    # The step makes Streamlit show two decimals of a share.
    value_format, step = ("percent", 1e-4) if plan.higher_is_better else ("%.4f", None)
    columns: dict[str, ColumnConfig | str | None] = {
        **{name: setting_title(name) for name in names},
        "value": st.column_config.NumberColumn(MEASURES[plan.measure], format=value_format, step=step),
        "learning_rate": st.column_config.NumberColumn("learning rate", format="%.3g"),
        "seconds": st.column_config.NumberColumn(format="%.1f"),
        "open": st.column_config.LinkColumn("open", display_text="open run"),
    }
    order = ["trial", "state", "value", *names, "open", *(EXPERT_COLUMNS if mode.is_expert() else ("message",))]
    if live:  # redrawn every second, which would close a popover: help and download come when the sweep has ended
        st.markdown("##### Trials")
        st.dataframe(rows, hide_index=True, column_config=columns, column_order=order, placeholder="")
    else:
        figure.show_table(
            rows, "Trials", "trials", "sweep_trials", column_config=columns, column_order=order, placeholder=""
        )


def _show_retrained_best(sweep: Sweep, plan: SweepPlan, best: dict[str, Any], earlier: bool) -> None:
    """A trial that was retrained, with its test accuracy. `earlier`: an extension has found a better trial since."""
    title = "Retrained earlier: trial" if earlier else "Best trial:"
    with st.container(border=True):
        name = formatting.escape_markdown(run_title(Run(sweep.root / best["run"])))
        settings = formatting.escape_markdown(search_space.settings_text(best["settings"]))
        st.markdown(f"##### {title} {_trial_number(best)}\n\n**{settings}**. Its best model is **{name}**.")
        scores = st.container(horizontal=True, gap="medium")
        scores.metric(
            f"{MEASURES[plan.measure].capitalize()}, mean of {plural(len(best['runs']), 'seed')}",
            _format_value(best["mean"], plan),
            None if best.get("spread") is None else f"± {_format_value(best['spread'], plan)}",
            delta_color="off",
            delta_arrow="off",
            width="content",
        )
        if isinstance(best.get("test_accuracy"), float):
            test = f"{best['test_accuracy']:.2%}"
            scores.metric("Test accuracy of the best seed", test, width="content")
        links = scores.container(width="content")
        links.page_link(
            "pages/draw.py",
            label="Draw a digit for this model",
            icon=":material/draw:",
            query_params={"model": best["run"]},
        )
        links.page_link(
            "pages/train.py", label="Open run", icon=":material/monitoring:", query_params={"run": best["run"]}
        )
        seeds = (f"{_format_value(row['value'], plan)} (seed {row['seed']})" for row in best["runs"])
        values = formatting.escape_markdown(", ".join(seeds))
        before = best.get("tested_before", 0)
        once = "Only this model was evaluated on the test images, once."
        looks = formatting.escape_markdown(findings.repeated_test(before) if before else once)
        st.caption(
            f"Retrained with other seeds: {values}. The best of many trials is partly luck, so expect the mean. {looks}"
        )
