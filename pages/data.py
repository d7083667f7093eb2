"""The images that networks here learn from: to browse, in figures, changed, on a map; and the drawings people kept."""

from __future__ import annotations

import streamlit as st

from pages.ui.data.augmentation_preview import show_augmentation_preview
from pages.ui.data.browse import show_digit_browser
from pages.ui.data.dataset_summary import show_dataset_summary
from pages.ui.data.digit_map import show_digit_map
from pages.ui.data.kept_drawings import show_kept_drawings
from pages.ui.shared import caches, components, navigation, state

VIEWS = {
    "browse": ("Browse", show_digit_browser),
    "figures": ("In figures", show_dataset_summary),
    "augmentation": ("Augmentation", show_augmentation_preview),
    "map": ("Map", show_digit_map),
    "kept": ("Kept drawings", show_kept_drawings),
}
"""Name in the address -> its title, and what shows it."""


def which() -> str:
    """The data set that is shown, in words."""
    found = caches.mnist(caches.at_hand())
    if found.name == "sample":
        return found.source
    return f"{len(found.x_train):,} training and {len(found.x_test):,} test digits"


navigation.through_app()
st.title("Data")
st.write("The images that networks here learn from and are measured on, one by one and as a whole.")
components.guarded(lambda: st.caption(f"MNIST: {which()}."))
view = navigation.view(VIEWS, state.DATA_VIEW)
if view == "kept":
    show_kept_drawings()  # parts that fail one by one
else:
    components.fragment(VIEWS[view][1])
