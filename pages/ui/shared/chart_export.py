"""Buttons that save a chart as PNG or SVG. The browser makes both from what it shows, so the theme is the visitor's."""

from __future__ import annotations

import html
import re

import streamlit as st

SCRIPT = """
<script>
if (!window.labChartExport) {
  window.labChartExport = true;

  const save = (url, name) => {
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
  };

  // A standalone copy of the SVG, with the page's background.
  const standaloneSvg = (svg, background) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.style.background = background;
    return "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(copy));
  };

  const toPng = (image, width, height, background) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    context.fillStyle = background;
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0, width, height);
    return canvas.toDataURL("image/png");
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-lab-chart]");
    if (!button) return;
    const {labChart, labName, labKind} = button.dataset;
    const marks = document.querySelector(`.${labChart} .stVegaLiteChart .marks`);
    if (!marks) return;
    const background = getComputedStyle(document.querySelector(".stApp")).backgroundColor;
    if (marks.tagName === "CANVAS") { // a chart of thousands of marks: there is no SVG of it
      save(toPng(marks, marks.width, marks.height, background), `${labName}.png`);
      return;
    }
    const url = standaloneSvg(marks, background);
    if (labKind === "svg") return save(url, `${labName}.svg`);
    const image = new Image();
    image.src = url;
    await image.decode();
    const {width, height} = marks.getBoundingClientRect();
    save(toPng(image, 2 * width, 2 * height, background), `${labName}.png`);
  });
}
</script>
"""


SVG_MARKS = 2000
"""Streamlit draws a chart of more rows on a canvas, of which there is no SVG."""


def show_export_buttons(container_key: str, name: str, rows: int) -> None:
    """The buttons PNG and SVG.

    Args:
        container_key: of the container that holds the chart.
        name: of the file, without its ending.
        rows: of the chart's data.
    """
    chart = f"st-key-{re.sub(r'[^a-zA-Z0-9_-]', '-', container_key)}"  # the class that Streamlit gives the container
    buttons = "".join(
        f'<button class="lab-export" data-lab-chart="{html.escape(chart)}" data-lab-name="{html.escape(name)}" '
        f'data-lab-kind="{kind}">{kind.upper()}</button>'
        for kind in (("png", "svg") if rows <= SVG_MARKS else ("png",))
    )
    st.html(buttons + SCRIPT, width="content", unsafe_allow_javascript=True)
