"""A figure as every page shows it: a title in words, the figure with its alternative text, and under it how to read it
and a button to take it home."""

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
    drawn: Any,
    title: str,
    alt: str,
    guide: str,
    key: str,
    rows: Callable[[], Any] | None = None,
    on_select: Any = "ignore",
    moving: bool = False,
) -> Any:
    """An Altair chart.

    Args:
        drawn: the chart, its axes named with their units, its points as `{"values": rows}`; or what caches
            made of it, which is with the browser in a hundredth of the time.
        title: in words, what it shows.
        alt: what it shows to who cannot see it, in a sentence with the figures that matter.
        guide: a name of GUIDES.
        key: of its widgets, one for the page.
        rows: gives the rows of its CSV; by default those it was drawn from.
        on_select: as st.altair_chart takes it.
        moving: it is redrawn twice a second; fold and button come when it stands still.

    Returns:
        What st.altair_chart returns: the selection, where one was asked for.
    """
    st.markdown(f"##### {title}")
    if isinstance(drawn, dict):
        own = {**drawn, "data": dict(drawn["data"])}  # Streamlit takes the values out
        found = st.vega_lite_chart(own, width="stretch", key=key, alt=alt)
        told = drawn["data"]["values"].to_pylist
    else:
        found = st.altair_chart(drawn, width="stretch", key=key, on_select=on_select, alt=alt)
        told = rows or (lambda: drawn.data["values"])
    if not moving:
        _under(guide, lambda: encode_csv(told()), f"{key}.csv", "text/csv", key)
    return found


def show_picture(
    shown: NDArray[np.uint8], title: str, alt: str, guide: str, key: str, pixels: int | None = None
) -> None:
    """A picture, its pixels kept square.

    Args:
        shown: (H, W) or (H, W, 3) uint8.
        title, alt, guide, key: as `chart` takes them.
        pixels: its width on the page; by default as wide as it is, and never wider than the page.
    """
    st.markdown(f"##### {title}")
    width = f"width:{pixels or shown.shape[1]}px;height:auto;max-width:100%"
    st.html(f'<img class="lab-picture" style="{width}" alt="{html.escape(alt)}" src="{data_url(shown)}">')
    _under(guide, partial(encode_png, shown), f"{key}.png", "image/png", key)


def show_svg(svg: str, title: str, alt: str, guide: str, key: str) -> None:
    """A drawing as SVG that follows the theme, light or dark. `title`, `alt`, `guide`, `key`: as `chart` takes them."""
    st.markdown(f"##### {title}")
    shown = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    st.html(f'<div class="lab-drawing"><img alt="{html.escape(alt)}" src="{shown}"></div>')
    _under(guide, svg.encode, f"{key}.svg", "image/svg+xml", key)


def show_table(rows: list[dict[str, Any]], title: str, guide: str, key: str, **options: Any) -> Any:
    """Rows of figures. `options`: as st.dataframe takes them. Returns what that returns."""
    st.markdown(f"##### {title}")
    found = st.dataframe(rows, hide_index=True, key=key, **options)
    _under(guide, partial(encode_csv, rows), f"{key}.csv", "text/csv", key)
    return found


def show_guide_and_download(guide: str, name: str, content: Callable[[], bytes]) -> None:
    """Fold and button for a picture that stands on the page already. `name`: of the PNG, one for the page."""
    _under(guide, content, f"{name}.png", "image/png", name)


def _under(guide: str, content: Callable[[], bytes], name: str, mime: str, key: str) -> None:
    """The fold and the button. Nothing is computed before the button is pressed."""
    with st.container(horizontal=True, vertical_alignment="center"):
        show_guide(guide)
        st.download_button(
            name.rpartition(".")[2].upper(),
            content,
            name,
            mime,
            key=f"{key}_download",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )


def show_guide(guide: str, label: str = "How to read this") -> None:
    """The fold of a figure. `guide`: a name of GUIDES."""
    found = GUIDES[guide]
    with st.popover(label, type="tertiary", icon=":material/help:"):
        st.markdown(f"{found.text}\n\n*[{found.term}]({found.link})*")
