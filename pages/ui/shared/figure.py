"""Figures: a title, the figure with its alternative text, the guide that explains it, and a download button."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import data_url, encode_csv, encode_png
from pages.ui.shared.figure_guides import GUIDES


def show_chart(
    chart: Any,
    title: str,
    alt: str,
    guide: str,
    key: str,
    rows: Callable[[], Any] | None = None,
    on_select: Any = "ignore",
    live: bool = False,
) -> Any:
    """An Altair chart.

    Args:
        chart: its axes have names and units, its data is `{"values": rows}`. Or a chart of caches.rendered_chart,
            which reaches the browser in a hundredth of the time.
        title: what it shows, in words.
        alt: the same for people who cannot see it, in one sentence with the important numbers.
        guide: a key of GUIDES.
        key: of its widgets, unique on the page.
        rows: returns the rows of the CSV; by default the chart's data.
        on_select: as st.altair_chart takes it.
        live: whether it is redrawn twice a second. If so, guide and button are left out.

    Returns:
        What st.altair_chart returns, which is the selection if `on_select` asks for one.
    """
    st.markdown(f"##### {title}")
    if isinstance(chart, dict):
        copy = {**chart, "data": dict(chart["data"])}  # Streamlit removes the values
        selection = st.vega_lite_chart(copy, width="stretch", key=key, alt=alt)
        csv_rows = chart["data"]["values"].to_pylist
    else:
        selection = st.altair_chart(chart, width="stretch", key=key, on_select=on_select, alt=alt)
        csv_rows = rows or (lambda: chart.data["values"])
    if not live:
        _show_footer(guide, lambda: encode_csv(csv_rows()), f"{key}.csv", "text/csv", key)
    return selection


def show_picture(
    image: NDArray[np.uint8], title: str, alt: str, guide: str, key: str, pixels: int | None = None
) -> None:
    """An image with square pixels.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        title: as in `show_chart`.
        alt: as in `show_chart`.
        guide: as in `show_chart`.
        key: as in `show_chart`.
        pixels: width on the page, by default W; never wider than the page.
    """
    st.markdown(f"##### {title}")
    style = f"width:{pixels or image.shape[1]}px;height:auto;max-width:100%"
    st.html(f'<img class="lab-picture" style="{style}" alt="{html.escape(alt)}" src="{data_url(image)}">')
    _show_footer(guide, partial(encode_png, image), f"{key}.png", "image/png", key)


def show_svg(svg: str, title: str, alt: str, guide: str, key: str) -> None:
    """An SVG that follows the theme, light or dark. The other arguments are as in `show_chart`."""
    st.markdown(f"##### {title}")
    url = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    st.html(f'<div class="lab-drawing"><img alt="{html.escape(alt)}" src="{url}"></div>')
    _show_footer(guide, svg.encode, f"{key}.svg", "image/svg+xml", key)


def show_table(rows: list[dict[str, Any]], title: str, guide: str, key: str, **options: Any) -> Any:
    """A table of numbers.

    Args:
        rows: column name -> value.
        title: as in `show_chart`.
        guide: as in `show_chart`.
        key: as in `show_chart`.
        options: as st.dataframe takes them.

    Returns:
        What st.dataframe returns.
    """
    st.markdown(f"##### {title}")
    selection = st.dataframe(rows, hide_index=True, key=key, **options)
    _show_footer(guide, partial(encode_csv, rows), f"{key}.csv", "text/csv", key)
    return selection


def show_guide_and_download(guide: str, name: str, content: Callable[[], bytes]) -> None:
    """The footer of a picture that is on the page already.

    Args:
        guide: a key of GUIDES.
        name: of the PNG, unique on the page.
        content: returns the PNG.
    """
    _show_footer(guide, content, f"{name}.png", "image/png", name)


def _show_footer(guide: str, content: Callable[[], bytes], filename: str, mime: str, key: str) -> None:
    """The guide and the download button. Nothing is computed before a click."""
    with st.container(horizontal=True, vertical_alignment="center"):
        show_guide(guide)
        st.download_button(
            filename.rpartition(".")[2].upper(),
            content,
            filename,
            mime,
            key=f"{key}_download",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )


def show_guide(guide: str, label: str = "How to read this") -> None:
    """A popover that explains a figure. `guide`: a key of GUIDES."""
    explanation = GUIDES[guide]
    with st.popover(label, type="tertiary", icon=":material/help:"):
        st.markdown(f"{explanation.text}\n\n*[{explanation.term}]({explanation.link})*")
