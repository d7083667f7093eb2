"""The images that networks here learn from: to browse, in figures, changed, on a map; and the drawings people kept."""

from __future__ import annotations

import streamlit as st

from pages.ui import atlas, browse, caches, changing, components, dataset, keeping, navigation, state

VIEWS = {
    "browse": ("Browse", browse.show),
    "figures": ("In figures", dataset.show),
    "augmentation": ("Augmentation", changing.show),
    "map": ("Map", atlas.show),
    "kept": ("Kept drawings", keeping.show),
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
    keeping.show()  # parts that fail one by one
else:
    components.fragment(VIEWS[view][1])
