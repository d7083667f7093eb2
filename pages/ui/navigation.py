"""The pages, in the order of the menu. The app opens on the first."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

PAGES = {
    "pages/draw.py": ("Draw", ":material/draw:"),
    "pages/train.py": ("Train", ":material/model_training:"),
}


def pages() -> list[StreamlitPage]:
    """One entry of the menu for each page."""
    first = next(iter(PAGES))
    return [
        st.Page(path, title=title, icon=icon, default=path == first, url_path="" if path == first else title.lower())
        for path, (title, icon) in PAGES.items()
    ]
