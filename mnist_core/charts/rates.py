"""Charts of learning rates: a schedule before it is trained, and a range test as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import COLORS

OVERSHOOT = 1.3  # of the largest loss before the lowest: what explodes would flatten the valley


def schedule_curve(rates: NDArray[np.float32], epochs: int) -> Any:
    """A learning-rate schedule.

    Args:
        rates: (N,) float32, of places evenly spaced over the whole training.
        epochs: how many that is.

    Returns:
        An Altair chart.
    """
    import altair as alt

    places = np.arange(len(rates)) * epochs / len(rates)
    points = [
        {"epoch": round(place, 4), "learning rate": float(rate)}
        for place, rate in zip(places.tolist(), rates.tolist(), strict=True)
    ]
    chart: Any = alt.Chart({"values": points})
    encoded = chart.mark_line(strokeWidth=2, color=COLORS["training"]).encode(
        x=alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=[0, epochs], nice=False)),
        y=alt.Y("learning rate:Q", title="learning rate", scale=alt.Scale(zero=True), axis=alt.Axis(format="~g")),
        tooltip=[alt.Tooltip("epoch:Q", format=".2f"), alt.Tooltip("learning rate:Q", format=".3~g")],
    )
    return encoded.properties(height=200)


def range_test_curve(points: Sequence[Mapping[str, float]], ends: tuple[float, float], suggested: float | None) -> Any:
    """The loss by the learning rate at which it was met.

    Args:
        points: each with `rate`, `loss` and `smoothed`, in the order of the test.
        ends: the lowest and the highest rate of the test.
        suggested: the rate that is marked, where there is one.

    Returns:
        An Altair chart: a dot for each batch, the smoothed loss as a line.
    """
    import altair as alt

    rows = [{"learning rate": point["rate"], "loss": point["loss"], "smoothed": point["smoothed"]} for point in points]
    smoothed = [row["smoothed"] for row in rows] or [1.0]
    top = OVERSHOOT * max(smoothed[: smoothed.index(min(smoothed)) + 1])
    loss = alt.Scale(domain=[0, top], nice=False)
    decades = [10.0**power for power in range(round(np.log10(ends[0])), round(np.log10(ends[1])) + 1)]
    x = alt.X(
        "learning rate:Q",
        title="learning rate, rising from batch to batch",
        scale=alt.Scale(type="log", domain=list(ends), nice=False),
        axis=alt.Axis(format="~g", values=decades),
    )
    tooltip = [
        alt.Tooltip("learning rate:Q", format=".3~g"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("smoothed:Q", format=".4f"),
    ]
    base: Any = alt.Chart().encode(x=x, tooltip=tooltip)
    dots = base.mark_circle(size=20, opacity=0.5, color=COLORS["muted"], clip=True).encode(
        y=alt.Y("loss:Q", title="loss of a batch", scale=loss)
    )
    line = base.mark_line(strokeWidth=2.5, color=COLORS["training"], clip=True).encode(
        y=alt.Y("smoothed:Q", title="loss of a batch", scale=loss)
    )
    layers = [dots, line]
    if suggested is not None:
        mark = alt.Chart({"values": [{"learning rate": suggested, "name": f"{suggested:g}"}]}).encode(x=x)
        layers.append(mark.mark_rule(strokeDash=[6, 4], size=2, color=COLORS["validation"]))
        text = mark.mark_text(align="left", dx=6, dy=8, fontSize=13, fontWeight="bold", color=COLORS["validation"])
        layers.append(text.encode(text="name:N", y=alt.value(0)))
    return alt.layer(*layers, data={"values": rows}).properties(height=260)
