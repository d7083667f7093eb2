"""Reads what a chart shows in the browser: its marks from Vega's scene graph, its axes and legends as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

READ_CHART = """
(chart) => {
  const svg = chart.querySelector("svg.marks");
  if (!svg) return null;
  const plot = svg.querySelector("path.background").getBoundingClientRect();
  const shown = (element) => element.checkVisibility() && element.getAttribute("opacity") !== "0";
  const marks = [...svg.querySelectorAll("g.role-mark:not(.mark-group)")].map((group) => {
    const elements = [...group.children].filter((each) => each.__data__);
    // A line is one path; its points are the items of its mark.
    const isPath = /mark-(line|area|trail)/.test(group.classList[0]);
    const items = elements.flatMap((each) => (isPath ? each.__data__.mark.items : [each.__data__]));
    const boxes = elements.map((each) => each.getBoundingClientRect());
    return {
      kind: group.classList[0].slice("mark-".length),
      rows: items.map(({datum}) => Object.fromEntries(Object.entries(datum ?? {}))),
      colors: [...new Set(items.map((item) => item.stroke && item.stroke !== "transparent" ? item.stroke : item.fill))],
      texts: items.map((item) => item.text).filter((text) => text !== undefined),
      left: Math.min(...boxes.map((box) => box.left)) - plot.left,
      right: Math.max(...boxes.map((box) => box.right)) - plot.left,
      top: Math.min(...boxes.map((box) => box.top)) - plot.top,
      bottom: Math.max(...boxes.map((box) => box.bottom)) - plot.top,
    };
  });
  const texts = (selector) => [...svg.querySelectorAll(selector)].filter(shown).map((each) => each.textContent);
  const axes = [...svg.querySelectorAll("g.role-axis")].map((axis) => ({
    title: axis.querySelector(".role-axis-title text")?.textContent ?? "",
    ticks: [...axis.querySelectorAll(".role-axis-label text")].filter(shown).map((each) => each.textContent),
  })).filter(({ticks}) => ticks.length);
  return {marks, axes, legend: texts(".role-legend-label text"), width: plot.width, height: plot.height};
}
"""


@dataclass(frozen=True)
class Marks:
    """The marks of one kind, color and layer.

    Attributes:
        kind: `line`, `symbol`, `rect`, `rule`, `text` or `image`.
        rows: the data of each mark, or of each point of a line.
        colors: their strokes; their fills if they have none.
        texts: what text marks say.
        left, right, top, bottom: the box around all of them, in pixels from the upper left corner of the plot.
    """

    kind: str
    rows: list[dict[str, Any]]
    colors: list[str]
    texts: list[str]
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Axis:
    """The title of an axis and the labels of its ticks, in order."""

    title: str
    ticks: list[str]


@dataclass(frozen=True)
class Shown:
    """What a chart shows; `width` and `height` of its plot are in pixels."""

    marks: list[Marks]
    axes: list[Axis]
    legend: list[str]
    width: float
    height: float

    def of_kind(self, kind: str) -> list[Marks]:
        """The marks of a kind that have been drawn."""
        return [marks for marks in self.marks if marks.kind == kind and marks.rows]


def read_chart(chart: Any) -> Shown:
    """What a chart shows.

    Args:
        chart: locator of a chart that is drawn as SVG, which those of up to 2,000 rows are.
    """
    chart.locator("svg.marks").wait_for()
    found = chart.evaluate(READ_CHART)
    return Shown(
        [Marks(**marks) for marks in found.pop("marks")], [Axis(**axis) for axis in found.pop("axes")], **found
    )
