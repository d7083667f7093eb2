"""Charts of learning rates: a learning-rate schedule, and the range test of the learning-rate finder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import COLORS

OVERSHOOT = 1.3
"""Top of the loss axis, relative to the largest loss before the lowest: a diverging loss would flatten the valley."""


def schedule_curve(rates: NDArray[np.float32], epochs: int) -> Any:
    """Draws a learning-rate schedule before the training starts.

    Args:
        rates: (N,) float32, at evenly spaced points of the training.
        epochs: length of the training.

    Returns:
        An Altair chart.
    """
    import altair as alt

    positions = np.arange(len(rates)) * epochs / len(rates)
    points = [
        {"epoch": round(epoch, 4), "learning rate": float(rate)}
        for epoch, rate in zip(positions.tolist(), rates.tolist(), strict=True)
    ]
    chart: Any = alt.Chart({"values": points})
    encoded = chart.mark_line(strokeWidth=2, color=COLORS["training"]).encode(
        x=alt.X("epoch:Q", title="Epoch", scale=alt.Scale(domain=[0, epochs], nice=False)),
        y=alt.Y("learning rate:Q", title="Learning rate", scale=alt.Scale(zero=True), axis=alt.Axis(format="~g")),
        tooltip=[
            alt.Tooltip("epoch:Q", title="Epoch", format=".2f"),
            alt.Tooltip("learning rate:Q", title="Learning rate", format=".3~g"),
        ],
    )
    return encoded.properties(height=200)


def range_test_curve(
    points: Sequence[Mapping[str, float]], rate_range: tuple[float, float], suggested: float | None
) -> Any:
    """Draws the loss of a range test against the learning rate, and marks the suggested rate.

    Args:
        points: each with `rate`, `loss` and `smoothed`, in the order of the test.
        rate_range: the lowest and the highest rate of the test.
        suggested: the rate to mark; None for none.

    Returns:
        An Altair chart: a dot for each batch, and the smoothed loss as a line.
    """
    import altair as alt

    rows = [{"learning rate": point["rate"], "loss": point["loss"], "smoothed": point["smoothed"]} for point in points]
    smoothed = [row["smoothed"] for row in rows] or [1.0]
    top = OVERSHOOT * max(smoothed[: smoothed.index(min(smoothed)) + 1])
    loss_scale = alt.Scale(domain=[0, top], nice=False)
    first, last = (round(np.log10(end)) for end in rate_range)
    x = alt.X(
        "learning rate:Q",
        title="Learning rate (rises with each batch)",
        scale=alt.Scale(type="log", domain=list(rate_range), nice=False),
        axis=alt.Axis(format="~g", values=[10.0**power for power in range(first, last + 1)]),
    )
    tooltip = [
        alt.Tooltip("learning rate:Q", title="Learning rate", format=".3~g"),
        alt.Tooltip("loss:Q", title="Loss of the batch", format=".4f"),
        alt.Tooltip("smoothed:Q", title="Smoothed loss", format=".4f"),
    ]
    base: Any = alt.Chart().encode(x=x, tooltip=tooltip)
    dots = base.mark_circle(size=20, opacity=0.5, color=COLORS["muted"], clip=True).encode(
        y=alt.Y("loss:Q", title="Loss of the batch", scale=loss_scale)
    )
    line = base.mark_line(strokeWidth=2.5, color=COLORS["training"], clip=True).encode(
        y=alt.Y("smoothed:Q", title="Loss of the batch", scale=loss_scale)
    )
    layers = [dots, line]
    if suggested is not None:
        mark = alt.Chart({"values": [{"learning rate": suggested, "name": f"{suggested:g}"}]}).encode(x=x)
        layers.append(mark.mark_rule(strokeDash=[6, 4], size=2, color=COLORS["validation"]))
        text = mark.mark_text(align="left", dx=6, dy=8, fontSize=13, fontWeight="bold", color=COLORS["validation"])
        layers.append(text.encode(text="name:N", y=alt.value(0)))
    return alt.layer(*layers, data={"values": rows}).properties(height=260)
