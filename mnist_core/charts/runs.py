"""Charts of one or several runs: training curves, and accuracy against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.charts.axes import PERCENT_LABEL, value_axis
from mnist_core.charts.common import COLORS, downsample

CURVE_AXES = {"step": "Step", "epoch": "Epoch", "elapsed": "Training time (seconds)"}
"""What the curves of several runs can be drawn against -> title of the axis."""

METRIC_TITLES = {
    "loss": "Training loss",
    "accuracy": "Training accuracy",
    "val_loss": "Validation loss",
    "val_accuracy": "Validation accuracy",
}

COST_TITLES = {"parameters": "Parameters", "train_seconds": "Training time (seconds)"}
"""What the accuracy of runs can be drawn against -> title of the axis."""

Report = Mapping[str, Any]
"""One line of metrics.jsonl."""


def training_curve(reports: Sequence[Report], metric: str, steps_per_epoch: float) -> Any:
    """Draws one metric of a run: training as a line, validation as a dot at the end of each epoch.

    Args:
        reports: lines of metrics.jsonl.
        metric: `loss` or `accuracy`.
        steps_per_epoch: batches per epoch.

    Returns:
        An Altair chart. Dashed rules mark where a setting was changed during training.
    """
    training = [report for report in reports if metric in report]
    kept = [training[index] for index in downsample([report[metric] for report in training])]
    validated = [report for report in reports if f"val_{metric}" in report]
    points = [
        *(_curve_point(report, "training", report[metric], steps_per_epoch) for report in kept),
        *(_curve_point(report, "validation", report[f"val_{metric}"], steps_per_epoch) for report in validated),
    ]
    changes = [
        {"epoch": _epoch(report, steps_per_epoch), "what": _changes_in_words(report["changed"])}
        for report in reports
        if isinstance(report.get("changed"), dict)
    ]
    return _training_chart(points, changes, metric)


def _curve_point(report: Report, series: str, value: float, steps_per_epoch: float) -> dict[str, Any]:
    return {"epoch": _epoch(report, steps_per_epoch), "step": report["step"], "series": series, "value": value}


def _epoch(report: Report, steps_per_epoch: float) -> float:
    return report["step"] / steps_per_epoch if steps_per_epoch else 0.0


def _changes_in_words(changed: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in changed.items())


def _training_chart(points: list[dict[str, Any]], changes: list[dict[str, Any]], metric: str) -> Any:
    import altair as alt

    title = metric.capitalize()
    number_format = ".4f" if metric == "loss" else ".2%"
    axis = value_axis((point["value"] for point in points), percent=metric != "loss")
    series = ["training", "validation"]
    base: Any = alt.Chart().encode(
        x=alt.X("epoch:Q", title="Epoch", scale=alt.Scale(zero=True, nice=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=axis),
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
    lone = sum(point["series"] == "training" for point in points) == 1  # a line of one point is invisible
    line = base.mark_line(strokeWidth=2, interpolate="linear", point=lone)
    dots = base.mark_circle(size=70, opacity=1).transform_filter(alt.datum.series == "validation")
    hover = base.mark_circle(size=160, opacity=0.001).transform_filter(alt.datum.series == "training")
    layers = [line, hover, dots]
    if changes:
        rules = alt.Chart({"values": changes}).encode(x="epoch:Q", tooltip=alt.Tooltip("what:N", title="Changed to"))
        layers.append(rules.mark_rule(strokeDash=[4, 4], size=2, color=COLORS["muted"]))
    # The points as a dict, once for all layers: Altair copies and validates every point of any other kind of data.
    return alt.layer(*layers, data={"values": points}).properties(height=220)


def run_curves(
    curves: Mapping[str, Sequence[Report]],
    metric: str,
    axis: str,
    smoothing: float = 0.0,
    logarithmic: bool = False,
) -> Any:
    """Draws one metric of several runs in one chart.

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

    points = []
    for name, reports in curves.items():
        drawn = [
            report
            for report in reports
            if metric in report and axis in report and not (logarithmic and report[metric] <= 0)
        ]
        values = smooth_values([report[metric] for report in drawn], smoothing)
        points += [{"run": name, "x": drawn[index][axis], "y": values[index]} for index in downsample(values)]
    scale = alt.Scale(type="log" if logarithmic else "linear", zero=False)
    at_epochs = axis == "epoch" and metric.startswith("val_")
    x_axis = alt.Axis(tickMinStep=1, format="d") if at_epochs else alt.Axis()
    percent = metric.endswith("accuracy")
    y_axis = value_axis(_column(points, "y"), percent)
    if logarithmic:
        y_axis = alt.Axis(labelExpr=PERCENT_LABEL) if percent else alt.Axis(format="~g")
    # The points as a dict, not as InlineData: Altair validates each of those, a third of a second for 5,000.
    chart: Any = alt.Chart({"values": points}).mark_line(strokeWidth=2, point=len(points) < 60)
    return chart.encode(
        x=alt.X("x:Q", title=CURVE_AXES[axis], scale=alt.Scale(zero=False, nice=False), axis=x_axis),
        y=alt.Y("y:Q", title=METRIC_TITLES[metric], scale=scale, axis=y_axis),
        color=alt.Color(
            "run:N", legend=alt.Legend(title=None, orient="top", offset=6, padding=0, columns=1, labelLimit=400)
        ),
        tooltip=[
            alt.Tooltip("run:N", title="Run"),
            alt.Tooltip("x:Q", title=CURVE_AXES[axis], format=",.4~f"),
            alt.Tooltip("y:Q", title=METRIC_TITLES[metric], format=".2%" if percent else ".4f"),
        ],
    ).properties(height=320)


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
