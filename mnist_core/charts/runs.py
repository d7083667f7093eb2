"""Charts of one or several runs: training curves, accuracy against cost, the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.charts.common import COLORS, downsample


def training_curve(rows: Sequence[Mapping[str, Any]], measure: str, steps_per_epoch: float) -> Any:
    """The course of one measure: training as it goes, validation at each epoch's end.

    Args:
        rows: reports as they stand in metrics.jsonl.
        measure: `loss` or `accuracy`.
        steps_per_epoch: batches in an epoch.

    Returns:
        An Altair chart.
    """
    training = [row for row in rows if measure in row]
    kept = [training[index] for index in downsample([row[measure] for row in training])]
    points = [_point(row, "training", row[measure], steps_per_epoch) for row in kept]
    validated = [row for row in rows if f"val_{measure}" in row]
    points += [_point(row, "validation", row[f"val_{measure}"], steps_per_epoch) for row in validated]
    changes = [_change(row, steps_per_epoch) for row in rows if isinstance(row.get("changed"), dict)]
    return _lines(points, changes, measure)


def _point(row: Mapping[str, Any], series: str, value: float, steps_per_epoch: float) -> dict[str, Any]:
    epoch = row["step"] / steps_per_epoch if steps_per_epoch else 0.0
    return {"epoch": epoch, "step": row["step"], "series": series, "value": value}


def _change(row: Mapping[str, Any], steps_per_epoch: float) -> dict[str, Any]:
    """Where something was changed by hand, and what."""
    what = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row["changed"].items())
    return {"epoch": row["step"] / steps_per_epoch if steps_per_epoch else 0.0, "what": what}


def _lines(points: list[dict[str, Any]], changes: list[dict[str, Any]], measure: str) -> Any:
    import altair as alt

    number, ticks = (".4f", ".2~f") if measure == "loss" else (".2%", ".0%")
    names = ["training", "validation"]
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=names, range=[COLORS[name] for name in names]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1, symbolType="circle"),
    )
    tooltip = [
        alt.Tooltip("series:N", title="images"),
        alt.Tooltip("epoch:Q", format=".2f"),
        alt.Tooltip("step:Q", format=",d"),
        alt.Tooltip("value:Q", title=measure, format=number),
    ]
    base: Any = alt.Chart().encode(
        x=alt.X("epoch:Q", title="epoch", scale=alt.Scale(zero=True, nice=False)),
        y=alt.Y("value:Q", title=measure, scale=alt.Scale(zero=False), axis=alt.Axis(format=ticks)),
        color=colour,
        tooltip=tooltip,
    )
    line = base.mark_line(strokeWidth=2, interpolate="linear")
    dots = base.mark_circle(size=70, opacity=1).transform_filter(alt.datum.series == "validation")
    reach = base.mark_circle(size=160, opacity=0.001).transform_filter(alt.datum.series == "training")  # to hover on
    layers = [line, reach, dots]
    if changes:
        rules = alt.Chart({"values": changes}).encode(x="epoch:Q", tooltip=alt.Tooltip("what:N", title="changed"))
        layers.append(rules.mark_rule(strokeDash=[4, 4], size=2, color=COLORS["muted"]))
    # The points once for all layers, as a dict: Altair copies and looks at each of any other.
    return alt.layer(*layers, data={"values": points}).properties(height=260)


CURVE_AXES = {"step": "step", "epoch": "epoch", "elapsed": "seconds of training"}
"""What curves can be laid over one another by -> its title."""


def run_curves(
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    measure: str,
    axis: str,
    smoothing: float = 0.0,
    logarithmic: bool = False,
) -> Any:
    """One measure of several runs in one chart.

    Args:
        curves: name -> reports, each with `step`, `epoch`, `elapsed`; one without the measure is left out.
        measure: `loss`, `accuracy`, `val_loss` or `val_accuracy`.
        axis: one of AXES.
        smoothing: 0..0.99, the weight of what came before, as TensorBoard does it.
        logarithmic: the scale of the measure; what is not above 0 is left out then.

    Returns:
        An Altair chart.
    """
    import altair as alt

    points = []
    for name, rows in curves.items():
        told = [row for row in rows if measure in row and axis in row and not (logarithmic and row[measure] <= 0)]
        values = smooth_values([row[measure] for row in told], smoothing)
        points += [{"run": name, "x": told[i][axis], "y": values[i]} for i in downsample(values)]
    scale = alt.Scale(type="log" if logarithmic else "linear", zero=False)
    # A dict, and not InlineData: Altair looks at each point of that one, a third of a second for 5,000.
    chart: Any = alt.Chart({"values": points}).mark_line(strokeWidth=2, point=len(points) < 60)
    return chart.encode(
        x=alt.X("x:Q", title=CURVE_AXES[axis], scale=alt.Scale(zero=False, nice=False)),
        y=alt.Y("y:Q", title=measure.replace("val_", "validation "), scale=scale),
        color=alt.Color("run:N", legend=alt.Legend(title=None, orient="top", columns=1, labelLimit=400)),
        tooltip=["run:N", alt.Tooltip("x:Q", title=CURVE_AXES[axis], format=",.4~f"), alt.Tooltip("y:Q", format=".4f")],
    ).properties(height=320)


def smooth_values(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average, corrected for its beginning at zero (Kingma and Ba, 2015). `weight`: 0..0.99."""
    smoothed, average = [], 0.0
    for count, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**count))
    return smoothed


def accuracy_scatter(rows: Sequence[Mapping[str, Any]], against: str) -> Any:
    """Test accuracy of runs against `parameters` or `train_seconds`, an Altair chart. `rows`: as history.history_row."""
    import altair as alt

    told = ("name", "test_accuracy", against)
    points = [
        {name: row.get(name) for name in told}
        for row in rows
        if row.get("test_accuracy") is not None and row.get(against)
    ]
    title = {"parameters": "parameters", "train_seconds": "seconds of training"}[against]
    chart: Any = alt.Chart({"values": points}).mark_circle(size=90, color=COLORS["training"])
    return chart.encode(
        x=alt.X(f"{against}:Q", title=title, scale=alt.Scale(type="log")),
        y=alt.Y("test_accuracy:Q", title="test accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".1%")),
        tooltip=["name:N", alt.Tooltip("test_accuracy:Q", format=".2%"), alt.Tooltip(f"{against}:Q", format=",.0f")],
    ).properties(height=300)


def confusion_matrix(matrix: Sequence[Sequence[int]]) -> Any:
    """(10, 10) counts as a heat map, an Altair chart: row = true digit, column = read. The diagonal has no colour."""
    import altair as alt

    cells = [
        {"true": true, "read": read, "count": int(count), "wrong": 0 if true == read else int(count)}
        for true, row in enumerate(matrix)
        for read, count in enumerate(row)
    ]
    base: Any = alt.Chart().encode(
        x=alt.X("read:O", title="read as", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("true:O", title="true digit"),
        tooltip=["true:O", "read:O", "count:Q"],
    )
    colour = alt.Color("wrong:Q", scale=alt.Scale(scheme="oranges"), legend=None)
    layers = base.mark_rect().encode(color=colour), base.mark_text(fontSize=10).encode(text="count:Q")
    return alt.layer(*layers, data={"values": cells}).properties(height=320)
