"""Charts of one or several runs: training curves, and accuracy against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mnist_core.charts.axes import PERCENT_LABEL, axis_with_decimals, decimals, value_axis
from mnist_core.charts.common import COLORS, downsample

CURVE_AXES = {"step": "Step", "epoch": "Epoch", "elapsed": "Training time (seconds)"}
"""What the curves of several runs can be drawn against -> title of the axis."""

METRIC_TITLES = {
    "loss": "Training loss",
    "accuracy": "Training accuracy",
    "val_loss": "Validation loss",
    "val_accuracy": "Validation accuracy",
}

ESTIMATE = "validation (estimate)"
"""Series of the estimates of validation within an epoch, a thin line behind the dots of the epochs."""
THIN = {"strokeWidth": 1, "opacity": 0.6, "clip": True}
"""The line of estimates: thinner and lighter than any result."""

COST_TITLES = {"parameters": "Parameters", "train_seconds": "Training time (seconds)"}
"""What the accuracy of runs can be drawn against -> title of the axis."""

Report = Mapping[str, Any]
"""One line of metrics.jsonl."""


def training_curve(reports: Sequence[Report], metric: str, steps_per_epoch: float) -> dict[str, Any]:
    """Draws one metric of a run: training as a line, validation as a dot at the end of each epoch.

    Estimates of validation within an epoch are small dots on a thin line, which leads from dot to dot. A page draws
    this twice a second, so Altair makes one specification for all charts that differ in nothing but their rows.

    Args:
        reports: lines of metrics.jsonl.
        metric: `loss` or `accuracy`.
        steps_per_epoch: batches per epoch.

    Returns:
        A Vega-Lite specification with its rows in `["datasets"]`. Dashed rules mark where a setting was changed during
        training. Do not change it: charts share its parts.
    """
    training = [report for report in reports if metric in report]
    kept = [training[index] for index in downsample([report[metric] for report in training])]
    estimated = [report for report in reports if f"estimated_val_{metric}" in report]
    estimates = [report[f"estimated_val_{metric}"] for report in estimated]
    validated = [report for report in reports if f"val_{metric}" in report]
    results = [
        *(_curve_point(report, "training", report[metric], steps_per_epoch) for report in kept),
        *(_curve_point(report, "validation", report[f"val_{metric}"], steps_per_epoch) for report in validated),
    ]
    small = [
        _curve_point(estimated[index], ESTIMATE, estimates[index], steps_per_epoch) for index in downsample(estimates)
    ]
    datasets = {"points": results + small}
    changes = [
        {"epoch": _epoch(report, steps_per_epoch), "what": _changes_in_words(report["changed"])}
        for report in reports
        if isinstance(report.get("changed"), dict)
    ]
    if changes:
        datasets["changes"] = changes
    highest = max(_column(results, "value"), default=0.0)
    # A network that has hardly begun can have a validation loss that would flatten the curve.
    flattens = metric == "loss" and max(estimates, default=0.0) > highest
    specification = _training_specification(
        metric,
        decimals(_column(results if flattens else datasets["points"], "value"), percent=metric != "loss"),
        highest if flattens else None,
        lone=len(kept) == 1,
        with_estimates=bool(small),
        with_changes=bool(changes),
    )
    return {**specification, "datasets": datasets}


def _curve_point(report: Report, series: str, value: float, steps_per_epoch: float) -> dict[str, Any]:
    return {"epoch": _epoch(report, steps_per_epoch), "step": report["step"], "series": series, "value": value}


def _epoch(report: Report, steps_per_epoch: float) -> float:
    return report["step"] / steps_per_epoch if steps_per_epoch else 0.0


def _changes_in_words(changed: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in changed.items())


@lru_cache(maxsize=100)
def _training_specification(
    metric: str, digits: int, limit: float | None, *, lone: bool, with_estimates: bool, with_changes: bool
) -> dict[str, Any]:
    """The chart of `training_curve` without its rows.

    Args:
        metric: `loss` or `accuracy`.
        digits: decimals of the labels.
        limit: end of the vertical axis; None for where the values end.
        lone: whether training has a single point, which a line does not show.
        with_estimates: whether there are estimates.
        with_changes: whether a setting was changed.
    """
    import altair as alt

    title = metric.capitalize()
    number_format = ".4f" if metric == "loss" else ".2%"
    series = ["training", "validation"]
    scale = alt.Scale(zero=False) if limit is None else alt.Scale(zero=False, domainMax=limit, nice=True)
    base: Any = alt.Chart().encode(
        x=alt.X("epoch:Q", title="Epoch", scale=alt.Scale(zero=True, nice=False)),
        y=alt.Y("value:Q", title=title, scale=scale, axis=axis_with_decimals(digits, percent=metric != "loss")),
        color=alt.Color(
            "series:N",
            scale=alt.Scale(domain=series, range=[COLORS[name] for name in series]),
            legend=alt.Legend(title=None, orient="top", offset=6, padding=0, symbolOpacity=1, symbolType="circle"),
        ),
        tooltip=[
            alt.Tooltip("series:N", title="Images"),
            alt.Tooltip("epoch:Q", title="Epoch", format=".2f"),
            alt.Tooltip("step:Q", title="Step", format=",d"),
            alt.Tooltip("value:Q", title=title, format=number_format),
        ],
    )
    line = base.mark_line(strokeWidth=2, interpolate="linear", point=lone)
    if with_estimates:
        line = line.transform_filter(alt.datum.series != ESTIMATE)
    dots = base.mark_circle(size=70, opacity=1).transform_filter(alt.datum.series == "validation")
    hover = base.mark_circle(size=160, opacity=0.001).transform_filter(alt.datum.series == "training")
    layers = [line, hover, dots]
    if with_estimates:
        thin = base.encode(color=alt.value(COLORS["validation"]))  # one line through both series
        layers[2:2] = [
            thin.mark_line(**THIN).transform_filter(alt.datum.series != "training"),
            thin.mark_circle(size=20, opacity=THIN["opacity"], clip=True).transform_filter(
                alt.datum.series == ESTIMATE
            ),
        ]
    if with_changes:
        rules = alt.Chart(alt.NamedData("changes")).encode(
            x="epoch:Q", tooltip=alt.Tooltip("what:N", title="Changed to")
        )
        layers.append(rules.mark_rule(strokeDash=[4, 4], size=2, color=COLORS["muted"]))
    specification: dict[str, Any] = alt.layer(*layers, data=alt.NamedData("points")).properties(height=220).to_dict()
    return specification


def run_curves(
    curves: Mapping[str, Sequence[Report]],
    metric: str,
    axis: str,
    smoothing: float = 0.0,
    logarithmic: bool = False,
) -> Any:
    """Draws one metric of several runs in one chart.

    A validation metric has the estimates within the epochs, too, as a thin line that is not smoothed. Once a run has
    several results, the axis covers results only: a network that has hardly begun would flatten the curves.

    Args:
        curves: name of a run -> its reports, each with `step`, `epoch` and `elapsed`. Reports without the metric are
            left out.
        metric: one of METRIC_TITLES.
        axis: one of CURVE_AXES.
        smoothing: 0..0.99, the weight of earlier values, as in TensorBoard.
        logarithmic: whether the metric has a logarithmic axis; values that are not positive are then left out.

    Returns:
        An Altair chart.
    """
    import altair as alt

    points, estimates, longest = list[dict[str, Any]](), list[dict[str, Any]](), 0
    for name, reports in curves.items():
        measured = _series(reports, metric, axis, logarithmic)
        values = smooth_values([value for _, value in measured], smoothing)
        points += [{"run": name, "x": measured[index][0], "y": values[index]} for index in downsample(values)]
        longest = max(longest, len(measured))
        thin = _series(reports, metric, axis, logarithmic, f"estimated_{metric}")
        if len(thin) > len(measured):
            kept = downsample([value for _, value in thin])
            estimates += [{"run": name, "x": thin[index][0], "y": thin[index][1], "series": ESTIMATE} for index in kept]
    shown = _column(points if longest > 1 else points + estimates, "y")
    limited = bool(estimates) and longest > 1 and min(shown) < max(shown)
    limits: dict[str, Any] = {"domain": [min(shown), max(shown)], "nice": True} if limited else {}
    scale = alt.Scale(type="log" if logarithmic else "linear", zero=False, **limits)
    at_epochs = axis == "epoch" and metric.startswith("val_") and not estimates
    x_axis = alt.Axis(tickMinStep=1, format="d") if at_epochs else alt.Axis()
    percent = metric.endswith("accuracy")
    y_axis = value_axis(shown, percent)
    if logarithmic:
        y_axis = alt.Axis(labelExpr=PERCENT_LABEL) if percent else alt.Axis(format="~g")
    # The points as a dict, not as InlineData: Altair validates each of those, a third of a second for 5,000.
    base: Any = alt.Chart() if estimates else alt.Chart({"values": points})
    base = base.encode(
        x=alt.X("x:Q", title=CURVE_AXES[axis], scale=alt.Scale(zero=False, nice=False), axis=x_axis),
        y=alt.Y("y:Q", title=METRIC_TITLES[metric], scale=scale, axis=y_axis),
        color=alt.Color(
            "run:N",
            legend=alt.Legend(
                title=None, orient="top", offset=6, padding=0, columns=1, labelLimit=400, symbolOpacity=1
            ),
        ),
        tooltip=[
            alt.Tooltip("run:N", title="Run"),
            alt.Tooltip("x:Q", title=CURVE_AXES[axis], format=",.4~f"),
            alt.Tooltip("y:Q", title=METRIC_TITLES[metric], format=".2%" if percent else ".4f"),
        ],
    )
    line = base.mark_line(strokeWidth=2, point=len(points) < 60)
    if not estimates:
        return line.properties(height=320)
    layers = [base.mark_line(**THIN).transform_filter(alt.datum.series == ESTIMATE)]
    if points:
        layers.append(line.transform_filter(alt.datum.series != ESTIMATE))
    return alt.layer(*layers, data={"values": points + estimates}).properties(height=320)


def _series(
    reports: Sequence[Report], metric: str, axis: str, logarithmic: bool, estimate: str = ""
) -> list[tuple[float, float]]:
    """Place and value of a metric, or of its estimate where there is none, in each report where they can be drawn."""
    found = [(report[axis], report.get(metric, report.get(estimate))) for report in reports if axis in report]
    return [(x, y) for x, y in found if y is not None and not (logarithmic and y <= 0)]


def _column(points: Sequence[Mapping[str, Any]], field: str) -> list[Any]:
    return [point[field] for point in points]


def smooth_values(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average with the bias correction of Adam (Kingma and Ba, 2015). `weight`: 0..0.99."""
    smoothed, average = [], 0.0
    for count, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**count))
    return smoothed


def accuracy_scatter(rows: Sequence[Mapping[str, Any]], cost: str) -> Any:
    """Draws the validation accuracy of runs against their cost.

    Args:
        rows: rows of history.history_row with `name`, `val_accuracy` and the cost; those without either are left out.
        cost: one of COST_TITLES.

    Returns:
        An Altair chart.
    """
    import altair as alt

    points = [
        {name: row.get(name) for name in ("name", "val_accuracy", cost)}
        for row in rows
        if row.get("val_accuracy") is not None and row.get(cost)
    ]
    accuracy_axis = value_axis(_column(points, "val_accuracy"), percent=True)
    chart: Any = alt.Chart({"values": points}).mark_circle(size=90, color=COLORS["training"])
    return chart.encode(
        x=alt.X(f"{cost}:Q", title=COST_TITLES[cost], scale=alt.Scale(type="log")),
        y=alt.Y("val_accuracy:Q", title="Validation accuracy", scale=alt.Scale(zero=False), axis=accuracy_axis),
        tooltip=[
            alt.Tooltip("name:N", title="Run"),
            alt.Tooltip("val_accuracy:Q", title="Validation accuracy", format=".2%"),
            alt.Tooltip(f"{cost}:Q", title=COST_TITLES[cost], format=",.0f"),
        ],
    ).properties(height=300)
