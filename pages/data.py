"""The Data page: the images that models learn from. Browse, statistics, augmentation, a map; and the kept drawings."""

from __future__ import annotations

import streamlit as st

from pages.ui.data.augmentation_preview import show_augmentation_preview
from pages.ui.data.browse import show_digit_browser
from pages.ui.data.dataset_summary import show_dataset_summary
from pages.ui.data.digit_map import show_digit_map
from pages.ui.data.kept_drawings import show_kept_drawings
from pages.ui.shared import caches, formatting, guard, navigation, state

VIEWS = {
    "browse": ("Browse", show_digit_browser),
    "figures": ("Statistics", show_dataset_summary),
    "augmentation": ("Augmentation", show_augmentation_preview),
    "map": ("Map", show_digit_map),
    "kept": ("Kept drawings", show_kept_drawings),
}
"""Name in the address -> title of the view, and the function that shows it."""


def show_data_source() -> None:
    """Which data set the page shows: the full MNIST or the offline sample."""
    mnist = caches.mnist(caches.available_dataset())
    sizes = f"{len(mnist.x_train):,} training and {len(mnist.x_test):,} test digits"
    source = mnist.source if mnist.name == "sample" else sizes
    st.caption(formatting.escape_markdown(f"{caches.custom_dataset() or 'MNIST'}: {source}."))


navigation.ensure_app_ran()
st.title("Data")
st.write("The images that models are trained and tested on, and the drawings kept to fine-tune them.")
guard.render(show_data_source)
view = navigation.select_view(VIEWS, state.DATA_VIEW)
if view == "kept":
    show_kept_drawings()  # no fragment: it guards its parts one by one
else:
    guard.render_fragment(VIEWS[view][1])
