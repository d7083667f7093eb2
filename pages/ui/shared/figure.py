"""Figures: a card with a title, a menu with the guide and the downloads, the finding, and the figure itself."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import data_url, encode_csv, encode_png
from pages.ui.shared import chart_export, formatting, state
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
    finding: str = "",
    widget_key: str = "",
) -> Any:
    """An Altair chart. Without data a sentence takes its place.

    Args:
        chart: its axes have names and units, its data is `{"values": rows}`. Or a chart of caches.rendered_chart,
            which reaches the browser in a hundredth of the time.
        title: what it shows, in plain text.
        alt: the same for people who cannot see it, in one sentence with the important numbers.
        guide: a key of GUIDES.
        key: of its widgets, unique on the page.
        rows: returns the rows of the CSV; by default the chart's data.
        on_select: as st.altair_chart takes it.
        live: whether it is redrawn twice a second. If so, the menu has no CSV, and its content is sent once it is open.
        finding: what the chart shows, in one sentence of plain text above it.
        widget_key: of the chart itself, of chart_clicks.widget_key if it is clickable; `key` by default.

    Returns:
        What st.altair_chart returns, which is the selection if `on_select` asks for one; None without data.
    """
    rendered = isinstance(chart, dict)
    data = chart["datasets"][chart["data"]["name"]] if rendered else chart.data["values"]
    csv_rows = rows or (data.to_pylist if rendered else lambda: data)
    with _card(key):
        if not len(data):
            _show_title(title)
            st.markdown(formatting.escape_markdown(finding or "There is nothing to show yet."))
            return None
        with _title_and_menu(title, guide, key, live) as has_content:
            if not live:  # Streamlit keeps the function of every download button until the next run of the whole page
                _show_download(lambda: encode_csv(csv_rows()), "csv", key)
            if has_content:
                chart_export.show_export_buttons(_card_key(key), key, len(data))
        _show_finding(finding)
        chart = _enlarge_for_audience(chart)
        if rendered:
            return st.vega_lite_chart(chart, width="stretch", key=widget_key or key, alt=alt)
        return st.altair_chart(chart, width="stretch", key=widget_key or key, on_select=on_select, alt=alt)


def _enlarge_for_audience(chart: Any) -> Any:
    """In presenter mode, the chart one and a half times as high: so much larger is the type in and around it."""
    height = chart.get("height") if isinstance(chart, dict) else getattr(chart, "height", None)
    if not st.session_state.get(state.PRESENTING) or not isinstance(height, int | float):
        return chart
    taller = round(1.5 * height)
    return {**chart, "height": taller} if isinstance(chart, dict) else chart.properties(height=taller)


def show_picture(
    image: NDArray[np.uint8], title: str, alt: str, guide: str, key: str, pixels: int | None = None, finding: str = ""
) -> None:
    """An image with square pixels.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        title: as in `show_chart`.
        alt: as in `show_chart`.
        guide: as in `show_chart`.
        key: as in `show_chart`.
        pixels: width on the page, by default W; never wider than the page.
        finding: as in `show_chart`.
    """
    style = f"width:{pixels or image.shape[1]}px;height:auto;max-width:100%"
    with _card(key):
        with _title_and_menu(title, guide, key):
            _show_download(partial(encode_png, image), "png", key)
        _show_finding(finding)
        st.html(f'<img class="lab-picture" style="{style}" alt="{html.escape(alt)}" src="{data_url(image)}">')


def show_svg(svg: str, title: str, alt: str, guide: str, key: str) -> None:
    """An SVG that follows the theme, light or dark. The other arguments are as in `show_chart`."""
    url = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    with _card(key):
        with _title_and_menu(title, guide, key):
            _show_download(svg.encode, "svg", key)
        st.html(f'<div class="lab-drawing"><img alt="{html.escape(alt)}" src="{url}"></div>')


def show_table(rows: list[dict[str, Any]], title: str, guide: str, key: str, finding: str = "", **options: Any) -> Any:
    """A table of numbers.

    Args:
        rows: column name -> value.
        title: as in `show_chart`.
        guide: as in `show_chart`.
        key: as in `show_chart`.
        finding: as in `show_chart`.
        options: as st.dataframe takes them.

    Returns:
        What st.dataframe returns.
    """
    with _card(key):
        with _title_and_menu(title, guide, key):
            _show_download(partial(encode_csv, rows), "csv", key)
        _show_finding(finding)
        return st.dataframe(rows, hide_index=True, key=key, **options)


def show_title(
    title: str, guide: str, key: str, content: Callable[[], bytes], kind: str = "png", live: bool = False
) -> None:
    """The title and the menu of a picture that the caller shows below them.

    Args:
        title: as in `show_chart`.
        guide: as in `show_chart`.
        key: of the download, unique on the page.
        content: returns the download.
        kind: of the download, a key of MIME_TYPES.
        live: whether the picture is redrawn twice a second. If so, the menu has no download.
    """
    with _title_and_menu(title, guide, key, live):
        if not live:
            _show_download(content, kind, key)


def show_guide(guide: str, label: str = "How to read this") -> None:
    """A popover that explains a figure. `guide`: a key of GUIDES."""
    with st.popover(label, type="tertiary", icon=":material/help:"):
        _show_explanation(guide)


MIME_TYPES = {"csv": "text/csv", "png": "image/png", "svg": "image/svg+xml"}


def _card_key(key: str) -> str:
    return f"figure_{key}"


def _card(key: str) -> Any:
    """The container of a figure."""
    return st.container(key=_card_key(key), gap="small")


def _show_title(title: str) -> None:
    st.markdown(f"##### {formatting.escape_markdown(title)}")


@contextmanager
def _title_and_menu(title: str, guide: str, key: str, live: bool = False) -> Iterator[bool]:
    """The title on the left, the menu on the right. The caller adds the downloads to the menu if it has content."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
        _show_title(title)
        with _menu(guide, key, live) as has_content:
            yield has_content


@contextmanager
def _menu(guide: str, key: str, live: bool = False) -> Iterator[bool]:
    """The menu of a figure: how to read it, then what the caller adds. A live figure's is empty until it opens."""
    on_change: Any = "rerun" if live else "ignore"
    popover = st.popover(
        "How to read this, downloads",
        type="tertiary",
        icon=":material/more_horiz:",
        key=f"menu_{key}",
        on_change=on_change,
    )
    with popover:
        if live and not popover.open:
            yield False
            return
        st.markdown("**How to read this**")
        _show_explanation(guide)
        with st.container(horizontal=True):
            yield True


def _show_finding(finding: str) -> None:
    if finding:
        st.markdown(formatting.escape_markdown(finding))


def _show_explanation(guide: str) -> None:
    explanation = GUIDES[guide]
    st.markdown(f"{explanation.text}\n\n*[{explanation.term}]({explanation.link})*")


def _show_download(content: Callable[[], bytes], kind: str, key: str) -> None:
    """A button that downloads the figure. Nothing is computed before a click. `kind`: a key of MIME_TYPES."""
    st.download_button(
        kind.upper(),
        content,
        f"{key}.{kind}",
        MIME_TYPES[kind],
        key=f"{key}_download",
        on_click="ignore",
        icon=":material/download:",
    )
