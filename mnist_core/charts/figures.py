"""Arrays and reports in, charts, pictures and figures for people out. Altair for the screen, imported when first drawn:
it takes half a second that a page without charts need not wait for."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from csv import DictWriter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 500  # of a series: more are slow to redraw, and a screen shows no more

COLOURS = {
    "training": "#14917f",
    "validation": "#e0703f",
    "third": "#4a7fd4",
    "muted": "#8b97a8",
}
"""All colours of charts and pages; each reads on white and on black."""

DIGIT_COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Of the ten digits, where they lie among others: M. Petroff's ten (arXiv:2107.02270), for the colour-blind too."""


def thin(values: Sequence[float], limit: int = MAX_POINTS) -> list[int]:
    """Indices of at most `limit` of the values, in order: the smallest and largest of each stretch, first and last."""
    count = len(values)
    if count <= limit:
        return list(range(count))
    edges = np.linspace(0, count, (limit - 2) // 2 + 1).astype(int)
    array = np.asarray(values, np.float64)
    kept = {0, count - 1}
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        kept |= {start + int(array[start:end].argmin()), start + int(array[start:end].argmax())}
    return sorted(kept)


def curve(rows: Sequence[Mapping[str, Any]], measure: str, steps_per_epoch: float) -> Any:
    """The course of one measure: training as it goes, validation at each epoch's end.

    Args:
        rows: reports as they stand in metrics.jsonl.
        measure: `loss` or `accuracy`.
        steps_per_epoch: batches in an epoch.

    Returns:
        An Altair chart.
    """
    training = [row for row in rows if measure in row]
    kept = [training[index] for index in thin([row[measure] for row in training])]
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
        scale=alt.Scale(domain=names, range=[COLOURS[name] for name in names]),
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
        layers.append(rules.mark_rule(strokeDash=[4, 4], size=2, color=COLOURS["muted"]))
    # The points once for all layers, as a dict: Altair copies and looks at each of any other.
    return alt.layer(*layers, data={"values": points}).properties(height=260)


def spec(chart: Any) -> dict[str, Any]:
    """An Altair chart as Vega-Lite, its points in `["data"]["values"]`: made once, and shown often."""
    found: dict[str, Any] = chart.to_dict()
    points = found["datasets"].pop(found["data"]["name"])
    return {**found, "data": {"values": points}}


AXES = {"step": "step", "epoch": "epoch", "elapsed": "seconds of training"}
"""What curves can be laid over one another by -> its title."""


def overlay(
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
        values = smooth([row[measure] for row in told], smoothing)
        points += [{"run": name, "x": told[i][axis], "y": values[i]} for i in thin(values)]
    scale = alt.Scale(type="log" if logarithmic else "linear", zero=False)
    # A dict, and not InlineData: Altair looks at each point of that one, a third of a second for 5,000.
    chart: Any = alt.Chart({"values": points}).mark_line(strokeWidth=2, point=len(points) < 60)
    return chart.encode(
        x=alt.X("x:Q", title=AXES[axis], scale=alt.Scale(zero=False, nice=False)),
        y=alt.Y("y:Q", title=measure.replace("val_", "validation "), scale=scale),
        color=alt.Color("run:N", legend=alt.Legend(title=None, orient="top", columns=1, labelLimit=400)),
        tooltip=["run:N", alt.Tooltip("x:Q", title=AXES[axis], format=",.4~f"), alt.Tooltip("y:Q", format=".4f")],
    ).properties(height=320)


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average, corrected for its beginning at zero (Kingma and Ba, 2015). `weight`: 0..0.99."""
    smoothed, average = [], 0.0
    for count, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**count))
    return smoothed


def scatter(rows: Sequence[Mapping[str, Any]], against: str) -> Any:
    """Test accuracy of runs against `parameters` or `train_seconds`, an Altair chart. `rows`: as history.summary."""
    import altair as alt

    told = ("name", "test_accuracy", against)
    points = [
        {name: row.get(name) for name in told}
        for row in rows
        if row.get("test_accuracy") is not None and row.get(against)
    ]
    title = {"parameters": "parameters", "train_seconds": "seconds of training"}[against]
    chart: Any = alt.Chart({"values": points}).mark_circle(size=90, color=COLOURS["training"])
    return chart.encode(
        x=alt.X(f"{against}:Q", title=title, scale=alt.Scale(type="log")),
        y=alt.Y("test_accuracy:Q", title="test accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".1%")),
        tooltip=["name:N", alt.Tooltip("test_accuracy:Q", format=".2%"), alt.Tooltip(f"{against}:Q", format=",.0f")],
    ).properties(height=300)


def confusion(matrix: Sequence[Sequence[int]]) -> Any:
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


RIGHT, WRONG = (20, 145, 127), (224, 112, 63)
"""RGB of COLOURS' training and validation: teal and orange, told apart by the colour-blind, too."""

FRAME = 3  # pixels around a digit of a wall


def wall(images: NDArray[np.uint8], labels: NDArray[np.uint8], read_as: str, columns: int) -> NDArray[np.uint8]:
    """Digits in one picture, each in a frame: teal where it is read right; orange, with what it is read as, where not.

    Args:
        images: (N, S, S) uint8, N a multiple of `columns`.
        labels: (N,) uint8.
        read_as: N characters, what each is read as.
        columns: how many in a row.

    Returns:
        (H, W, 3) uint8.
    """
    tiles = [_tile(*each) for each in zip(images, labels.tolist(), read_as, strict=True)]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(image: NDArray[np.uint8], label: int, read_as: str) -> NDArray[np.uint8]:
    """(2S + frame, 2S + frame, 3) uint8: one digit twice as large."""
    right = str(label) == read_as
    digit = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    tile = np.repeat(digit[..., None], 3, axis=2)
    if not right:
        cv2.putText(tile, read_as, (1, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WRONG, 2, cv2.LINE_AA)
    colour = RIGHT if right else WRONG
    return np.asarray(cv2.copyMakeBorder(tile, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_CONSTANT, value=colour), np.uint8)


def strip(probabilities: NDArray[np.float32], width: int) -> NDArray[np.uint8]:
    """How an answer changed: a row for each digit, time to the right, the brighter the surer.

    Args:
        probabilities: (T, 10) float32, 0..1, T of 1 or more.
        width: columns at most; of more, some are left out evenly, never the last.

    Returns:
        (10, W, 3) uint8.
    """
    count = len(probabilities)
    shown = probabilities[np.linspace(0, count - 1, min(count, width)).round().astype(int)]
    colours = np.clip(shown.T, 0, 1)[..., None] * np.array(RIGHT) * (255 / max(RIGHT))
    return np.asarray(colours, np.uint8)


def csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows of a chart or a table as CSV in UTF-8, a column for each key, in the order of their first appearance."""
    text = io.StringIO()
    writer = DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def png(image: NDArray[np.uint8]) -> bytes:
    """An (H, W) or (H, W, 3) uint8 picture as PNG."""
    ok, encoded = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)
    if not ok:
        raise ValueError(f"Expected a picture of uint8, got {image.shape} {image.dtype}.")
    return bytes(encoded)


def data_url(image: NDArray[np.uint8]) -> str:
    """The picture as it can stand in HTML."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode("ascii")


def percent(probability: float) -> str:
    """A probability for people: `99.8 %`. A model is never quite sure: `> 99.9 %`, never 100."""
    if probability > 0.9995:
        return "> 99.9 %"
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    return f"{100 * probability:.1f} %"


def duration(seconds: float) -> str:
    """Seconds for people: `42 s`, `3 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
