"""A sweep as it goes: how far it is, what can be asked of it, its trials; and when it has ended, its winner."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts import sweep as sweep_charts
from mnist_core.charts.common import format_duration, format_percent
from mnist_core.runs.run import Status
from mnist_core.sweeps import plans, search_space
from mnist_core.sweeps.plans import MEASURES, Plan
from mnist_core.sweeps.store import Sweep, resume_sweep
from pages.ui.shared import cluster_status, components, figure, visitor
from pages.ui.sweep.analysis import show_sweep_analysis

REDRAW_SECONDS = 1.0
BADGES = {
    "queued": "gray",
    "running": "blue",
    "paused": "orange",
    "stopping": "orange",
    "finished": "green",
    "stopped": "green",
    "failed": "red",
    "interrupted": "red",
}
SAID = {"finished": st.success, "stopped": st.info, "paused": st.info}


def show_sweep(sweep: Sweep) -> None:
    """The sweep, redrawn every second until it has ended."""
    plan = components.attempt(sweep.plan, True)
    if plan is None:
        return
    live = sweep.live
    components.fragment(lambda: _live(sweep, plan, live), every=REDRAW_SECONDS if live else None)
    components.fragment(lambda: show_sweep_analysis(sweep, plan, live))


def _live(sweep: Sweep, plan: Plan, live: bool) -> None:
    status, trials = sweep.status(), sweep.trials()
    if live != sweep.live:
        st.rerun()  # once more, with the timer or without
    _heading(sweep, plan, status, live)
    _winner(sweep, plan)
    if not trials:
        st.caption("The first trial begins within a few seconds: its process loads TensorFlow once for all of them.")
        return
    _best(trials, plan, live)
    if any(len(row["values"]) > 1 for row in trials):
        figure.chart(
            sweep_charts.trial_curves(trials, plan),
            f"{MEASURES[plan.measure].capitalize()} by epoch",
            f"{MEASURES[plan.measure]} by epoch of {len(trials)} trials, pruned ones in grey",
            "pruned curves",
            "sweep_curves",
            moving=live,
        )
    _table(trials, plan, live)


def _heading(sweep: Sweep, plan: Plan, status: Status, live: bool) -> None:
    st.markdown(f"#### {components.plain(plans.title(plan))} :{BADGES[status.state]}-badge[{status.state}]")
    varied = " · ".join(f"`{vary}`" for vary in plan.vary)
    how = {"tpe": "TPE", "random": "at random", "grid": "grid"}[plan.how]
    st.caption(f"{varied} · {how} · by {MEASURES[plan.measure]} · {plan.base.data} data · seed {plan.seed}")
    if live:
        left = f" · {format_duration(status.seconds_left)} left" if status.seconds_left is not None else ""
        st.progress(status.progress, text=f"{status.step} of {status.steps} trials{left} · {status.message}")
    else:
        SAID.get(status.state, st.error)(components.plain(status.message))
    _controls(sweep, plan, status, live)


def _controls(sweep: Sweep, plan: Plan, status: Status, live: bool) -> None:
    locked, who = visitor.locked(sweep.files), {"backend": cluster_status.chosen()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if live:
            ask = visitor.checked(sweep.files, sweep.ask)
            st.button("Pause", icon=":material/pause:", on_click=ask, kwargs={"paused": True}, disabled=locked)
            st.button("Stop", icon=":material/stop:", on_click=ask, kwargs={"stop": True}, disabled=locked)
        elif status.state != "finished":
            resume = visitor.checked(sweep.files, resume_sweep)
            st.button(
                "Resume", icon=":material/play_arrow:", on_click=resume, args=(sweep,), kwargs=who, disabled=locked
            )
        most = plans.most_trials(plan)
        if status.steps < most:
            more = st.number_input("More trials", 1, 1000, 10, key=f"more_{sweep.id}", width=140)
            extend = visitor.checked(sweep.files, resume_sweep)
            wanted = min(most, status.steps + int(more))
            st.button(
                "Extend", icon=":material/add:", on_click=extend, args=(sweep, wanted), kwargs=who, disabled=locked
            )


def _best(trials: list[dict[str, Any]], plan: Plan, live: bool) -> None:
    """The best so far, against trials and against seconds."""
    points = sweep_charts.best_so_far(trials, plan, "this sweep")
    best = plans.best_of(trials, plan)
    if best is None:
        return
    found = format_percent(best["value"]) if plan.higher_is_better else f"{best['value']:.4f}"
    number, at, of = st.columns([1, 2, 1])
    number.metric(f"Best {MEASURES[plan.measure]}", found)
    at.markdown(f"Trial {best['trial']}: **{components.plain(search_space.in_words(best['settings']))}**")
    of.page_link("pages/train.py", label="Its run", icon=":material/monitoring:", query_params={"run": best["run"]})
    for column, against in zip(st.columns(2), ("number", "seconds"), strict=True):
        words = {"number": "trials", "seconds": "seconds of training"}[against]
        with column:
            figure.chart(
                sweep_charts.best_so_far_curve(points, plan, against),
                f"Best so far against {words}",
                f"Best {MEASURES[plan.measure]} so far against {words}: {found} after {len(points)} trials",
                "best so far",
                f"sweep_best_{against}",
                moving=live,
            )


def _table(trials: list[dict[str, Any]], plan: Plan, live: bool) -> None:
    names = [vary.name for vary in plan.vary]
    rows = [sweep_charts.trial_row(row, names) for row in reversed(trials)]
    for row in rows:
        row["open"] = f"train?run={row['run']}" if row["run"] else None
    shown = "percent" if plan.higher_is_better else "%.4f"
    columns = {
        "value": st.column_config.NumberColumn(MEASURES[plan.measure], format=shown),
        "learning_rate": st.column_config.NumberColumn("learning rate", format="%.5f"),
        "seconds": st.column_config.NumberColumn(format="%.1f"),
        "open": st.column_config.LinkColumn("open", display_text="its run"),
        **{name: name.replace("_", " ") for name in names if name != "learning_rate"},
    }
    order = ["trial", "state", "value", *names, "open", "epochs run", "seconds", "message", "run"]
    if live:  # redrawn every second: the fold and the button come when it stands still
        st.markdown("##### Trials")
        st.dataframe(rows, hide_index=True, column_config=columns, column_order=order)
    else:
        figure.table(rows, "Trials", "trials", "sweep_trials", column_config=columns, column_order=order)


def _winner(sweep: Sweep, plan: Plan) -> None:
    """The best trial, trained anew; with it, the only figure of the test set."""
    found = sweep.winner()
    if not found.get("run"):
        return
    shown = (lambda value: f"{100 * value:.2f} %") if plan.higher_is_better else (lambda value: f"{value:.4f}")
    with st.container(border=True):
        st.markdown(f"##### The winner: trial {found['trial']}")
        st.write(components.plain(search_space.in_words(found["settings"])))
        mean, test, links = st.columns(3)
        spread = None if found.get("spread") is None else f"± {shown(found['spread'])}"
        mean.metric(
            f"{MEASURES[plan.measure].capitalize()}, mean of {len(found['runs'])} seeds",
            shown(found["mean"]),
            spread,
            delta_color="off",
            delta_arrow="off",
        )
        if isinstance(found.get("test_accuracy"), float):
            test.metric("Test accuracy of the best of them", f"{100 * found['test_accuracy']:.2f} %")
        links.page_link(
            "pages/draw.py", label="Open on the canvas", icon=":material/draw:", query_params={"model": found["run"]}
        )
        links.page_link(
            "pages/train.py", label="Its run", icon=":material/monitoring:", query_params={"run": found["run"]}
        )
        values = ", ".join(f"{shown(row['value'])} (seed {row['seed']})" for row in found["runs"])
        st.caption(
            f"Trained anew with other seeds: {values}. The best of many trials was lucky, too; the mean is what "
            "to expect. The test images were looked at once, for this model."
        )
